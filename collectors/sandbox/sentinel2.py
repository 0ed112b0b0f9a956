"""Made-up Sentinel-2 scenes: which tile is seen when, and what its metadata say."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import shapely

from collectors.sandbox.chance import hash_keys
from collectors.sandbox.cloud_score import describe_cloud_score, lacks_cloud_score
from collectors.sandbox.geometry import Geometry
from collectors.sandbox.noise import uniform
from collectors.sandbox.scenes import BANDS, DAY_MS, Scene, Sensor, TooManyScenesError
from collectors.sandbox.sentinel2_tiles import TILE_M, passes_over, tile_named, tiles_near

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.sandbox.sentinel2_tiles import Pass, Tile


def _day(text: str) -> int:
    return dt.date.fromisoformat(text).toordinal() - dt.date(1970, 1, 1).toordinal()


FIRST_DAY: Final = {
    Sensor.S2_L1C: _day("2015-06-27"),
    Sensor.CLOUD_SCORE: _day("2015-06-27"),
    Sensor.S2_L2A: _day("2017-03-28"),
}
"""First day (since 1970) of each collection, by the Earth Engine catalogue."""

LAST_DAY: Final = _day("2026-10-31")
"""Last day (since 1970) of the made-up archive."""

CLEAR_SHARE: Final = 0.28
"""Share of the scenes with less than one per cent of cloud."""

CUT_SHARE: Final = 0.03
"""Share of the overpasses whose datastrip ends within a tile, which leaves it two granules."""

TWIN_SHARE: Final = 0.04
"""Share of the early overpasses that are there twice, the second time reprocessed."""

NO_CLOUD_PROBABILITY_SHARE: Final = 0.02
"""Share of the L2A scenes without MSK_CLDPRB ("missing in some products", the catalogue)."""

_CUT_OVERLAP_M: Final = 6_000.0
_SECOND_SATELLITE: Final = _day("2017-07-06")
_GLOBAL_L2A: Final = _day("2018-12-13")
_REPROCESSING_END: Final = _day("2021-01-01")
_BASELINES: Final = (
    (_day("2015-06-01"), "02.04"),
    (_day("2017-11-01"), "02.06"),
    (_day("2019-07-08"), "02.08"),
    (_day("2020-02-04"), "02.14"),
    (_day("2021-03-30"), "03.00"),
    (_day("2022-01-25"), "04.00"),
    (_day("2022-12-06"), "05.09"),
    (_day("2024-07-23"), "05.11"),
)
_LOCAL_TIME_H: Final = 10.5
_MAX_TILES: Final = 400
_CACHE_SIZE: Final = 300_000


class Sentinel2Scenes:
    """The made-up archive of Sentinel-2 and of Cloud Score+, which shares its names.

    Args:
        seed: Which archive.
    """

    def __init__(self, seed: int) -> None:
        self._seed = hash_keys(seed, "sentinel-2")
        self._made: dict[tuple[Sensor, str, int, int], tuple[Scene, ...]] = {}

    def search(
        self, sensor: Sensor, region: Geometry | None, start_ms: float, end_ms: float
    ) -> list[Scene]:
        """Return the scenes of the tiles near a region; see `SceneSource.search`."""
        if region is None:
            message = "A search of Sentinel-2 needs a place."
            raise TooManyScenesError(message)
        found: list[Scene] = []
        for number, tile in enumerate(tiles_near(region)):
            if number >= _MAX_TILES:
                message = "The region holds too many tiles."
                raise TooManyScenesError(message)
            for swath in passes_over(tile, self._seed):
                if not region_touches(region, swath):
                    continue
                for scene in self._scenes(sensor, tile, swath, start_ms, end_ms):
                    if start_ms <= scene.time_ms < end_ms:
                        found.append(scene)  # noqa: PERF401 - three loops read better in the open
        return found

    def find(self, sensor: Sensor, index: str) -> Scene | None:
        """Return the scene of a name such as 20190803T184921_20190803T185840_T10SEG."""
        try:
            sensed, _, tile_part = index.split("_")
            day = _day(f"{sensed[:4]}-{sensed[4:6]}-{sensed[6:8]}")
        except ValueError:
            return None
        tile = tile_named(tile_part.removeprefix("T"))
        if tile is None:
            return None
        for swath in passes_over(tile, self._seed):
            window = ((day - 2) * DAY_MS, (day + 3) * DAY_MS)
            for scene in self._scenes(sensor, tile, swath, *window):
                if scene.index == index:
                    return scene
        return None

    def _scenes(
        self, sensor: Sensor, tile: Tile, swath: Pass, start_ms: float, end_ms: float
    ) -> Iterator[Scene]:
        first = FIRST_DAY[sensor]
        last = LAST_DAY
        if start_ms > first * DAY_MS:
            first = math.floor(start_ms / DAY_MS) - 1
        if end_ms < last * DAY_MS:
            last = math.floor(end_ms / DAY_MS) + 1
        for day in range(first + (swath.phase - first) % 5, last + 1, 5):
            key = (sensor, tile.name, swath.number, day)
            scenes = self._made.get(key)
            if scenes is None:
                if len(self._made) >= _CACHE_SIZE:
                    self._made.clear()
                scenes = self._made[key] = tuple(self._make(sensor, tile, swath, day))
            yield from scenes

    def _make(self, sensor: Sensor, tile: Tile, swath: Pass, day: int) -> Iterator[Scene]:
        datatake = hash_keys(self._seed, tile.zone, tile.column, tile.row, swath.number, day)
        turn = (day - swath.phase) // 5
        if (day < _SECOND_SATELLITE and turn % 2) or uniform(datatake, 1) < 0.03:
            return
        if sensor is Sensor.S2_L2A and day < _GLOBAL_L2A and not self._early_l2a(tile, datatake):
            return
        if sensor is Sensor.CLOUD_SCORE and lacks_cloud_score(datatake):
            return
        twins = day < _REPROCESSING_END and uniform(datatake, 2) < TWIN_SHARE
        strips = cut_datastrip(tile, swath, datatake)
        for product in range(2 if twins else 1):
            for strip, part in enumerate(strips):
                yield _make_scene(sensor, tile, part, day, datatake, product, strip)

    @staticmethod
    def _early_l2a(tile: Tile, datatake: int) -> bool:
        in_europe = -30.0 < tile.lon < 45.0 and 34.0 < tile.lat < 72.0
        return in_europe or uniform(datatake, 3) < 0.4


def cut_datastrip(tile: Tile, swath: Pass, datatake: int) -> tuple[Pass, ...]:
    """Return what each granule of an overpass sees of a tile.

    Mostly this is one granule; where the datastrip is cut within the tile there are two, a
    northern and a southern one, which share some kilometres.
    """
    if uniform(datatake, 13) >= CUT_SHARE:
        return (swath,)
    south = tile.north - TILE_M
    line = south + TILE_M * (0.2 + 0.6 * uniform(datatake, 14))
    found: list[Pass] = []
    for low, high in ((line, tile.north), (south, line + _CUT_OVERLAP_M)):
        part = swath.footprint.shape.intersection(
            shapely.box(tile.west, low, tile.west + TILE_M, high)
        )
        if part.is_empty or part.geom_type != "Polygon":
            return (swath,)
        footprint = Geometry(part, tile.crs)
        found.append(replace(swath, footprint=footprint, share=part.area / TILE_M**2))
    return tuple(found)


def region_touches(region: Geometry, swath: Pass) -> bool:
    """Return whether a region meets the part of a tile that an orbit sees."""
    shape = region.shape_in(swath.footprint.crs)
    return bool(shapely.intersects(shape, swath.footprint.shape))


def draw_cloud(datatake: int, share: float) -> float:
    """Return a scene's cloud cover in per cent."""
    if share < 0.1 and uniform(datatake, 4) < 0.6:
        return 0.0
    draw = uniform(datatake, 5)
    if draw < CLEAR_SHARE:
        return round(0.999 * math.pow(draw / CLEAR_SHARE, 2.0), 6)
    return round(1.0 + 99.0 * math.pow((draw - CLEAR_SHARE) / (1.0 - CLEAR_SHARE), 1.2), 6)


