"""The made-up archive of Sentinel-1: who comes when, what a scene says, and what its pixels are."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from collectors.sandbox.geometry import LONLAT, Geometry, reproject
from collectors.sandbox.landcover import Landcover
from collectors.sandbox.pixels import PixelGrid, SceneReader
from collectors.sandbox.scenes import BANDS, DAY_MS, Scene, SceneWorld, Sensor, TooManyScenesError

LANDCOVER = Landcover(4)
WORLD = SceneWorld(4, LANDCOVER)
YEAR_2020 = (1_577_836_800_000, 1_609_459_200_000)
YEAR_2023 = (1_672_531_200_000, 1_704_067_200_000)
FIELD = (-121.3, 37.9)
NAME = r"S1[AB]_IW_GRDH_1S[SD]V_(\d{8}T\d{6})_(\d{8}T\d{6})_\d{6}_[0-9A-F]{6}_[0-9A-F]{4}"


def scenes_at(lon: float, lat: float, years: tuple[int, int] = YEAR_2023) -> list[Scene]:
    """The scenes whose footprint holds a point."""
    point = Geometry(shapely.Point(lon, lat))
    found = WORLD.search(Sensor.S1_GRD, point, *years)
    return [one for one in found if one.footprint.shape.contains(point.shape_in(one.crs))]


def direction(scene: Scene) -> str:
    """Where the satellite flew."""
    return str(scene.properties["orbitProperties_pass"])


def grid_in(scene: Scene, corner: tuple[float, float], size: int) -> PixelGrid:
    """Pixels of 10 m in a scene's CRS."""
    west, north = corner
    return PixelGrid(scene.crs, (10.0, 0.0, west, 0.0, -10.0, north), size, size)


@given(lon=st.floats(-180, 179.999), lat=st.floats(-79, 79))
def test_every_place_is_seen_ascending_and_descending(lon: float, lat: float) -> None:
    """In a year with one satellite, each orbit comes some thirty times, but for what is missed."""
    scenes = scenes_at(lon, lat)
    for one in ("ASCENDING", "DESCENDING"):
        assert sum(direction(scene) == one for scene in scenes) >= 20
    assert all(YEAR_2023[0] <= scene.time_ms < YEAR_2023[1] for scene in scenes)


def test_the_same_frame_comes_every_twelve_days_and_every_six_with_two_satellites() -> None:
    """Gaps are multiples of the revisit, and the letter tells which satellite it was."""
    for years, gap, letters in ((YEAR_2020, 6, {"A", "B"}), (YEAR_2023, 12, {"A"})):
        frames: dict[str, list[int]] = {}
        scenes = scenes_at(*FIELD, years)
        for scene in scenes:
            frames.setdefault(scene.index[-4:], []).append(scene.time_ms // DAY_MS)
        assert {scene.properties["platform_number"] for scene in scenes} == letters
        for days in frames.values():
            steps = np.diff(sorted(days))
            assert (steps % gap == 0).all()
            assert np.median(steps) == gap


def test_names_and_properties_are_those_of_products() -> None:
    """A name holds start and end; descending orbits come in the morning; one in twenty is VV."""
    scenes = [scene for lon in range(-120, -60, 4) for scene in scenes_at(lon + 0.5, 40.0)]
    for scene in scenes:
        assert (found := re.fullmatch(NAME, scene.index))
        assert found[1] < found[2]
        single = scene.index[14:16] == "SV"
        assert scene.properties["transmitterReceiverPolarisation"] == (
            ["VV"] if single else ["VV", "VH"]
        )
        assert [band.name for band in scene.bands] == [
            band.name for band in BANDS[Sensor.S1_GRD] if band.name != "VH" or not single
        ]
    share = np.mean([scene.index[14:16] == "SV" for scene in scenes])
    assert 0.02 < share < 0.09
    for one, hour in (("ASCENDING", 18), ("DESCENDING", 6)):
        local = [
            (scene.time_ms / 3_600_000 + _middle_lon(scene) / 15) % 24
            for scene in scenes if direction(scene) == one
        ]  # fmt: skip
        assert all(abs(time - hour) < 0.3 for time in local)


def _middle_lon(scene: Scene) -> float:
    return float(scene.footprint.shape_in(LONLAT).centroid.x)


def test_no_two_scenes_share_a_lattice() -> None:
    """Terrain correction begins each raster at a corner of its own."""
    scenes = scenes_at(*FIELD)
    for edges in ([scene.west for scene in scenes], [scene.north for scene in scenes]):
        assert len({round(edge % 10, 6) for edge in edges}) == len(scenes) > 40


def test_a_search_without_a_small_place_is_refused() -> None:
    """The list would not end."""
    for region in (None, Geometry(shapely.box(-120, 0, 60, 50))):
        with pytest.raises(TooManyScenesError):
            WORLD.search(Sensor.S1_GRD, region, *YEAR_2023)


def test_pixels_are_decibels_with_the_speckle_of_four_looks() -> None:
    """Two dates of a quiet ground differ by speckle alone: 2.15 dB each, darker tails."""
    frames: dict[str, list[Scene]] = {}
    for scene in scenes_at(*FIELD):
        if len(scene.bands) == 3:
            frames.setdefault(scene.index[-4:], []).append(scene)
    scenes = max(frames.values(), key=len)[:2]
    x, y = reproject(*(np.array([one]) for one in FIELD), LONLAT, scenes[0].crs)
    grid = grid_in(scenes[0], (round(x[0], -1), round(y[0], -1)), 128)
    read = [SceneReader(scene, grid, LANDCOVER) for scene in scenes]
    values = {band.name: [one.read(band)[0] for one in read] for band in BANDS[Sensor.S1_GRD]}
    assert all(plane.dtype == np.float32 for planes in values.values() for plane in planes)
    for name in ("VV", "VH"):
        first, second = values[name]
        assert -40 < first.min() < first.max() < 5
        assert np.std(first - second) / math.sqrt(2) == pytest.approx(2.15, abs=0.15)
        assert np.mean(((first - second) - np.mean(first - second)) > 0) == pytest.approx(
            0.5, abs=0.02
        )
    assert np.mean(values["VV"][0]) > np.mean(values["VH"][0]) + 3
    assert 30.8 < values["angle"][0].min() <= values["angle"][0].max() < 46.1


def test_the_angle_grows_away_from_the_satellite() -> None:
    """It looks to its right: eastward when it flies north, westward when it flies south."""
    for one, sign in (("ASCENDING", 1), ("DESCENDING", -1)):
        scene = next(scene for scene in scenes_at(*FIELD) if direction(scene) == one)
        west, south, east, north = scene.box
        corner = ((west + east) / 2 - 50_000, (south + north) / 2)
        line = PixelGrid(scene.crs, (1000.0, 0.0, corner[0], 0.0, -10.0, corner[1]), 100, 1)
        angle, valid = SceneReader(scene, line, LANDCOVER).read(BANDS[Sensor.S1_GRD][2])
        assert valid.all()
        assert (np.sign(np.diff(angle[0])) == sign).all()


def test_pixels_outside_the_swath_are_masked() -> None:
    """The raster is a box, the swath leans in it."""
    scene = scenes_at(*FIELD)[0]
    grid = grid_in(scene, (scene.west, scene.north), 32)
    corners = [SceneReader(scene, grid, LANDCOVER).read(scene.bands[0])]
    grid = grid_in(scene, (scene.box[2] - 320, scene.north), 32)
    corners.append(SceneReader(scene, grid, LANDCOVER).read(scene.bands[0]))
    assert any(not valid.any() for _, valid in corners)
    assert all((values[~valid] == 0).all() for values, valid in corners)
