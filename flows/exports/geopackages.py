"""GeoPackages of photos as points and chips as outlines, for any GIS."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import shapely

from flows.description.attributions import plain_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flows.exports.forms import LoadedSample
    from flows.samples.samples import SamplePhoto

_DATE: Final = "1970-01-01T00:00:00Z"
"""What GDAL writes for the date of the last change, which would be the wall clock's."""

_GEOMETRY: Final = "geom"
_OF_PHOTO: Final = (
    "photo_id", "title", "attribution", "licence", "page_url", "taken_at", "taken_at_utc",
)  # fmt: skip
_OF_PAIR: Final = ("row", "col", "delta_days", "distance_m", "uncertainty_px", "split")
_OF_CHIP: Final = (
    "chip_id", "sensor", "cell", "time_bin", "scene_id", "acquired_at", "target_date", "delta_days",
    "cloud_chip_pct", "valid_pct", "crs", "scale_m",
)  # fmt: skip

_TYPES: Final = {
    "taken_at": pa.timestamp("ms"), "taken_at_utc": pa.timestamp("ms", tz="UTC"),
    "acquired_at": pa.timestamp("ms", tz="UTC"), "target_date": pa.date32(),
    "delta_days": pa.int32(), "photos": pa.int32(), _GEOMETRY: pa.binary(),
    **dict.fromkeys(
        ("row", "col", "distance_m", "uncertainty_px", "cloud_chip_pct", "valid_pct", "scale_m"),
        pa.float64(),
    ),
}  # fmt: skip
"""Types of the columns that are not text."""

_KINDS: Final = {"photos": "Point", "chips": "MultiPolygon"}


def place_rows(
    samples: Sequence[LoadedSample],
    chip_path: Callable[[LoadedSample], str],
    photo_path: Callable[[LoadedSample, SamplePhoto], str],
) -> dict[str, pa.Table]:
    """Returns the rows of the layers: a point for each pair, an outline for each chip.

    Args:
        samples: The samples.
        chip_path: Where a chip is written.
        photo_path: Where a photo is written.
    """
    photos, chips = [], []
    for one in samples:
        chip = one.sample.chip
        shape = chip.shape
        outline = shapely.MultiPolygon([shape]) if isinstance(shape, shapely.Polygon) else shape
        chips.append(
            _named(chip, _OF_CHIP)
            | {
                "photos": len(one.photos),
                "path": chip_path(one),
                _GEOMETRY: shapely.to_wkb(outline),
            }
        )
        photos += [
            _named(taken.photo, _OF_PHOTO) | _named(taken.pair, _OF_PAIR)
            | {"sensor": chip.sensor, "chip_id": chip.chip_id, "path": photo_path(one, taken),
               "chip_path": chip_path(one), _GEOMETRY: shapely.to_wkb(taken.photo.shape)}
            for taken in one.sample.photos
        ]  # fmt: skip
    return {"photos": _table(photos), "chips": _table(chips)}


def geopackage(layers: Mapping[str, Sequence[pa.Table]]) -> bytes:
    """Returns a GeoPackage; the same rows give the same bytes.

    Args:
        layers: For each layer, tables that `place_rows` made.
    """
    import pyogrio

    kept = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": _DATE})
    try:
        with tempfile.TemporaryDirectory(prefix="terrapair-") as folder:
            path = Path(folder) / "places.gpkg"
            for number, (name, tables) in enumerate(layers.items()):
                pyogrio.write_arrow(
                    pa.concat_tables(tables), path, layer=name, driver="GPKG",
                    geometry_name=_GEOMETRY, geometry_type=_KINDS[name], crs="EPSG:4326",
                    append=number > 0,
                )  # fmt: skip
            return path.read_bytes()
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": kept})


def _named(row: Any, names: Sequence[str]) -> dict[str, Any]:
    """Returns columns of a row; an owner's words as a line that is shown and does nothing."""
    values = {name: getattr(row, name) for name in names}
    return {name: plain_line(value) if isinstance(value, str) else value
            for name, value in values.items()}  # fmt: skip


def _table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    return pa.table({
        name: pa.array([row[name] for row in rows], _TYPES.get(name, pa.string()))
        for name in rows[0]
    })  # fmt: skip
