"""Takes photos that must be forgotten out of a cell's state, and keeps them out.

What is left of a photo is a row of `rejects` that says in which cell it was, and nothing else. A
chip of which it was the only photo goes with it: the chip's name and centre are the photo's place,
and its target date the photo's day.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from collectors.shards import pack, read_index, read_member, read_places, write_shard
from collectors.transport import SetupError
from filters.time_bins import time_bin
from flows.cells.batches import Location
from flows.cells.blocked import forgotten_row, holds_blocked, newest_tables, part_holds_blocked
from flows.cells.state import CellState, commit_cell, generation_of, load_cell
from flows.cells.steps import Steps
from flows.cells.sweep_marks import check_sweeps
from flows.products.block_list import is_token

if TYPE_CHECKING:
    from collections.abc import Mapping

    from collectors.sensors import Sensor
    from collectors.storage import Store
    from flows.catalogue.catalogue import Catalogue
    from flows.products.block_list import BlockList
    from flows.products.rows import ChipRow, PhotoRow

TRIES: Final = 5
"""How often a cell is begun again because a build committed first."""

REOPENED: Final = "reopened"
"""How a survey ended that had met its quota, of which photos were forgotten since."""

ORDER_KEY: Final = "forgetting"
"""Stands in the path of a forgetting's sign of life where a build's steps have their order."""

_AS_MEMBER: Final = frozenset({"no_scene", "all_refused"})
"""Reasons of photos that are in a chip for which no scene was found."""


@dataclass(frozen=True, slots=True)
class Gone:
    """What has to leave a cell.

    Attributes:
        photos: Ids of kept photos.
        rejects: Ids of others that were seen.
        chips: Ids of chips that have no other photo.
        touched: Ids of chips that lose a photo and have others.
        pairs: How many pairs.
        shards: Paths of shards that hold something of it.
    """

    photos: frozenset[str] = frozenset()
    rejects: frozenset[str] = frozenset()
    chips: frozenset[str] = frozenset()
    touched: frozenset[str] = frozenset()
    pairs: int = 0
    shards: tuple[str, ...] = ()

    @property
    def items(self) -> frozenset[str]:
        """Ids of everything that a shard may hold."""
        return self.photos | self.rejects | self.chips


def find_gone(
    store: Store, state: CellState, blocks: BlockList, sensors: Mapping[str, Sensor]
) -> Gone:
    """Finds what of a cell is on a block list.

    Args:
        store: The dataset.
        state: The cell.
        blocks: The list.
        sensors: The sensors by name.
    """
    if not blocks.hashes:
        return Gone()
    photos = frozenset(
        row.photo_id for row in state.photos if blocks.blocks(row.photo_id, row.owner)
    )
    rejects = frozenset(
        row.photo_id
        for row in state.rejects
        if not is_token(row.photo_id) and blocks.blocks(row.photo_id, row.owner)
    )
    if not photos and not rejects:
        return Gone()
    left: set[str] = set()
    lost: set[str] = set()
    for pair in state.pairs:
        (lost if pair.photo_id in photos else left).add(pair.chip_id)
    chips = frozenset(lost - left) | _empty_chips(state, photos, sensors)
    found = Gone(
        photos, rejects, chips, frozenset(lost & left),
        sum(pair.photo_id in photos for pair in state.pairs),
    )  # fmt: skip
    items = found.items
    shards = tuple(path for path in state.shards if _names(read_index(store, path), items))
    return replace(found, shards=shards)


def _empty_chips(
    state: CellState, gone: frozenset[str], sensors: Mapping[str, Sensor]
) -> frozenset[str]:
    """Returns the chips without a scene that were placed for no other photos than these."""
    members: defaultdict[str, dict[bool, list[PhotoRow]]] = defaultdict(
        lambda: {True: [], False: []}
    )
    for photo in state.photos:
        for sensor, reason in photo.unpaired.items():
            if reason in _AS_MEMBER and sensor in sensors:
                members[sensor][photo.photo_id in gone].append(photo)
    return frozenset(
        chip.chip_id
        for chip in state.chips
        if not chip.kept
        and any(_holds(chip, photo, sensors) for photo in members[chip.sensor][True])
        and not any(_holds(chip, photo, sensors) for photo in members[chip.sensor][False])
    )


def _holds(chip: ChipRow, photo: PhotoRow, sensors: Mapping[str, Sensor]) -> bool:
    """Says whether a photo lies in a chip's area and time bin."""
    sensor = sensors[chip.sensor]
    return chip.time_bin == time_bin(photo.taken_at.date(), sensor.bin_months) and (
        chip.grid.area_holds(*chip.grid.locate(photo.lon, photo.lat), sensor.area_px)
    )


def _names(index: list[dict[str, Any]], items: frozenset[str]) -> bool:
    """Says whether a shard's index names something, as its own row or as what a row is about."""
    return any(row["item_id"] in items or row["verdict"].get("detail") in items for row in index)


