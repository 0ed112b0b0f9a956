"""What is published otherwise than the cells say, because only the whole dataset can know it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from collectors.records import Outcome, Stage
from flows.products.rows import PhotoRow, RejectRow
from flows.products.tables import from_arrow, to_arrow
from flows.publishing.repeats import same_ids, same_pictures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from collectors.storage import Store

SAME_PICTURE: Final = "same_picture"
"""Reason of a photo whose picture another one shows."""


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
    elsewhere = same_ids(store, commits)
    return Settled(elsewhere, same_pictures(store, commits, elsewhere, agreement_wanted))


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
