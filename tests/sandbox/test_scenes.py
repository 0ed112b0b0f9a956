"""The scenes of the sandbox's world: made up, and read from tables."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from collectors.sandbox.geometry import Geometry, utm_zone
from collectors.sandbox.landcover import Landcover
from collectors.sandbox.naip import _quarter_of, quarter_name
from collectors.sandbox.scene_tables import SceneTableError, TableScenes
from collectors.sandbox.scenes import DAY_MS, SceneWorld, Sensor
from collectors.sandbox.sentinel2_tiles import tile_named, tiles_near

if TYPE_CHECKING:
    from pathlib import Path

WORLD = SceneWorld(0, Landcover(0))
CHIP = Geometry(shapely.box(550_000, 4_177_760, 554_480, 4_182_240), "EPSG:32610")
YEARS = (1_483_228_800_000, 1_798_761_600_000)  # 2017 to 2026


def point(lon: float, lat: float) -> Geometry:
    """A place."""
    return Geometry(shapely.Point(lon, lat))


@pytest.mark.parametrize(
    ("name", "west", "north", "crs"),
    [
        ("10SEG", 499_980, 4_200_000, "EPSG:32610"),
        ("31TGM", 699_960, 5_200_020, "EPSG:32631"),
        ("32TLR", 300_000, 5_100_000, "EPSG:32632"),
        ("01KAB", 99_960, 8_200_020, "EPSG:32701"),
    ],
)
def test_tiles_lie_where_the_real_ones_do(name: str, west: int, north: int, crs: str) -> None:
    """Corner and CRS of a tile are those of the real tiling grid, to its 60 m snapping."""
    tile = tile_named(name)
    assert tile is not None
    assert tile.crs == crs
    assert (tile.west, tile.north) == (west, north)


@given(st.floats(-180, 179.999), st.floats(-55, 82))
def test_every_place_lies_in_a_tile_of_its_own_zone(lon: float, lat: float) -> None:
    """Some tile near any place holds it, and bears the name of the place's zone."""
    place = point(lon, lat)
    zone = utm_zone(lon, lat)
    names = [
        tile.name
        for tile in tiles_near(place)
        if shapely.box(tile.west, tile.north - 109_800, tile.west + 109_800, tile.north).intersects(
            place.shape_in(tile.crs)
        )
    ]
    assert any(int(name[:2]) == zone for name in names)
    assert all(tile_named(name) is not None for name in names)


@pytest.mark.parametrize("sensor", list(Sensor))
def test_a_scene_is_found_by_its_name(sensor: Sensor) -> None:
    """Every scene that a search gives is found by its asset id, and no other is."""
    scenes = WORLD.search(sensor, CHIP, *YEARS)
    assert len(scenes) > 10
    assert all(WORLD.find(scene.asset_id) is scene for scene in scenes)
    assert len({scene.index for scene in scenes}) == len(scenes)
    assert WORLD.find(f"{sensor}/20190803T184921_20190803T185840_T10SEG_x") is None
    assert WORLD.find(f"nobody/{scenes[0].index}") is None


def test_sentinel2_comes_every_few_days_at_half_past_ten() -> None:
    """Names, times and properties follow the catalogue."""
    scenes = WORLD.search(Sensor.S2_L2A, CHIP, 1_577_836_800_000, 1_609_459_200_000)
    assert 60 <= len(scenes) <= 260
    for scene in scenes:
        assert re.fullmatch(r"\d{8}T\d{6}_\d{8}T\d{6}_T\d{2}[A-Z]{3}", scene.index)
        assert 18.0 < scene.time_ms % DAY_MS / 3_600_000 < 19.2
        assert scene.properties["MGRS_TILE"] == scene.index[-5:]
        share = 1 - scene.footprint.shape.area / 109_800**2
        assert scene.properties["NODATA_PIXEL_PERCENTAGE"] == pytest.approx(100 * share, abs=1e-3)
        assert scene.properties["GENERATION_TIME"] > scene.time_ms
    assert "NODATA_PIXEL_PERCENTAGE" not in WORLD.search(Sensor.S2_L1C, CHIP, *YEARS)[0].properties


