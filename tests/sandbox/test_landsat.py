"""The made-up scenes of Landsat 8 and 9: the real grid and days, and the ground of the world."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from collectors.sandbox.geometry import Geometry, reproject
from collectors.sandbox.landcover import Landcover
from collectors.sandbox.landsat import overpass_ms, place_at
from collectors.sandbox.pixels import PixelGrid, SceneReader
from collectors.sandbox.scenes import DAY_MS, Scene, SceneWorld, Sensor

WORLD = SceneWorld(0, Landcover(0))
BOTH = (Sensor.LANDSAT_8, Sensor.LANDSAT_9)
MSI = {"SR_B2": "B2", "SR_B3": "B3", "SR_B4": "B4", "SR_B5": "B8A", "SR_B6": "B11", "SR_B7": "B12"}


def day(text: str) -> int:
    """Days since 1970."""
    return (dt.date.fromisoformat(text) - dt.date(1970, 1, 1)).days


def read(scene: Scene, names: list[str], x: float, y: float, size: int) -> list[np.ndarray]:
    """Returns bands of a scene at pixels of 30 m."""
    grid = PixelGrid(scene.crs, (30.0, 0.0, x, 0.0, -30.0, y), size, size)
    reader = SceneReader(scene, grid, WORLD.landcover)
    found = []
    for name in names:
        values, valid = reader.read(next(one for one in scene.bands if one.name == name))
        assert valid.all()
        found.append(values.astype(np.float64))
    return found


@pytest.mark.parametrize(
    "index",
    [
        "LC08_044034_20210508", "LC08_038031_20130828", "LC08_173083_20180217",
        "LC09_173083_20220308", "LC08_139045_20170304", "LC08_199026_20130601",
        "LC08_072086_20201203", "LC08_202034_20240722", "LC08_017036_20130419",
    ],
)  # fmt: skip
def test_days_are_those_of_real_scenes(index: str) -> None:
    """Scenes of these names are in the real archive."""
    prefix, spot, date = index.split("_")
    passed = overpass_ms(BOTH[prefix == "LC09"], int(spot[:3]), int(spot[3:])) // DAY_MS
    assert (day(f"{date[:4]}-{date[4:6]}-{date[6:]}") - passed) % 16 == 0


@pytest.mark.parametrize(
    ("path", "row", "crs", "bounds"),
    [
        (35, 33, "EPSG:32613", (142_800, 4_189_200, 378_900, 4_429_200)),
        (72, 86, "EPSG:32660", (367_200, -4_265_100, 600_900, -4_030_500)),
    ],
)
def test_rasters_are_about_where_the_real_ones_are(
    path: int, row: int, crs: str, bounds: tuple[int, int, int, int]
) -> None:
    """Bounds as published with LC08_L2SP_035033_20200725 and LC08_L2SP_072086_20201203.

    The centres of pixels are on multiples of 30 m, and zones are northern in the south.
    """
    place = place_at(path, row)
    assert place is not None
    assert place.crs == crs
    assert ((place.west + 15) % 30, (place.north - 15) % 30) == (0, 0)
    east, south = place.west + 30 * place.columns, place.north - 30 * place.rows
    middle = ((place.west + east) / 2, (south + place.north) / 2)
    assert middle == pytest.approx(
        ((bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2), abs=12_000
    )
    assert (east - place.west, place.north - south) == pytest.approx(
        (bounds[2] - bounds[0], bounds[3] - bounds[1]), rel=0.1
    )


@given(st.floats(-180, 179.999), st.floats(-55, 78), st.sampled_from(BOTH))
def test_every_place_is_seen_every_sixteen_days(lon: float, lat: float, sensor: Sensor) -> None:
    """Some path sees it; its scenes are found again by name, 16 days apart or a multiple."""
    start = day("2023-01-01") * DAY_MS
    point = Geometry(shapely.Point(lon, lat))
    scenes = WORLD.search(sensor, point, start, start + 160 * DAY_MS)
    assert scenes
    first = scenes[0]
    assert WORLD.find(first.asset_id) == first
    same = [one for one in scenes if one.index[:11] == first.index[:11]]
    assert {(one.time_ms - same[0].time_ms) % (16 * DAY_MS) for one in same} == {0}
    assert len({one.time_ms // DAY_MS for one in same}) == len(same)
    assert all(start <= one.time_ms < start + 160 * DAY_MS for one in scenes)


def test_landsat_and_sentinel2_see_the_same_ground() -> None:
    """On neighbouring days without cloud reflectances agree, and follow each other closely."""
    box = Geometry(shapely.box(-121.95, 37.55, -121.85, 37.65))
    start = day("2022-06-01") * DAY_MS
    landsat = min(
        (one for sensor in BOTH for one in WORLD.search(sensor, box, start, start + 60 * DAY_MS)
         if shapely.contains(one.footprint.shape, box.shape_in(one.crs))),
        key=lambda one: one.cloud_percent,
    )  # fmt: skip
    sentinel = min(
        (one for one in WORLD.search(Sensor.S2_L2A, box, start, start + 60 * DAY_MS)
         if one.crs == landsat.crs
         and shapely.contains(one.footprint.shape, box.shape_in(one.crs))),
        key=lambda one: one.cloud_percent,
    )  # fmt: skip
    assert max(landsat.cloud_percent, sentinel.cloud_percent) < 1
    x, y = (float(one[0]) for one in reproject(
        np.array([-121.95]), np.array([37.65]), "EPSG:4326", landsat.crs))  # fmt: skip
    x, y = x // 30 * 30 + 15, y // 30 * 30 + 15
    bits, *numbers = read(landsat, ["QA_PIXEL", *MSI], x, y, 240)
    classes, *others = read(sentinel, ["SCL", *MSI.values()], x, y, 240)
    clear = np.isin(bits, (21824, 21952)) & np.isin(classes, (4, 5, 6))
    assert clear.mean() > 0.9
    for number, other in zip(numbers, others, strict=True):
        ours, theirs = number[clear] * 0.0000275 - 0.2, other[clear] * 0.0001
        assert abs(ours.mean() - theirs.mean()) < 0.02
        assert np.corrcoef(ours, theirs)[0, 1] > 0.9
    water = bits[clear] == 21952
    assert (water == (classes[clear] == 6)).mean() > 0.97


def test_the_bits_say_as_much_cloud_as_the_scene() -> None:
    """Over the whole scene; the rim comes on top, and shadows lie beside their clouds."""
    box = Geometry(shapely.box(-121.95, 37.55, -121.85, 37.65))
    start = day("2022-01-01") * DAY_MS
    scenes = WORLD.search(Sensor.LANDSAT_8, box, start, start + 365 * DAY_MS)
    scene = min(scenes, key=lambda one: abs(one.cloud_percent - 30))
    step = 40
    size = min(scene.rows, scene.columns) // step
    grid = PixelGrid(
        scene.crs, (30.0 * step, 0, scene.west, 0, -30.0 * step, scene.north), size, size
    )
    reader = SceneReader(scene, grid, WORLD.landcover)
    bits, valid = reader.read(next(one for one in scene.bands if one.name == "QA_PIXEL"))
    assert (bits[~valid] == 0).all()
    seen = bits[valid].astype(np.int64)
    cloud = 100 * ((seen & 0b1100) != 0).mean()
    assert abs(cloud - scene.cloud_percent) < 3
    assert 0 < ((seen & 0b10) != 0).mean() < 0.2
    assert 0 < ((seen & 0b10000) != 0).mean() < 0.3


def test_what_the_archive_lacks() -> None:
    """Some overpasses, some cloud figures (-1), and temperature of what is L2SR."""
    box = Geometry(shapely.box(-123, 36, -119, 39))
    start = day("2016-01-01") * DAY_MS
    scenes = WORLD.search(Sensor.LANDSAT_8, box, start, start + 3 * 365 * DAY_MS)
    unknown = [one for one in scenes if one.properties["CLOUD_COVER"] == -1.0]
    assert 0 < len(unknown) < 0.03 * len(scenes)
    cold = next(one for one in scenes if one.properties["PROCESSING_LEVEL"] == "L2SR")
    grid = PixelGrid(cold.crs, (30.0, 0, cold.west + 90_000, 0, -30.0, cold.north - 90_000), 8, 8)
    reader = SceneReader(cold, grid, WORLD.landcover)
    masks = {band.name: reader.read(band)[1] for band in cold.bands}
    assert not masks["ST_B10"].any()
    assert masks["SR_B4"].all()
    assert WORLD.find("LANDSAT/LC09/C02/T1_L2/LC09_044034_20210508") is None
    for name in ("LC08_044034", "LC08_044034_20211332", "LC08_04a034_20210508", "LC08_300034_2021"):
        assert WORLD.find(f"LANDSAT/LC08/C02/T1_L2/{name}") is None
