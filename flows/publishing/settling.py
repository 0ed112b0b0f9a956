"""What only the whole dataset can know: one photo in two cells, one picture in two photos."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collectors.records import Outcome, Stage
from filters.hash_index import near_pairs
from filters.picture_hashes import as_numbers
from filters.same_picture import agreement, settle
from flows.products.rows import PhotoRow, RejectRow
from flows.products.tables import from_arrow, read_parquet, to_arrow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from collectors.storage import Store

SAME_PICTURE: Final = "same_picture"
"""Reason of a photo whose picture another one shows."""

_PICTURES_HELD: Final = 256
"""Pictures held in memory while near ones are compared: about 10 MB."""

_IDS_HELD: Final = "400MB"
"""Memory for the ids of all photos that were seen; what is more goes to a temporary folder."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What is published otherwise than the cells say.

    Attributes:
        elsewhere: For each cell, its photos whose row is left out, because another cell has one.
        repeats: For each cell, its kept photos whose picture another photo of the dataset shows:
            that one's id by photo id. They are published among the rejects.
    """

    elsewhere: Mapping[str, set[str]] = field(default_factory=dict)
    repeats: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def cells_by_photo(self) -> dict[str, list[str]]:
        """For each photo that is a row of several cells, the cells whose row is left out."""
        cells: defaultdict[str, list[str]] = defaultdict(list)
        for cell, photo_ids in sorted(self.elsewhere.items()):
            for photo_id in photo_ids:
                cells[photo_id].append(cell)
        return dict(sorted(cells.items()))

    def apply(
        self, product: str, cell: str, table: pa.Table, parts: Callable[[str], pa.Table]
    ) -> pa.Table:
        """Returns a cell's table of a product as it is published.

        Args:
            product: The table's name.
            cell: The cell.
            table: What the cell committed.
            parts: Reads another table that the cell committed, by product.
        """
        elsewhere, repeats = self.elsewhere.get(cell, set()), self.repeats.get(cell, {})
        if not elsewhere and not repeats:
            return table
        gone = elsewhere | repeats.keys()
        if product == "chips":
            return _recounted(table, parts("pairs"), gone)
        if product == "rejects":
            return _joined(_without(table, elsewhere), parts("photos"), repeats)
        return _without(table, gone)


def settle_cells(
    store: Store, commits: Mapping[str, Mapping[str, Any]], agreement_wanted: float
) -> Settled:
    """Settles what stands in several rows of a dataset.

    Args:
        store: The dataset.
        commits: The newest commit of each cell.
        agreement_wanted: Pictures that agree at least so well are the same.
    """
    elsewhere = _same_ids(store, commits)
    return Settled(elsewhere, _same_pictures(store, commits, elsewhere, agreement_wanted))


def _same_ids(store: Store, commits: Mapping[str, Mapping[str, Any]]) -> dict[str, set[str]]:
    """Finds photos that stand in several cells, because their geotag was moved between builds.

    Returns:
        For each cell, those of its photos whose row is left out: all rows but that of the cell that
        keeps the photo, or of the first by name.
    """
    names = sorted(commits)
    with tempfile.TemporaryDirectory(prefix="terrapair-") as folder, duckdb.connect() as base:
        base.execute("SET threads=2")
        base.execute(f"SET memory_limit='{_IDS_HELD}'")
        base.execute("SET temp_directory=?", [folder])
        base.execute("CREATE TABLE seen (photo_id VARCHAR, cell INTEGER, kept BOOLEAN)")
        for cell, name in enumerate(names):
            for product, kept in (("photos", True), ("rejects", False)):
                ids = read_parquet(store.read(commits[name]["parts"][product]), ["photo_id"])  # noqa: F841
                base.execute("INSERT INTO seen SELECT photo_id, ?, ? FROM ids", [cell, kept])
        # Photos that stand in one cell only fall out by a number each, before any list is made.
        rows = base.execute(
            "SELECT photo_id, list(cell ORDER BY kept DESC, cell) FROM seen WHERE hash(photo_id) IN"
            " (SELECT hash(photo_id) FROM seen GROUP BY hash(photo_id) HAVING count(*) > 1)"
            " GROUP BY photo_id HAVING count(*) > 1"
        ).fetchall()
    left_out: defaultdict[str, set[str]] = defaultdict(set)
    for photo_id, cells in rows:
        for cell in set(cells[1:]) - {cells[0]}:
            left_out[names[cell]].add(photo_id)
    return dict(left_out)


def _same_pictures(
    store: Store,
    commits: Mapping[str, Mapping[str, Any]],
    elsewhere: Mapping[str, set[str]],
    wanted: float,
) -> dict[str, dict[str, str]]:
    """Finds kept photos whose picture one that was uploaded earlier shows; see `Settled.repeats`.

    Of each photo some 150 bytes are held in memory, and the bytes of pictures only of near ones.
    """
    names = ["photo_id", "cell", "uploaded_at", "shard", "offset", "size"]
    known, numbers = [], []
    for cell, commit in commits.items():
        table = read_parquet(store.read(commit["parts"]["photos"]), [*names, "picture_hash"])
        table = _without(table, elsewhere.get(cell, set()))
        table = table.filter(pc.not_equal(table["picture_hash"], ""))
        numbers.append(as_numbers(table["picture_hash"].to_pylist()))
        table = table.select(names).replace_schema_metadata(None)
        for place, name in ((1, "cell"), (3, "shard")):  # a few names, many times
            table = table.set_column(place, name, table[name].dictionary_encode())
        known.append(table)
    photos = pa.concat_tables(known).unify_dictionaries().combine_chunks()
    del known
    photos = photos.append_column("digits", pc.utf8_length(photos["photo_id"]))
    order = pc.sort_indices(
        photos, sort_keys=[(name, "ascending") for name in ("uploaded_at", "digits", "photo_id")]
    )
    photos = photos.take(order)
    hashes = np.concatenate(numbers)
    numbers.clear()
    hashes = hashes[order.to_numpy()]

    @lru_cache(maxsize=_PICTURES_HELD)
    def picture(number: int) -> bytes:
        row = photos.slice(number, 1).to_pylist()[0]
        return store.read_range(row["shard"], row["offset"], row["size"])

    def same(earlier: int, later: int) -> bool:
        return agreement(picture(earlier), picture(later)) >= wanted

    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    pairs = (tuple(pair) for pair in near_pairs(hashes).tolist())
    for later, earlier in settle(pairs, same).items():
        cell, photo_id = photos["cell"][later].as_py(), photos["photo_id"][later].as_py()
        found[cell][photo_id] = photos["photo_id"][earlier].as_py()
    return dict(found)


def _of(table: pa.Table, photo_ids: Iterable[str]) -> pa.Array:
    """Says of each row whether it is of one of the photos."""
    return pc.is_in(table["photo_id"], pa.array(list(photo_ids), pa.string()))


def _without(table: pa.Table, photo_ids: Iterable[str]) -> pa.Table:
    """Returns a table without the rows of some photos."""
    return table.filter(pc.invert(_of(table, photo_ids)))


def _recounted(chips: pa.Table, pairs: pa.Table, gone: Iterable[str]) -> pa.Table:
    """Returns chips with the number of photos that are left to them."""
    lost = pairs.filter(_of(pairs, gone))["chip_id"].value_counts()
    fewer = {one["values"]: one["counts"] for one in lost.to_pylist()}
    left = [
        photos - fewer.get(chip, 0)
        for chip, photos in zip(
            chips["chip_id"].to_pylist(), chips["photos"].to_pylist(), strict=True
        )
    ]
    place = chips.schema.get_field_index("photos")
    field_ = chips.schema.field(place)
    return chips.set_column(place, field_, pa.array(left, field_.type))


def _joined(rejects: pa.Table, photos: pa.Table, repeats: Mapping[str, str]) -> pa.Table:
    """Returns rejects and, among them, the photos that repeat another, in the order of ids."""
    if not repeats:
        return rejects
    repeating = photos.filter(_of(photos, repeats))
    rows = [_reject(row, repeats[row.photo_id]) for row in from_arrow(repeating, PhotoRow)]
    both = pa.concat_tables([rejects, to_arrow(rows, rejects.schema)])
    return both.sort_by("photo_id")


def _reject(photo: PhotoRow, shown_by: str) -> RejectRow:
    """Makes the row of a photo that its cell keeps, and the whole dataset does not."""
    return RejectRow(
        photo_id=photo.photo_id, owner=photo.owner, lon=photo.lon, lat=photo.lat,
        taken_at=photo.taken_at, licence=photo.licence, cell=photo.cell,
        outcome=str(Outcome.REJECTED), stage=str(Stage.PUBLISH), reason=SAME_PICTURE,
        detail=shown_by, indoor_probability=photo.indoor_probability,
        generation=photo.generation,
    )  # fmt: skip