def test_collections_begin_and_end_when_they_do() -> None:
    """The first and last scenes agree with the catalogue's dates."""
    europe = point(10.0, 50.0)
    bounds = {}
    for sensor in (Sensor.S2_L2A, Sensor.S2_L1C):
        times = [scene.time_ms for scene in WORLD.search(sensor, europe)]
        bounds[sensor] = (np.datetime64(min(times), "ms"), np.datetime64(max(times), "ms"))
    assert np.datetime64("2017-03-28") <= bounds[Sensor.S2_L2A][0] < np.datetime64("2017-05-01")
    assert np.datetime64("2015-06-27") <= bounds[Sensor.S2_L1C][0] < np.datetime64("2015-08-01")
    assert np.datetime64("2026-10-15") < bounds[Sensor.S2_L2A][1] < np.datetime64("2026-11-01")


def test_a_quarter_of_the_scenes_is_clear() -> None:
    """Between 25 and 31 per cent of the scenes have less than one per cent of cloud."""
    region = Geometry(shapely.box(6.0, 45.5, 9.0, 47.5))
    covers = [scene.cloud_percent for scene in WORLD.search(Sensor.S2_L2A, region, *YEARS)]
    assert len(covers) > 5_000
    assert 0.25 < np.mean(np.array(covers) < 1) < 0.33
    assert max(covers) > 95


def test_some_swaths_leave_only_a_sliver_of_a_tile() -> None:
    """There are scenes of mostly no data, many of them with no cloud at all."""
    region = Geometry(shapely.box(-123.0, 36.8, -119.0, 39.2))
    scenes = WORLD.search(Sensor.S2_L2A, region, *YEARS)
    slivers = [s for s in scenes if s.properties["NODATA_PIXEL_PERCENTAGE"] > 85]
    assert slivers
    assert np.mean([scene.cloud_percent == 0 for scene in slivers]) > 0.4


def test_the_antimeridian_is_a_place_like_any_other() -> None:
    """A chip across 180 degrees is held whole by tiles of both sides, each in its own zone."""
    chip = Geometry(shapely.box(179.97, -16.53, 180.03, -16.47))
    scenes = WORLD.search(Sensor.S2_L2A, chip, 1_577_836_800_000, 1_609_459_200_000)
    assert {scene.crs for scene in scenes} == {"EPSG:32701", "EPSG:32760"}
    for crs in ("EPSG:32701", "EPSG:32760"):
        whole = [scene for scene in scenes if scene.crs == crs]
        assert any(scene.footprint.shape.contains(chip.shape_in(crs)) for scene in whole)


@given(st.integers(-124 * 16, -68 * 16), st.integers(26 * 16, 48 * 16))
def test_quarter_quad_names_can_be_read_back(column: int, row: int) -> None:
    """A quarter quad's name says where it lies."""
    assert _quarter_of(f"m_{quarter_name(column, row)}_10_060_20200524") == (column, row)


def test_quarter_quads_are_named_as_the_survey_does(shared_data: Path) -> None:
    """The middle of every real aerial item lies in the quarter quad that its name says."""
    for row in pq.read_table(shared_data / "scenes" / "naip_items.parquet").to_pylist():
        lon, lat = (row["minx"] + row["maxx"]) / 2, (row["miny"] + row["maxy"]) / 2
        name = quarter_name(math.floor(lon * 16), math.floor(lat * 16))
        assert f"_{name}_" in row["id"]


def test_aerial_flights_come_every_two_or_three_years() -> None:
    """Flights over a place lie within the growing season, in the bounds of the programme."""
    place = Geometry(shapely.Point(552_000, 4_180_000).buffer(100), "EPSG:32610")
    scenes = [
        scene
        for scene in WORLD.search(Sensor.NAIP, place)
        if scene.footprint.shape.contains(place.shape)
    ]
    years = sorted({int(scene.index[-8:-4]) for scene in scenes})
    assert years[0] < 2009
    assert years[-1] >= 2020
    assert all(1 <= gap <= 6 for gap in np.diff(years))
    for scene in scenes:
        assert 4 < int(scene.index[-4:-2]) < 12
        year = int(scene.index[-8:-4])
        assert (scene.gsd == 1.0) == (year < 2014)
        assert [band.name for band in scene.bands] == (
            list({"m": "RGBN", "n": "RGB", "c": "NRG"}[scene.index[0]])
        )


