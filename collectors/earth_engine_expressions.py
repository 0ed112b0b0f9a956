"""The question to Earth Engine that finds scenes for many chips at once, and its answer, parsed.

One list of constants per sensor goes in, one row of it per chip:

    [number of the chip, west, south, east, north (metres), "EPSG:32610", "10",
     target day (days since 1970), start, end (milliseconds since 1970, UTC)]

and rows of this shape come out, at most `candidates` and two for each chip:

    {"chip": 0, "index": "20200803T184921_20200803T185918_T10SEG", "time": 1596481800000,
     "bands": "B1,B2,…,SCL", "crs": "EPSG:32610", "scale": 10, "transform": "PARAM_MT[…]",
     "cloud": 0.3, "processing": "02.14", "generated": 1596500000000}

The last three are there for sensors that have the property. Of a sensor of several collections
there are as many rows of each, and `collection` is its number. Candidate rows are asked for, not
`first()`: that is null for a chip without a scene, and one null fails the whole batch.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import ee

from collectors.chips import Scene
from collectors.sensors import SceneRule

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from collectors.chips import Chip
    from collectors.sensors import Sensor
    from collectors.series_records import Stack

_DAY_MS: Final = 86_400_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
SPARE_ROWS: Final = 2
"""Rows asked for beyond the sensor's candidates. The same acquisition often stands in a collection
with two or three processing baselines, of which the server may cut off the newer one; and tiles of
the other hemisphere take places near the equator."""

_FOOTPRINT_ERROR_M: Final = 1
"""How exactly Earth Engine compares footprint and chip."""

_PARAMETER: Final = re.compile(r'"elt_([01])_([012])"\s*,\s*([-+0-9.eE]+)')


def constants(number: int, chip: Chip, sensor: Sensor) -> list[Any]:
    """Returns a chip's row of the list of constants."""
    target = (chip.target_date - date(1970, 1, 1)).days
    first, after = target - sensor.window_days, target + sensor.window_days + 1
    zone = chip.grid.crs[-2:]  # EPSG codes of UTM zones end with the zone's number
    return [
        number, *chip.grid.bounds, chip.grid.crs, zone, target, first * _DAY_MS, after * _DAY_MS,
    ]  # fmt: skip


def candidate_rows(chips: Sequence[Chip], sensors: Mapping[str, Sensor]) -> ee.FeatureCollection:
    """Returns the expression that finds the candidate scenes of chips of any sensors.

    For each chip: scenes of its sensor's collection whose footprint contains the whole chip, that
    were acquired within the window of whole UTC days, under the scene's cloud limit and in the
    chip's own UTM zone where the sensor's scenes say so; the nearest in whole days first (or the
    latest, by the sensor's rule), then those with less cloud.

    Args:
        chips: At least one chip.
        sensors: Sensor by name, for all sensors of the chips.
    """
    rows: dict[str, list[list[Any]]] = {}
    for number, chip in enumerate(chips):
        rows.setdefault(chip.sensor, []).append(constants(number, chip, sensors[chip.sensor]))
    parts = [
        _rows_of_collection(rows[name], sensors[name], number)
        for name in sorted(rows)
        for number in range(len(sensors[name].collections))
    ]
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.merge(part)
    return whole


def qualifying(
    scenes: ee.ImageCollection, footprint: ee.Geometry, zone: ee.ComputedObject, of: Sensor | Stack
) -> ee.ImageCollection:
    """Returns the scenes that pass a source's limits and hold a footprint.

    Args:
        scenes: Those near the footprint, in the window.
        footprint: What has to lie inside a scene.
        zone: The two digits of the footprint's UTM zone.
        of: Says of which cloud and zone the scenes may be.
    """
    if of.cloud_property is not None and of.scene_cloud_limit_pct is not None:
        scenes = scenes.filter(ee.Filter.lt(of.cloud_property, of.scene_cloud_limit_pct))
    if of.zone_property is not None:
        scenes = scenes.filter(ee.Filter.stringStartsWith(of.zone_property, zone))
    # Last, because comparing outlines is the dear part.
    return scenes.filter(
        ee.Filter.contains(".geo", footprint, None, None, ee.ErrorMargin(_FOOTPRINT_ERROR_M))
    )


def _rows_of_collection(rows: list[list[Any]], sensor: Sensor, number: int) -> ee.FeatureCollection:
    """Returns the part of the expression that is about one collection of a sensor."""
    return ee.FeatureCollection(
        ee.List(rows).map(lambda row: _rows_of_chip(ee.List(row), sensor, number))
    ).flatten()


