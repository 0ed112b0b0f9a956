"""The words for the chips of a version, cell by cell."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

import pyarrow.compute as pc
import shapely

from collectors.geo import ChipGrid
from collectors.records import Outcome
from collectors.time_zones import country_of
from flows.catalogue.regions import read_polygons
from flows.products.table_rows import CellTables
from flows.wording.chip_texts import ChipText, PhotoWords

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from collectors.storage import Store
    from flows.catalogue.blocks import Region
    from flows.products.versions import Version
    from flows.progress import Progress

PLACE: Final = ("shard", "offset", "size", "sha256")
"""Columns that say where the bytes of a chip are."""

_CHIP: Final = ("chip_id", "sensor", "cell", "outcome", "acquired_at", "crs", "transform", "width",
                "scale_m", "cover", *PLACE)  # fmt: skip
_PHOTO: Final = ["photo_id", "title", "tags", "time_zone", "picture_hash"]
_PRODUCTS: Final = ("chips", "pairs", "photos")


class Regions:
    """The catalogue's regions, to be asked which of them hold a point."""

    def __init__(self, blocks: Mapping[str, Region]) -> None:
        """Reads the ground of each region.

        Raises:
            CatalogueError: If a file of polygons cannot be read.
        """
        self.titles = {name: block.title or name for name, block in blocks.items()}
        self._ground = {name: _ground(block) for name, block in blocks.items()}
        for ground in self._ground.values():
            shapely.prepare(ground)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of names, titles and grounds."""
        told = {name: [title, shapely.to_wkt(self._ground[name], rounding_precision=9)]
                for name, title in self.titles.items()}  # fmt: skip
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def at(self, lon: float, lat: float) -> tuple[str, ...]:
        """Returns the titles of the regions that hold a point in degrees, in their order."""
        point = shapely.Point(lon, lat)
        return tuple(self.titles[name] for name, ground in self._ground.items()
                     if shapely.intersects(ground, point))  # fmt: skip


def _ground(block: Region) -> shapely.Geometry:
    if block.geojson is not None:
        return read_polygons(block.geojson)
    assert block.box is not None  # noqa: S101 - a region has one of the two
    west, south, east, north = block.box
    if west <= east:
        return shapely.box(west, south, east, north)
    return shapely.union_all([
        shapely.box(west, south, 180, north), shapely.box(-180, south, east, north),
    ])  # fmt: skip


def chip_texts(
    store: Store, version: Version, regions: Regions, progress: Progress
) -> Iterator[ChipText]:
    """Yields the words for each chip of a version that has pixels and a photo, by cell and id.

    A cell's rows are held at a time.

    Args:
        store: The dataset.
        version: The version.
        regions: The catalogue's regions.
        progress: Hears how many cells are read.
    """
    cells = sorted(version.manifest["cells"])
    with CellTables(store, version, _PRODUCTS) as tables:
        for done, cell in enumerate(cells):
            progress("cells read", done, len(cells))
            chips, pairs, photos = (tables.read(product, cell) for product in _PRODUCTS)
            yield from _of_cell(chips, pairs, photos, regions)
    progress("cells read", len(cells), len(cells))


def _of_cell(
    chips: pa.Table, pairs: pa.Table, photos: pa.Table, regions: Regions
) -> Iterator[ChipText]:
    kept = chips.filter(pc.equal(chips["outcome"], Outcome.KEPT.value))
    known = [name for name in _CHIP if name in kept.schema.names]
    rows = kept.select(known).to_pylist(maps_as_pydicts="strict")
    told = {one["photo_id"]: one for one in photos.select(_PHOTO).to_pylist()}
    of_chip: dict[str, list[tuple[str, str]]] = {}
    for one in pairs.select(["chip_id", "photo_id", "split"]).to_pylist():
        of_chip.setdefault(one["chip_id"], []).append((one["photo_id"], one["split"]))
    for row in sorted(rows, key=lambda one: str(one["chip_id"])):
        mine = sorted(of_chip.get(row["chip_id"], []))
        if mine:
            yield _text(row, mine, told, regions)


def _text(
    row: Mapping[str, Any], mine: list[tuple[str, str]], told: Mapping[str, Mapping[str, Any]],
    regions: Regions,
) -> ChipText:  # fmt: skip
    transform = row["transform"]
    grid = ChipGrid(row["crs"], transform[2], transform[5], row["scale_m"], row["width"])
    lon, lat = grid.point_at(row["width"] / 2, row["width"] / 2)
    zones = {told[photo]["time_zone"] for photo, _ in mine}
    countries = {country for zone in zones if (country := country_of(zone)) is not None}
    return ChipText(
        chip_id=row["chip_id"], sensor=row["sensor"], cell=row["cell"],
        day=row["acquired_at"].astimezone(UTC).date(), lon=lon, lat=lat,
        side_m=row["width"] * row["scale_m"], place={name: row[name] for name in PLACE},
        regions=regions.at(lon, lat), countries=tuple(sorted(countries)), cover=row.get("cover"),
        photos=tuple(
            PhotoWords(
                photo, split, told[photo]["title"], told[photo]["tags"],
                told[photo]["picture_hash"],
            )
            for photo, split in mine
        ),
    )  # fmt: skip
