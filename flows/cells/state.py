"""What a cell holds, how it is read, and the one exclusive write that makes a new state visible."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

from collectors.storage import Missing
from flows.products.rows import ROWS, ChipRow, PairRow, PhotoRow, RejectRow, Row, sort_key
from flows.products.tables import from_arrow, parquet_bytes, part_schema, read_parquet, to_arrow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from collectors.storage import Store
    from flows.catalogue.catalogue import Catalogue
    from flows.cells.orders import Order

COMMITS: Final = "cells"

Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What was searched when a generation was made.

    Attributes:
        ground: SHA-256 of the searched part of the cell.
        taken_from: First day of the window of capture dates, ISO.
        taken_until: Last day of it, ISO.
        uploaded_until: Uploads up to here were looked at, ISO, UTC.
        quota: Kept photos that were wanted.
        ended: `exhausted` (nothing more to find), `quota` (met), `budget` (calls spent)
            or `reopened` (it was met, and photos were forgotten since).
        found: Photos on the answer to each search, in the order of asking.
        new: Of those, the ones that no search before had brought.
    """

    ground: str
    taken_from: str
    taken_until: str
    uploaded_until: str
    quota: int
    ended: str
    found: tuple[int, ...]
    new: tuple[int, ...]

    @classmethod
    def parse(cls, record: Mapping[str, Any]) -> Surveyed:
        """Reads a survey as a commit holds it."""
        counts = {name: tuple(record[name]) for name in ("found", "new")}
        return cls(**{**record, **counts})


def searched_until(surveys: Iterable[Surveyed], order: Order, quota: int) -> datetime | None:
    """Returns since when uploads are new: only where everything older was looked at.

    Args:
        surveys: What was searched in the cell.
        order: What is asked now.
        quota: Kept photos that it wants in its part of the cell.
    """
    done = [
        datetime.fromisoformat(one.uploaded_until)
        for one in surveys
        if one.ended == "exhausted"
        and one.ground == order.ground_key
        and date.fromisoformat(one.taken_from) <= order.taken_from
        and date.fromisoformat(one.taken_until) >= order.taken_until
        and one.quota >= quota
    ]
    if order.doubt_later_surveys:
        done = [moment for moment in done if moment <= order.now]
    return max(done, default=None)


def count_unpaired(photos: Iterable[PhotoRow]) -> dict[str, dict[str, dict[str, Any]]]:
    """Counts photos without a pair, by sensor and reason, with the earliest day of capture."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for photo in photos:
        taken = photo.taken_at.date().isoformat()
        for sensor, reason in photo.unpaired.items():
            one = found.setdefault(sensor, {}).setdefault(
                reason, {"photos": 0, "first_taken": taken}
            )
            one["photos"] += 1
            one["first_taken"] = min(one["first_taken"], taken)
    return found


@dataclass(frozen=True, slots=True)
class CellState:
    """The whole state of a cell; generation 0 is a cell in which nothing was committed yet.

    Attributes:
        cell_id: Name of the cell.
        generation: Number of the commit that this state was read from.
        photos: Kept photos.
        rejects: All others that were seen.
        chips: Placed chips.
        pairs: Photos in chips.
        surveyed: What was searched, one record for each generation that searched.
        shards: Paths of the shards that the rows name.
        judgement: Hash of the rules that judged, see `Catalogue.judgement`.
        weights: SHA-256 of the indoor filter's weights.
        engine: What the indoor filter ran on, and the versions of the time zone data.
    """

    cell_id: str
    generation: int = 0
    photos: tuple[PhotoRow, ...] = ()
    rejects: tuple[RejectRow, ...] = ()
    chips: tuple[ChipRow, ...] = ()
    pairs: tuple[PairRow, ...] = ()
    surveyed: tuple[Surveyed, ...] = ()
    shards: tuple[str, ...] = ()
    judgement: str = ""
    weights: str = ""
    engine: Mapping[str, str] = field(default_factory=dict)

    def rows(self, product: str) -> tuple[Row, ...]:
        """Returns the rows of a product."""
        found: tuple[Row, ...] = getattr(self, product)
        return found

    def holds_same_rows(self, other: CellState) -> bool:
        """Says whether two states would be published alike."""
        return all(self.rows(product) == other.rows(product) for product in ROWS)

    def ordered(self) -> CellState:
        """Returns the state with its rows in the order in which they are stored."""
        named = {row.shard for row in self.photos}
        named |= {row.shard for row in self.chips if row.shard is not None}
        return replace(
            self,
            photos=tuple(sorted(self.photos, key=sort_key)),
            rejects=tuple(sorted(self.rejects, key=sort_key)),
            chips=tuple(sorted(self.chips, key=sort_key)),
            pairs=tuple(sorted(self.pairs, key=sort_key)),
            shards=tuple(sorted(named)),
        )


def commit_path(cell_id: str, generation: int) -> str:
    """Returns the path of a cell's commit."""
    return f"{COMMITS}/{cell_id}/{generation:06d}.json"