def _make_scene(
    sensor: Sensor,
    tile: Tile,
    swath: Pass,
    day: int,
    datatake: int,
    product: int,
    strip: int,
) -> Scene:
    local_ms = (_LOCAL_TIME_H - tile.lon / 15.0) * 3_600_000
    time_ms = int(day * DAY_MS + local_ms + 600_000 * (uniform(datatake, 6) - 0.5))
    made_ms = time_ms + int(3_600_000 * (2 + 6 * uniform(datatake, 7)))
    baseline = max(entry for entry in _BASELINES if entry[0] <= day)[1]
    stamp_ms = time_ms + int(1_000 * (60 + 1_100 * uniform(datatake, 8)))
    if product:
        made_ms += int(DAY_MS * (700 + 600 * uniform(datatake, 9)))
        stamp_ms += 1_000 * (60 + int(240 * uniform(datatake, 10)))
        baseline = "05.00"
    # Granules of one overpass share the first stamp of their names, that of the datatake.
    sensed = _stamp(time_ms - 1_000 * int(20 * uniform(datatake, 11)))
    time_ms += 9_000 * strip
    stamp_ms += 17_000 * strip
    index = f"{sensed}_{_stamp(stamp_ms)}_T{tile.name}"
    cloud = draw_cloud(datatake, swath.share)
    letter = "AB"[(day - swath.phase) // 5 % 2]
    properties: dict[str, object] = {
        "system:index": index,
        "system:time_start": time_ms,
        "system:time_end": time_ms,
        "system:footprint": swath.footprint,
        "system:asset_size": int(1.1e9 * swath.share),
        "MGRS_TILE": tile.name,
    }
    if sensor is Sensor.CLOUD_SCORE:
        properties = describe_cloud_score(properties, f"{Sensor.S2_L1C}/{index}")
    else:
        level = "MSIL2A" if sensor is Sensor.S2_L2A else "MSIL1C"
        orbit = f"R{swath.orbit:03d}"
        number = baseline.replace(".", "")
        properties |= {
            "CLOUDY_PIXEL_PERCENTAGE": cloud,
            "CLOUD_COVERAGE_ASSESSMENT": cloud,
            "PROCESSING_BASELINE": baseline,
            "GENERATION_TIME": made_ms,
            "SPACECRAFT_NAME": f"Sentinel-2{letter}",
            "SENSING_ORBIT_NUMBER": swath.orbit,
            "SENSING_ORBIT_DIRECTION": "DESCENDING",
            "DATATAKE_IDENTIFIER": f"GS2{letter}_{sensed}_{swath.orbit:06d}_N{baseline}",
            "PRODUCT_ID": (
                f"S2{letter}_{level}_{sensed}_N{number}_{orbit}_T{tile.name}_{_stamp(made_ms)}"
            ),
        }
    if sensor is Sensor.S2_L2A:
        properties["NODATA_PIXEL_PERCENTAGE"] = round(100.0 * (1.0 - swath.share), 6)
    bands = BANDS[sensor]
    if sensor is Sensor.S2_L2A and uniform(datatake, 15) < NO_CLOUD_PROBABILITY_SHARE:
        bands = tuple(band for band in bands if band.name != "MSK_CLDPRB")
    pixels = round(TILE_M / 10.0)
    return Scene(
        sensor=sensor,
        index=index,
        time_ms=time_ms,
        crs=tile.crs,
        west=tile.west,
        north=tile.north,
        gsd=10.0,
        columns=pixels,
        rows=pixels,
        footprint=swath.footprint,
        bands=bands,
        properties=properties,
        cloud_percent=cloud,
        seed=datatake,
    )


def _stamp(time_ms: int) -> str:
    moment = dt.datetime.fromtimestamp(time_ms / 1_000, tz=dt.UTC)
    return moment.strftime("%Y%m%dT%H%M%S")