def forget_in_cell(
    store: Store, cell_id: str, blocks: BlockList, catalogue: Catalogue, seed: int
) -> tuple[Gone, int]:
    """Commits a generation of a cell without what is on the block list.

    Nothing is removed yet: see `flows.cells.forgotten_files`. If there is nothing to take out, a
    generation is made only where another writer may be about to commit what is on the list.

    Returns:
        What was taken out, and the generation that is the cell's newest now.

    Raises:
        SetupError: If others committed first again and again.
        TroubleRemains: If a sweep is going on.
    """
    for _ in range(TRIES):
        newest, *tables = newest_tables(store, cell_id)
        if not any(holds_blocked(one, blocks) for one in tables) and not _is_awaited(
            store, cell_id, newest, blocks
        ):
            return Gone(), newest
        state = load_cell(store, cell_id)
        # A shard that is written anew may lie there already, old, from a try that was stopped: it
        # must not be swept away as it is committed.
        steps = Steps.of(store, cell_id, state.generation + 1, ORDER_KEY)
        check_sweeps(store, cell_id, steps.show_presence())
        gone = find_gone(store, state, blocks, catalogue.sensors)
        new = take_out(state, gone, blocks, _rewrite_shards(store, state, gone, blocks))
        committed = commit_cell(store, new, catalogue, seed)
        steps.clear()  # that generation is made, by this or by another writer
        if committed:
            return gone, new.generation
    raise SetupError(
        cell_id,
        f"a build committed first, {TRIES} times in a row.",
        "Let the builds on this dataset end, and run the same command again.",
    )


def _is_awaited(store: Store, cell_id: str, newest: int, blocks: BlockList) -> bool:
    """Says whether parts lie there which a build may be about to name, and which hold something.

    They cannot be removed before the build's commit can no longer succeed. A build reads the block
    list between its parts and its commit: one whose parts are not seen here will see the list.
    """
    return any(
        generation_of(path) > newest and part_holds_blocked(store, path, blocks)
        for path in store.list(f"parts/{cell_id}")
    )


def take_out(
    state: CellState, gone: Gone, blocks: BlockList, moved: Mapping[str, Location]
) -> CellState:
    """Returns the next generation of a cell, without what has to go.

    Args:
        state: The cell.
        gone: What has to go.
        blocks: Gives the rows that are left their ids.
        moved: Where the bytes of photos and chips are now, by id, of those that have moved.
    """
    generation = state.generation + 1
    ids = gone.photos | gone.rejects
    rows = {
        row.photo_id: replace(row, detail=blocks.token(row.detail) if row.detail in ids
                              else row.detail)
        for row in state.rejects
        if row.photo_id not in ids
    }  # fmt: skip
    for photo_id in sorted(ids):
        row = forgotten_row(blocks.token(photo_id), state.cell_id, generation)
        rows.setdefault(row.photo_id, row)
    pairs = tuple(row for row in state.pairs if row.photo_id not in gone.photos)
    counts: defaultdict[str, int] = defaultdict(int)
    for pair in pairs:
        counts[pair.chip_id] += 1
    return replace(
        state,
        generation=generation,
        photos=tuple(
            _moved(row, moved.get(row.photo_id))
            for row in state.photos
            if row.photo_id not in gone.photos
        ),
        rejects=tuple(rows.values()),
        chips=tuple(
            replace(_moved(row, moved.get(row.chip_id)), photos=counts[row.chip_id])
            for row in state.chips
            if row.chip_id not in gone.chips
        ),
        pairs=pairs,
        surveyed=tuple(
            replace(one, ended=REOPENED) if gone.photos and one.ended == "quota" else one
            for one in state.surveyed
        ),
    ).ordered()


def _moved(row: Any, location: Location | None) -> Any:
    """Returns a row of a photo or a chip that points at where its bytes are now."""
    if location is None:
        return row
    return replace(row, shard=location.shard, offset=location.offset)


def _rewrite_shards(
    store: Store, state: CellState, gone: Gone, blocks: BlockList
) -> dict[str, Location]:
    """Writes the shards that hold something anew, without it; one is in memory at a time."""
    moved: dict[str, Location] = {}
    items = gone.items
    for path in gone.shards:
        places = read_places(store, path)
        rows = [
            _without_names(row, items, blocks)
            for row in read_index(store, path)
            if row["item_id"] not in items
        ]
        kept = {row["member"]: row["item_id"] for row in rows if row["member"] is not None}
        if not kept:
            continue
        members = [
            (name, read_member(store, path, place.offset, place.size))
            for name, place in places.items()
            if name in kept
        ]
        packed = pack(members, rows)
        new = write_shard(store, state.cell_id, packed)
        for name, place in packed.places.items():
            moved[kept[name]] = Location(new, place.offset, place.size, place.sha256)
    return moved


def _without_names(row: dict[str, Any], items: frozenset[str], blocks: BlockList) -> dict[str, Any]:
    """Returns a row of an index that does not name what has to go.

    What the batch was asked for goes from all rows: it was reckoned from all its chips' days.
    """
    verdict, row = row["verdict"], row | {"beside": ""}
    if verdict.get("detail") not in items:
        return row
    return row | {"verdict": verdict | {"detail": blocks.token(verdict["detail"])}}
