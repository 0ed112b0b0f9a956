"""Scenes read from Parquet in place of the made-up ones.

A table of Sentinel-2 products has the columns id, collection, datetime, cloud_cover, nodata_pct,
mgrs_tile, platform, baseline, generation_time, epsg, wkt; one of NAIP items has id, datetime, gsd,
epsg, wkt. Footprints (`wkt`) are in degrees; they may be cut in two at the antimeridian.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow.parquet as pq
import shapely

from collectors.sandbox.chance import hash_keys
from collectors.sandbox.cloud_score import describe_cloud_score, lacks_cloud_score
from collectors.sandbox.geometry import LONLAT, Geometry, utm_epsg
from collectors.sandbox.naip import aerial_scene
from collectors.sandbox.scenes import BANDS, Scene, Sensor
from collectors.sandbox.sentinel2_tiles import TILE_M, square_named, tile_corner

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shapely.geometry.base import BaseGeometry

_SENTINEL2_COLLECTIONS: Final = {
    "sentinel-2-l2a": Sensor.S2_L2A,
    "sentinel-2-c1-l2a": Sensor.S2_L2A,
    "sentinel-2-l1c": Sensor.S2_L1C,
}
_LEVEL: Final = re.compile(r"L1C|L2A")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]")
_SEAM_M: Final = 0.01
_MAX_EDGE_DEGREES: Final = 0.02


class SceneTableError(ValueError):
    """A table that does not hold what it should; the text says what and where."""


class TableScenes:
    """Scenes of one or more tables. Make it with `read`."""

    def __init__(self, scenes: list[Scene]) -> None:
        self._by_sensor: dict[Sensor, list[Scene]] = {sensor: [] for sensor in Sensor}
        for scene in scenes:
            self._by_sensor[scene.sensor].append(scene)
        self._by_name = {(scene.sensor, scene.index): scene for scene in scenes}
        self._bounds = {
            sensor: np.array([scene.footprint.lonlat_bounds() for scene in found]).reshape(-1, 4)
            for sensor, found in self._by_sensor.items()
        }

    @classmethod
    def read(cls, path: Path) -> TableScenes:
        """Read a Parquet file, or every Parquet file of a folder.

        Raises:
            SceneTableError: There is no table, or a row cannot be understood.
        """
        files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
        if not files or not all(file.is_file() for file in files):
            message = f"No Parquet file of scenes at {path}."
            raise SceneTableError(message)
        names: dict[tuple[Sensor, str], int] = {}
        scenes: list[Scene] = []
        for file in files:
            for number, row in enumerate(pq.read_table(file).to_pylist()):
                try:
                    scene = _sentinel2(row) if "mgrs_tile" in row else _naip(row)
                except (KeyError, TypeError, ValueError) as error:
                    message = f"{file.name}, row {number} ({row.get('id')!r}): {error!r}"
                    raise SceneTableError(message) from error
                key = (scene.sensor, scene.index)
                names[key] = names.get(key, 0) + 1
                if names[key] > 1:
                    scene = _renamed(scene, f"{scene.index}_{names[key]}")
                scenes.append(scene)
        satellite = [scene for scene in scenes if scene.sensor is not Sensor.NAIP]
        return cls(scenes + list(cloud_scores(satellite)))

    def search(
        self, sensor: Sensor, region: Geometry | None, start_ms: float, end_ms: float
    ) -> list[Scene]:
        """Return the scenes whose boxes of degrees touch that of a region, in a window."""
        scenes = self._by_sensor[sensor]
        bounds = self._bounds[sensor]
        if region is None:
            near = np.ones(len(scenes), dtype=np.bool_)
        else:
            west, south, east, north = region.lonlat_bounds()
            near = (bounds[:, 1] <= north) & (bounds[:, 3] >= south)
            across = np.zeros(len(scenes), dtype=np.bool_)
            for turn in (-360.0, 0.0, 360.0):
                across |= (bounds[:, 0] + turn <= east) & (bounds[:, 2] + turn >= west)
            near &= across
        return [
            scenes[place]
            for place in np.flatnonzero(near).tolist()
            if start_ms <= scenes[place].time_ms < end_ms
        ]

    def find(self, sensor: Sensor, index: str) -> Scene | None:
        """Return the scene of that name, or None."""
        return self._by_name.get((sensor, index))


def cloud_scores(scenes: list[Scene]) -> Iterator[Scene]:
    """Yield the Cloud Score+ image of each scene, but for those that were not processed."""
    seen: set[str] = set()
    for scene in scenes:
        if scene.index not in seen and not lacks_cloud_score(scene.seed):
            seen.add(scene.index)
            yield replace(
                scene,
                sensor=Sensor.CLOUD_SCORE,
                bands=BANDS[Sensor.CLOUD_SCORE],
                properties=describe_cloud_score(scene.properties, f"{scene.sensor}/{scene.index}"),
            )


def _sentinel2(row: dict[str, Any]) -> Scene:
    collection = row["collection"]
    if collection is None:
        # A product without its collection bears its level in the name.
        level = _LEVEL.search(row["id"])
        collection = f"sentinel-2-{level.group().lower()}" if level else None
    sensor = _SENTINEL2_COLLECTIONS[collection]
    tile = row["mgrs_tile"].removeprefix("T")
    square = square_named(tile)
    if square is None:
        message = f"no MGRS square {tile!r}"
        raise ValueError(message)
    zone, column, square_row, northern = square
    crs = _crs(row["epsg"]) or f"EPSG:{utm_epsg(zone, north=northern)}"
    west, north = tile_corner(column, square_row)
    frame = shapely.box(west, north - TILE_M, west + TILE_M, north)
    seen = _footprint(row["wkt"], crs).intersection(frame)
    footprint = Geometry(seen, crs, geodesic=False)
    index, time_ms = _safe(row["id"]), _milliseconds(row["datetime"])
    cloud = float(row["cloud_cover"])
    properties: dict[str, object] = {
        "system:index": index,
        "system:time_start": time_ms,
        "system:time_end": time_ms,
        "system:footprint": footprint,
        "MGRS_TILE": tile,
        "CLOUDY_PIXEL_PERCENTAGE": cloud,
        "CLOUD_COVERAGE_ASSESSMENT": cloud,
        "SPACECRAFT_NAME": str(row["platform"]).capitalize()[:-1]
        + str(row["platform"])[-1:].upper(),
        "PROCESSING_BASELINE": row["baseline"],
        "NODATA_PIXEL_PERCENTAGE": row["nodata_pct"],
        "GENERATION_TIME": _generation_ms(row["generation_time"]),
    }
    return Scene(
        sensor=sensor,
        index=index,
        time_ms=time_ms,
        crs=crs,
        west=west,
        north=north,
        gsd=10.0,
        columns=round(TILE_M / 10.0),
        rows=round(TILE_M / 10.0),
        footprint=footprint,
        bands=BANDS[sensor],
        properties={key: value for key, value in properties.items() if value is not None},
        cloud_percent=cloud,
        seed=hash_keys(tile, time_ms),
    )


def _naip(row: dict[str, Any]) -> Scene:
    # Some tables state 0.6 m with a rounding error of arithmetic, such as 0.5999999999999951.
    gsd = round(float(row["gsd"]), 6)
    crs = f"EPSG:{int(row['epsg'])}"
    # The table's outline decides what the scene holds; the raster is the nearest on whole pixels.
    seen = _footprint(row["wkt"], crs)
    x_min, y_min, x_max, y_max = seen.bounds
    west, south = round(x_min / gsd) * gsd, round(y_min / gsd) * gsd
    columns, rows = round((x_max - west) / gsd), round((y_max - south) / gsd)
    if row.get("proj_shape"):
        rows, columns = json.loads(row["proj_shape"])
    north = south + rows * gsd
    prefix = re.search(r"(?:^|_)([mnc])_\d{7}_", row["id"])
    return aerial_scene(
        _safe(row["id"]), _milliseconds(row["datetime"]), Geometry(seen, crs, geodesic=False),
        prefix.group(1) if prefix else "m",
        corner=(west, north), gsd=gsd, shape=(rows, columns), seed=hash_keys(str(row["id"])),
    )  # fmt: skip


def _footprint(wkt: str, crs: str) -> BaseGeometry:
    """Return a footprint in metres; the parts that the antimeridian separates are joined."""
    parts = shapely.get_parts(shapely.from_wkt(wkt))
    moved = [
        Geometry(shapely.segmentize(part, _MAX_EDGE_DEGREES), LONLAT).shape_in(crs)
        for part in parts
    ]
    if len(moved) == 1:
        return moved[0]
    # The two sides of the seam agree to less than a centimetre, not to the last bit.
    joined = shapely.union_all([part.buffer(_SEAM_M, join_style="mitre") for part in moved])
    return joined.buffer(-_SEAM_M, join_style="mitre")


def _crs(epsg: object) -> str | None:
    if epsg is None:
        return None
    return f"EPSG:{int(str(epsg).removeprefix('EPSG:'))}"


def _safe(name: str) -> str:
    return _UNSAFE.sub("_", name)


def _renamed(scene: Scene, index: str) -> Scene:
    return replace(scene, index=index, properties={**scene.properties, "system:index": index})


def _milliseconds(moment: dt.datetime) -> int:
    return math.floor(moment.timestamp() * 1000.0)


def _generation_ms(text: str | None) -> int | None:
    return None if text is None else _milliseconds(dt.datetime.fromisoformat(text))