def generation_of(path: str) -> int:
    """Returns the generation that a commit is, or for which a part or a step was written."""
    return int(path.rsplit("/", 1)[1].removesuffix(".json").split("-", 1)[0])


def latest_generations(store: Store) -> dict[str, int]:
    """Returns the newest generation of every cell of a dataset, by one listing."""
    latest: dict[str, int] = {}
    for path in store.list(COMMITS):
        cell_id = path.split("/")[1]
        latest[cell_id] = max(latest.get(cell_id, 0), generation_of(path))
    return latest


def newest_generation(store: Store, cell_id: str) -> int:
    """Returns the number of a cell's newest generation; 0 if it has none."""
    return max(map(generation_of, store.list(f"{COMMITS}/{cell_id}")), default=0)


def read_newest(
    store: Store, cell_id: str, read: Callable[[int], Read], seen: int | None = None
) -> Read:
    """Reads something of a cell's newest generation, whose files a forgetting may remove meanwhile.

    It does so only after it has committed a newer one: of that the same is read.

    Args:
        store: The dataset.
        cell_id: The cell.
        read: Reads it of the generation that it is given; 0 is a cell without any.
        seen: The newest generation that is known of, to be tried first; by default it is looked up.

    Raises:
        Missing: If a file of the newest generation is not there.
    """
    generation = newest_generation(store, cell_id) if seen is None else seen
    while True:
        try:
            return read(generation)
        except Missing:
            newer = newest_generation(store, cell_id)
            if newer == generation:
                raise
            generation = newer


def read_commit(store: Store, cell_id: str, generation: int) -> dict[str, Any]:
    """Returns a cell's commit as it is written."""
    found: dict[str, Any] = json.loads(store.read(commit_path(cell_id, generation)))
    return found


def load_cell(store: Store, cell_id: str) -> CellState:
    """Returns a cell's newest state; generation 0 if it has none."""
    return read_newest(store, cell_id, lambda number: _load_generation(store, cell_id, number))


def _load_generation(store: Store, cell_id: str, generation: int) -> CellState:
    if not generation:
        return CellState(cell_id)
    commit = read_commit(store, cell_id, generation)
    parts = {name: read_parquet(store.read(path)) for name, path in commit["parts"].items()}
    return CellState(
        cell_id=cell_id,
        generation=generation,
        photos=tuple(from_arrow(parts["photos"], PhotoRow)),
        rejects=tuple(from_arrow(parts["rejects"], RejectRow)),
        chips=tuple(from_arrow(parts["chips"], ChipRow)),
        pairs=tuple(from_arrow(parts["pairs"], PairRow)),
        surveyed=tuple(Surveyed.parse(one) for one in commit["surveyed"]),
        shards=tuple(commit["shards"]),
        judgement=commit["judgement"],
        weights=commit["weights"],
        engine=commit["engine"],
    )


def commit_cell(
    store: Store,
    state: CellState,
    catalogue: Catalogue,
    seed: int,
    may_commit: Callable[[], bool] = lambda: True,
) -> bool:
    """Writes a cell's new state and makes it visible by one exclusive write.

    Args:
        store: The dataset.
        state: The whole new state; its `generation` is the one to create.
        catalogue: Gives the schemas.
        seed: The dataset's seed, written down.
        may_commit: Asked once the parts lie there, so that whoever looks at them from then on sees
            what is about to be committed.

    Returns:
        True if this state is now the cell's generation; False if another writer was first, or it
        may not be committed, and the work has to start again from what is committed.
    """
    state = state.ordered()
    parts = {}
    for product in ROWS:
        data = parquet_bytes(to_arrow(state.rows(product), part_schema(catalogue, product)))
        digest = hashlib.sha256(data).hexdigest()[:16]
        path = f"parts/{state.cell_id}/{state.generation:06d}-{digest}-{product}.parquet"
        store.create(path, data)
        parts[product] = path
    if not may_commit():
        return False
    commit = {
        "schema": catalogue.schema_name,
        "cell": state.cell_id,
        "generation": state.generation,
        "parts": parts,
        "shards": list(state.shards),
        "counts": {product: len(state.rows(product)) for product in ROWS},
        "unpaired": count_unpaired(state.photos),
        "seed": seed,
        "judgement": state.judgement,
        "weights": state.weights,
        "engine": dict(state.engine),
        "surveyed": [asdict(one) for one in state.surveyed],
    }
    data = json.dumps(commit, indent=1, sort_keys=True).encode()
    return store.create(commit_path(state.cell_id, state.generation), data)
