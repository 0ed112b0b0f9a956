"""The rows of the four products, as they are made, stored in a cell's parts and published.

Every field is a column of the catalogue; `geometry` is made from the row when it is written.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

from shapely.geometry import Point

from collectors.chips import Chip
from collectors.geo import ChipGrid
from collectors.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    import shapely


@dataclass(frozen=True, slots=True)
class PhotoRow:
    """A kept photo; see `products.photos` in the catalogue for units and meanings."""

    photo_id: str
    owner: str
    lon: float
    lat: float
    accuracy: int
    taken_at: datetime
    taken_at_utc: datetime
    time_zone: str
    taken_granularity: int
    uploaded_at: datetime
    licence: str
    attribution: str
    page_url: str
    image_url: str
    title: str
    tags: str
    cell: str
    indoor_probability: float
    shard: str
    offset: int
    size: int
    sha256: str
    width: int
    height: int
    picture_hash: str
    unpaired: Mapping[str, str]
    generation: int

    @property
    def shape(self) -> shapely.Geometry:
        """The geotag, in degrees."""
        return Point(self.lon, self.lat)


@dataclass(frozen=True, slots=True)
class RejectRow:
    """A photo that was seen and not kept; see `products.rejects`."""

    photo_id: str
    owner: str | None
    lon: float | None
    lat: float | None
    taken_at: datetime | None
    licence: str | None
    cell: str
    outcome: str
    stage: str
    reason: str
    detail: str
    indoor_probability: float | None
    generation: int

    @property
    def shape(self) -> shapely.Geometry | None:
        """The geotag, in degrees; None where there was none."""
        return None if self.lon is None or self.lat is None else Point(self.lon, self.lat)


@dataclass(frozen=True, slots=True)
class RefusedScene:
    """A scene that was fetched for a chip and refused."""

    scene_id: str
    delta_days: int
    cloud_scene_pct: float | None
    cloud_chip_pct: float | None
    valid_pct: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class ChipRow:
    """A placed chip, with or without pixels; see `products.chips`."""

    chip_id: str
    sensor: str
    cell: str
    time_bin: str
    outcome: str
    reason: str | None
    scene_id: str | None
    acquired_at: datetime | None
    target_date: date
    delta_days: int | None
    cloud_scene_pct: float | None
    cloud_chip_pct: float | None
    shadow_pct: float | None
    valid_pct: float | None
    cover: Mapping[str, float] | None
    scene_cloud_limit_pct: float | None
    chip_cloud_limit_pct: float | None
    missing_limit_pct: float
    refused: tuple[RefusedScene, ...]
    crs: str
    transform: tuple[float, ...]
    width: int
    height: int
    bands: tuple[str, ...]
    scale_m: float
    source_gsd_m: float | None
    processing: str | None
    photos: int
    shard: str | None
    offset: int | None
    size: int | None
    sha256: str | None
    generation: int

    @property
    def grid(self) -> ChipGrid:
        """The pixel grid."""
        return ChipGrid(self.crs, self.transform[2], self.transform[5], self.scale_m, self.width)

    @property
    def chip(self) -> Chip:
        """The chip as it was placed."""
        return Chip(self.chip_id, self.sensor, self.time_bin, self.grid, self.target_date)

    @property
    def shape(self) -> shapely.Geometry:
        """The outline, in degrees."""
        return self.grid.footprint()

    @property
    def kept(self) -> bool:
        """Whether it has pixels."""
        return self.outcome == Outcome.KEPT


@dataclass(frozen=True, slots=True)
class PairRow:
    """A photo in a chip; see `products.pairs`."""

    photo_id: str
    chip_id: str
    sensor: str
    row: float
    col: float
    delta_days: int
    distance_m: float
    uncertainty_px: float
    cell: str
    generation: int


@dataclass(frozen=True, slots=True)
class PublishedPairRow(PairRow):
    """A pair of a version: a cell's own row, and what is known only when a version is made."""

    split: str


Row = PhotoRow | RejectRow | ChipRow | PairRow

ROWS: Final[dict[str, type[PhotoRow | RejectRow | ChipRow | PairRow]]] = {
    "photos": PhotoRow,
    "rejects": RejectRow,
    "chips": ChipRow,
    "pairs": PairRow,
}
"""The row of each product, as a cell commits it."""

PUBLISHED: Final[dict[str, type[PhotoRow | RejectRow | ChipRow | PairRow]]] = ROWS | {
    "pairs": PublishedPairRow
}
"""The row of each product, as a version has it."""

PLACED: Final = ("photos", "rejects", "chips")
"""The products that have a geometry."""


def columns(product: str) -> list[str]:
    """Returns the names of a product's columns, in order."""
    names = [field.name for field in fields(PUBLISHED[product])]
    return [*names, "geometry"] if product in PLACED else names


def made_at_publish(product: str) -> set[str]:
    """Returns the names of the columns that a version has and a cell's own rows have not."""
    return {field.name for field in fields(PUBLISHED[product])} - {
        field.name for field in fields(ROWS[product])
    }


def sort_key(row: Row) -> tuple[str, ...]:
    """Returns what the rows of a product are ordered by: their identity."""
    if isinstance(row, ChipRow):
        return (row.chip_id,)
    return (row.photo_id, row.sensor) if isinstance(row, PairRow) else (row.photo_id,)
