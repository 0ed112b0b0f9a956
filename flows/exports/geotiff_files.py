"""Loose Cloud Optimized GeoTIFFs and JPEGs for a GIS, with a GeoPackage of where they lie.

<sensor>/<cell>/<chip_id>.tif
<sensor>/<cell>/<chip_id>/<photo_id>.jpg    the photos taken in it
places-00000.gpkg                           layers `photos` (points) and `chips` (outlines)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from flows.description.bands import Platform, platform_of
from flows.exports.cloud_optimized import cloud_optimized
from flows.exports.forms import Written
from flows.exports.geopackages import geopackage, place_rows
from flows.exports.planning import cut
from flows.exports.table_files import read_piece, table_piece

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from filters.splits import Split
    from flows.exports.forms import Context, Ending, Group, LoadedSample, Portion
    from flows.products.rows import ChipRow
    from flows.samples.samples import SamplePhoto

_SAMPLES_OF_A_PORTION: Final = 16
PORTIONS_PER_PACKAGE: Final = 1_000
"""Portions of a GeoPackage at which the next one is begun: 16,000 chips and their photos, some
100 MB, which are held in memory while they are written."""

_COPERNICUS: Final = "COPERNICUS/S2"
_NAIP: Final = "USDA/NAIP"


@dataclass(frozen=True, slots=True)
class GeotiffFiles:
    """The form `geotiff`."""

    name: ClassVar[str] = "geotiff"
    splits: ClassVar[Sequence[Split] | None] = None
    layout: ClassVar[Sequence[tuple[str, str]]] = (
        ("<sensor>/<cell>/<chip_id>.tif", "chips: Cloud Optimized GeoTIFFs of all bands"),
        ("<sensor>/<cell>/<chip_id>/<photo_id>.jpg", "the photos taken in that chip"),
        (
            "places-00000.gpkg",
            "GeoPackage: `photos` are points, `chips` outlines; `path` is the file",
        ),
    )
    notes: ClassVar[Sequence[str]] = (
        (
            "The pixels of the chips are those of the dataset. Their tags name scene, date and "
            "credit; scale and unit of the bands are set."
        ),
        "A photo in chips of two sensors lies beside each of them.",
    )

    def front_matter(self, _portions: Sequence[Portion]) -> Sequence[str]:
        """Returns nothing: no program reads it."""
        return ()

    def options(self) -> dict[str, Any]:
        """Returns nothing: it has no options of its own."""
        return {}

    def order(self, group: Group, _shuffle: Callable[[Group, int], Group]) -> Group:
        """Returns a group in the dataset's order."""
        return group

    def divide(self, group: Group) -> Iterator[Portion]:
        """Divides a group into portions of some samples."""
        return cut(group, most_samples=_SAMPLES_OF_A_PORTION)

    def write(self, portion: Portion, samples: Sequence[LoadedSample], context: Context) -> Written:
        """Makes the files of a portion, and its rows of the GeoPackage."""
        manifest = context.version.manifest
        collection = manifest["sensors"][portion.group.sensor]["collection"]
        tables = place_rows(samples, _chip_path, _photo_path)
        pieces = {name: table_piece(table) for name, table in tables.items()}
        return Written(_files(samples, collection, context.version.name), pieces)

    def end(self, ending: Ending) -> Iterator[tuple[str, bytes]]:
        """Makes the GeoPackages."""
        every = ending.portions
        for number, first in enumerate(range(0, len(every), PORTIONS_PER_PACKAGE)):
            some = every[first : first + PORTIONS_PER_PACKAGE]
            layers = {
                name: [read_piece(piece) for piece in ending.pieces(some, name)]
                for name in ("photos", "chips")
            }
            yield f"places-{number:05d}.gpkg", geopackage(layers)


def _files(
    samples: Sequence[LoadedSample], collections: str | Sequence[str], version: str
) -> Iterator[tuple[str, bytes]]:
    platform = platform_of(collections)
    for one in samples:
        collection = _collection(one.sample.chip, collections)
        tags = _tags(one.sample.chip, platform, collection, version)
        yield (
            _chip_path(one),
            cloud_optimized(
                one.chip,
                tags,
                scale=platform.scale,
                offset=platform.offset,
                unit=platform.unit,
                unscaled={band.name for band in platform.bands.values() if not band.measured},
            ),
        )
        for taken, data in one.pictures:
            yield _photo_path(one, taken), data


def _collection(chip: ChipRow, collections: str | Sequence[str]) -> str:
    """Returns the collection that a chip is from, of its sensor's one or several."""
    if isinstance(collections, str):
        return collections
    return next(one for one in collections if (chip.scene_id or "").startswith(f"{one}/"))


def _chip_path(one: LoadedSample) -> str:
    chip = one.sample.chip
    return f"{chip.sensor}/{chip.cell}/{chip.chip_id}.tif"


def _photo_path(one: LoadedSample, taken: SamplePhoto) -> str:
    return f"{_chip_path(one).removesuffix('.tif')}/{taken.photo.photo_id}.jpg"


def _tags(chip: ChipRow, platform: Platform, collection: str, version: str) -> Mapping[str, str]:
    """Returns what the file of a chip says of itself; TIFFTAG_… are TIFF 6.0's own tags."""
    assert chip.acquired_at is not None  # noqa: S101 - a chip with pixels has a scene
    tags = {
        "TIFFTAG_IMAGEDESCRIPTION": f"{platform.title}, chip {chip.chip_id}",
        "TIFFTAG_DATETIME": f"{chip.acquired_at:%Y:%m:%d %H:%M:%S}",
        "TIFFTAG_COPYRIGHT": credit(platform, collection, chip.acquired_at.year),
        "ACQUIRED_AT": chip.acquired_at.isoformat(),
        "SCENE_ID": chip.scene_id or "",
        "COLLECTION": collection,
        "CHIP_ID": chip.chip_id,
        "DATASET_VERSION": version,
        "RIGHTS": platform.rights,
    }
    return tags | ({"PROCESSING": chip.processing} if chip.processing else {})


def credit(platform: Platform, collection: str, year: int) -> str:
    """Returns the line that has to stand wherever a chip is shown.

    Source: Legal notice on the use of Copernicus Sentinel Data and Service Information, which asks
    for these words with the year of the data; the USDA asks to be credited.
    """
    if collection.startswith(_COPERNICUS):
        return f"Contains modified Copernicus Sentinel data {year}"
    if collection.startswith(_NAIP):
        return f"NAIP {year}: United States Department of Agriculture, public domain"
    return f"{platform.provider}, {year}"