@pytest.mark.parametrize("place", [(-155.5, 19.6), (6.0, 46.0), (-140.0, 40.0), (-123.0, 51.0)])
def test_aerial_photos_are_taken_over_the_contiguous_states_only(
    place: tuple[float, float],
) -> None:
    """There is no aerial scene elsewhere."""
    assert WORLD.search(Sensor.NAIP, point(*place)) == []


def test_real_products_keep_their_names_and_footprints(shared_data: Path) -> None:
    """Every real product is found by name, and its footprint matches its no-data share."""
    table = pq.read_table(shared_data / "scenes" / "sentinel2_items.parquet").to_pylist()
    world = SceneWorld(0, Landcover(0), shared_data / "scenes")
    checked = 0
    for row in table:
        level = Sensor.S2_L1C if "L1C" in row["id"] else Sensor.S2_L2A
        scene = world.find(f"{level}/{row['id']}")
        assert scene is not None
        assert scene.properties["CLOUDY_PIXEL_PERCENTAGE"] == row["cloud_cover"]
        assert scene.time_ms == int(row["datetime"].timestamp() * 1000)
        if row["nodata_pct"] is not None:
            share = 100 * (1 - scene.footprint.shape.area / 109_800**2)
            assert share == pytest.approx(row["nodata_pct"], abs=0.5)
            checked += 1
    assert checked > 600


def test_tiles_begin_where_real_full_products_do(shared_data: Path) -> None:
    """The northern edge of every real product without missing pixels is its tile's, to a metre."""
    world = SceneWorld(0, Landcover(0), shared_data / "scenes")
    rows = {
        row["id"]: row["wkt"]
        for row in pq.read_table(shared_data / "scenes" / "sentinel2_items.parquet").to_pylist()
    }
    # Outlines that are cut at the antimeridian are drawn less exactly.
    full = [
        scene
        for scene in world.search(Sensor.S2_L2A)
        if scene.properties.get("NODATA_PIXEL_PERCENTAGE", 100) < 0.001
        and rows[scene.index].startswith("POLYGON")
    ]
    assert len({scene.properties["MGRS_TILE"] for scene in full}) > 20
    for scene in full:
        drawn = Geometry(shapely.from_wkt(rows[scene.index])).shape_in(scene.crs)
        assert drawn.bounds[3] == pytest.approx(scene.north, abs=1)


def test_real_footprints_across_the_antimeridian_are_whole(shared_data: Path) -> None:
    """A footprint cut in two at 180 degrees is one shape, found from both sides."""
    world = SceneWorld(0, Landcover(0), shared_data / "scenes")
    scene = world.find(f"{Sensor.S2_L2A}/S2A_T01KAB_20230821T221944_L2A")
    assert scene is not None
    assert scene.footprint.shape.geom_type == "Polygon"
    for lon in (179.6, 180.0, -180.0, -179.8):
        found = world.search(Sensor.S2_L2A, point(lon, -16.8))
        assert scene in found
        assert scene.footprint.shape.contains(point(lon, -16.8).shape_in(scene.crs))
    assert scene not in world.search(Sensor.S2_L2A, point(0.0, -16.8))


def test_real_aerial_items_keep_their_grid(shared_data: Path) -> None:
    """An aerial item's raster has the table's size and resolution."""
    world = SceneWorld(0, Landcover(0), shared_data / "scenes")
    scene = world.find("USDA/NAIP/DOQQ/al_m_3008502_ne_16_030_20211109")
    assert scene is not None
    assert (scene.crs, scene.gsd, scene.rows, scene.columns) == ("EPSG:26916", 0.3, 25122, 21989)
    corner = point(-85.75, 30.95)
    assert scene.footprint.shape.contains(corner.shape_in(scene.crs))


def test_a_table_without_a_needed_column_is_refused(tmp_path: Path) -> None:
    """The error names the file, the row and what is missing."""
    pq.write_table(pa.table({"id": ["a"], "gsd": [1.0]}), tmp_path / "bad.parquet")
    with pytest.raises(SceneTableError, match=r"bad\.parquet, row 0 \('a'\)"):
        TableScenes.read(tmp_path)
    with pytest.raises(SceneTableError, match="No Parquet file"):
        TableScenes.read(tmp_path / "missing.parquet")