def _rows_of_chip(row: ee.List, sensor: Sensor, number: int) -> ee.FeatureCollection:
    """Returns the candidate rows of one chip, given its row of constants."""
    projection = ee.Projection(ee.String(row.get(5)))
    chip = ee.Geometry.Rectangle([row.get(i) for i in range(1, 5)], projection, False)
    scenes = (
        ee.ImageCollection(sensor.collections[number])
        .filterBounds(chip)
        .filterDate(ee.Date(row.get(8)), ee.Date(row.get(9)))
    )
    scenes = qualifying(scenes, chip, row.get(6), sensor)

    def with_rank(scene: ee.Image) -> ee.Image:
        day = ee.Number(scene.get("system:time_start")).divide(_DAY_MS).floor()
        if sensor.scene_rule is SceneRule.LATEST:
            distance = ee.Number(row.get(7)).add(sensor.window_days).subtract(day)
        else:
            distance = day.subtract(row.get(7)).abs()
        if sensor.cloud_property is not None:
            # At most 0.1, so that cloud decides only between scenes equally many days away.
            distance = distance.add(ee.Number(scene.get(sensor.cloud_property)).divide(1000))
        ranked = scene.set("rank", distance)
        return ranked.set("crs", grid_of(scene).crs()) if sensor.zone_from_grid else ranked

    def grid_of(scene: ee.Image) -> ee.Projection:
        return scene.select([sensor.grid_band or sensor.bands[0]]).projection()

    def as_row(scene: ee.Image) -> ee.Feature:
        optional = {
            "cloud": sensor.cloud_property,
            "processing": sensor.processing_property,
            "generated": sensor.generated_property,
        }
        properties = scene_properties(row, scene, grid_of(scene), optional)
        if len(sensor.collections) > 1:
            properties["collection"] = number
        return ee.Feature(None, properties)

    ranked = scenes.map(with_rank)
    if sensor.zone_from_grid:
        ranked = ranked.filter(ee.Filter.eq("crs", row.get(5)))
    nearest = ranked.sort("rank").limit(sensor.candidates + SPARE_ROWS)
    return ee.FeatureCollection(nearest.map(as_row))


def scene_properties(
    row: ee.List, scene: ee.Image, grid: ee.Projection, optional: Mapping[str, str | None]
) -> dict[str, Any]:
    """Returns what a row of the answer says of a scene, as `parse_row` reads it.

    Args:
        row: The constants of what was asked for; the first is its number.
        scene: The scene.
        grid: Its own pixel grid.
        optional: Name in the row → the scene's property; None where its collection has none.
    """
    properties = {
        "chip": row.get(0),
        "index": scene.get("system:index"),
        "time": scene.get("system:time_start"),
        "bands": scene.bandNames().join(","),
        "crs": grid.crs(),
        "scale": grid.nominalScale(),
        "transform": grid.transform(),
    }
    held = {name: scene.get(source) for name, source in optional.items() if source is not None}
    return properties | held


def parse_row(row: Mapping[str, Any], collection: str) -> Scene:
    """Reads one row of the answer.

    A negative share of cloud is one that was not calculated (Landsat's CLOUD_COVER, Earth Engine's
    catalogue).

    Args:
        row: The properties of a feature, as shown at the top of this module.
        collection: Earth Engine's id of the collection that it came from.

    Raises:
        KeyError: If a property is missing that every scene has.
        ValueError: If one cannot be read.
    """
    cloud, generated = row.get("cloud"), row.get("generated")
    if cloud is not None and float(cloud) < 0:
        cloud = None
    return Scene(
        scene_id=f"{collection}/{row['index']}",
        acquired_at=_time(row["time"]),
        cloud_scene_pct=None if cloud is None else float(cloud),
        processing=str(row.get("processing") or ""),
        generated_at=None if generated is None else _time(generated),
        crs=str(row["crs"]),
        transform=parse_transform(str(row["transform"])),
        bands=tuple(str(row["bands"]).split(",")),
        gsd_m=float(row["scale"]),
    )


def parse_transform(text: str) -> tuple[float, float, float, float, float, float]:
    """Reads the well-known text of an affine transform.

    Earth Engine writes `PARAM_MT["Affine", PARAMETER["num_row", 3], PARAMETER["num_col", 3],
    PARAMETER["elt_0_0", 0.6], PARAMETER["elt_0_2", 570000], …]` and leaves out the elements that
    are those of the identity. Source of the form: OGC 01-009, Coordinate Transformation Services,
    section 7.

    Returns:
        (a, b, c, d, e, f) in rasterio's order.

    Raises:
        ValueError: If it is not such a text.
    """
    if not text.lstrip().startswith("PARAM_MT["):
        raise ValueError(f"{text[:80]!r} is not the text of an affine transform")
    elements = {(0, 0): 1.0, (1, 1): 1.0}
    for row, column, value in _PARAMETER.findall(text):
        elements[int(row), int(column)] = float(value)
    a, b, c, d, e, f = (elements.get((i, j), 0.0) for i in (0, 1) for j in (0, 1, 2))
    return (a, b, c, d, e, f)


def _time(milliseconds: float) -> datetime:
    """Returns an aware UTC time from milliseconds since 1970."""
    return _EPOCH + timedelta(milliseconds=round(float(milliseconds)))
