"""Pixels of the sandbox's scenes."""

from __future__ import annotations

import numpy as np
import pyproj
import pytest
import shapely

from collectors.sandbox.geometry import Geometry
from collectors.sandbox.landcover import Landcover
from collectors.sandbox.pixels import PixelGrid, SceneReader
from collectors.sandbox.scenes import Scene, SceneWorld, Sensor

LAND = Landcover(0)
WORLD = SceneWorld(0, LAND)
CLOUD = (8, 9, 10)
Y2020 = (1_577_836_800_000, 1_609_459_200_000)


def scenes_at(x: float, y: float, sensor: Sensor = Sensor.S2_L2A) -> list[Scene]:
    """Scenes of 2020 (aerial: of any year) that hold the square kilometres around a place."""
    region = Geometry(shapely.box(x - 3_000, y - 3_000, x + 3_000, y + 3_000), "EPSG:32610")
    window = Y2020 if sensor is not Sensor.NAIP else ()
    reach = 3_000 if sensor is not Sensor.NAIP else 300
    chip = shapely.box(x - reach, y - reach, x + reach, y + reach)
    return [
        scene
        for scene in WORLD.search(sensor, region, *window)
        if scene.crs[-2:] == "10" and scene.footprint.shape.contains(chip)
    ]


def read(scene: Scene, grid: PixelGrid, *names: str) -> list[np.ndarray]:
    """Values of bands on a grid, and the mask of the last."""
    reader = SceneReader(scene, grid, LAND)
    pixels = [reader.read(next(b for b in scene.bands if b.name == name)) for name in names]
    return [values for values, _ in pixels] + [pixels[-1][1]]


def utm(x: float, y: float, size: int = 448, gsd: float = 10.0) -> PixelGrid:
    """A grid in UTM zone 10 whose upper left corner is given."""
    return PixelGrid("EPSG:32610", (gsd, 0, x, 0, -gsd, y), size, size)


def test_one_pixel_has_one_value_whatever_window_it_is_asked_in() -> None:
    """Two overlapping windows agree, in bands of every resolution."""
    scene = next(s for s in scenes_at(552_000, 4_180_000) if 20 < s.cloud_percent < 70)
    names = ("B1", "B2", "B5", "B9", "B12", "SCL", "MSK_CLDPRB", "QA60")
    one = read(scene, utm(550_000, 4_182_240), *names)
    two = read(scene, utm(550_000 + 730, 4_182_240 - 1_270, 300), *names)
    for first, second in zip(one, two, strict=True):
        assert np.array_equal(first[127:427, 73:373], second)


def test_coarse_bands_are_repeated_from_the_scene_s_first_pixel() -> None:
    """A 20 m band is constant over 2x2 pixels counted from the scene's corner, not the chip's."""
    scene = scenes_at(552_000, 4_180_000)[0]
    (band, _) = read(scene, utm(scene.west + 50_010, scene.north - 20_010, 41), "B5")
    inner = band[1:41, 1:41]
    blocks = inner.reshape(20, 2, 20, 2)
    assert (blocks == blocks[:, :1, :, :1]).all()
    assert (band[0, 1:] != band[1, 1:]).any()


def test_scattered_pixels_agree_with_a_window() -> None:
    """A coarse overview takes the same pixels that a full window shows."""
    scene = next(s for s in scenes_at(552_000, 4_180_000) if 20 < s.cloud_percent < 70)
    overview = PixelGrid("EPSG:32610", (1_000, 0, 510_000, 0, -1_000, 4_190_000), 60, 60)
    (coarse, _) = read(scene, overview, "B4")
    near = []
    for row, column in ((3, 7), (31, 44), (55, 12)):
        x, y = 510_000 + 1_000 * column + 500, 4_190_000 - 1_000 * row - 500
        (window, _) = read(scene, utm(x, y, 1), "B4")
        near.append(abs(int(window[0, 0]) - int(coarse[row, column])))
    assert max(near) <= 1


def test_outside_the_footprint_pixels_are_zero_and_masked() -> None:
    """At a tile's corner and at a swath's edge there is nothing: SCL 0 and every band 0."""
    scene = scenes_at(552_000, 4_180_000)[0]
    b4, scl, valid = read(scene, utm(scene.west - 500, scene.north + 500, 100), "B4", "SCL")
    assert valid[50:, 50:].all()
    assert not valid[:50].any()
    assert not b4[~valid].any()
    assert not scl[~valid].any()
    assert (b4[valid] > 0).all()
    region = Geometry(shapely.box(-123.0, 36.8, -119.0, 39.2))
    cut = next(
        s for s in WORLD.search(Sensor.S2_L2A, region, *Y2020)
        if 30 < s.properties["NODATA_PIXEL_PERCENTAGE"] < 70
    )  # fmt: skip
    whole = PixelGrid(cut.crs, (500, 0, cut.west, 0, -500, cut.north), 219, 219)
    scl, valid = read(cut, whole, "SCL")
    assert 100 * np.mean(~valid) == pytest.approx(
        cut.properties["NODATA_PIXEL_PERCENTAGE"], abs=0.7
    )
    assert ((scl == 0) == ~valid).all()


def test_measured_cloud_agrees_with_the_scene_s_figure() -> None:
    """Over the whole scene, the share of SCL 8, 9 and 10 is the property's."""
    scenes = scenes_at(552_000, 4_180_000)[:40]
    for scene in [s for s in scenes if s.cloud_percent > 2][:6]:
        whole = PixelGrid(scene.crs, (400, 0, scene.west, 0, -400, scene.north), 274, 274)
        scl, valid = read(scene, whole, "SCL")
        measured = 100 * np.mean(np.isin(scl[valid], CLOUD))
        assert measured == pytest.approx(scene.cloud_percent, abs=1.0)


def test_a_clear_scene_can_hold_a_clouded_chip() -> None:
    """Of the chips of scenes under one per cent, one to five in a hundred exceed five per cent."""
    clear = [s for s in scenes_at(552_000, 4_180_000) if 0 < s.cloud_percent < 1]
    assert len(clear) >= 5
    shares = []
    for scene in clear[:12]:
        whole = PixelGrid(scene.crs, (320, 0, scene.west, 0, -320, scene.north), 336, 336)
        (probability, _) = read(scene, whole, "MSK_CLDPRB")
        chips = (probability > 0).reshape(24, 14, 24, 14).mean(axis=(1, 3))
        shares.append(np.mean(chips > 0.05))
    assert 0.01 < np.mean(shares) < 0.05


def test_both_sensors_show_the_same_ground() -> None:
    """Aerial pixels averaged to 10 m follow the satellite's red band on a clear day."""
    x, y = 551_000.0, 4_181_000.0
    satellite = next(s for s in scenes_at(x, y) if s.cloud_percent < 0.3)
    aerial = next(s for s in scenes_at(x, y, Sensor.NAIP) if s.gsd == 1.0)
    (red, _) = read(satellite, utm(x, y, 40), "B4")
    (fine, valid) = read(aerial, utm(x, y, 400, 1.0), "R")
    assert valid.all()
    averaged = fine.reshape(40, 10, 40, 10).mean(axis=(1, 3))
    assert np.corrcoef(red.ravel(), averaged.ravel())[0, 1] > 0.8


@pytest.mark.parametrize("crs", ["EPSG:26910", "EPSG:4326", "EPSG:32611"])
def test_a_grid_in_another_crs_shows_the_pixels_under_its_centres(crs: str) -> None:
    """Nearest neighbour: each pixel is the scene's pixel at its own centre."""
    scene = next(s for s in scenes_at(552_000, 4_180_000) if s.cloud_percent < 0.3)
    to_grid = pyproj.Transformer.from_crs("EPSG:32610", crs, always_xy=True)
    x0, y0 = to_grid.transform(551_000, 4_181_000)
    size = 1e-4 if crs == "EPSG:4326" else 9.7
    grid = PixelGrid(crs, (size, 0, x0, 0, -size, y0), 90, 70)
    (values, _) = read(scene, grid, "B3")
    (window, _) = read(scene, utm(549_980, 4_182_000, 500), "B3")
    back = pyproj.Transformer.from_crs(crs, "EPSG:32610", always_xy=True)
    columns, rows = np.meshgrid(
        x0 + size * (np.arange(90) + 0.5), y0 - size * (np.arange(70) + 0.5)
    )
    x, y = back.transform(columns, rows)
    expected = window[((4_182_000 - y) // 10).astype(int), ((x - 549_980) // 10).astype(int)]
    assert np.mean(values != expected) < 0.002


def test_season_and_haze_change_a_place_but_not_its_pattern() -> None:
    """Two clear days differ in level and agree in pattern."""
    clear = [s for s in scenes_at(552_000, 4_180_000) if s.cloud_percent < 0.3]
    grid = utm(545_000, 4_181_000, 400)
    first, second = (read(scene, grid, "B8")[0] for scene in (clear[0], clear[-1]))
    assert not np.array_equal(first, second)
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.9


def test_qa60_is_masked_in_the_years_in_which_it_was_not_made() -> None:
    """QA60 has no valid pixel between 2022-01-25 and 2024-02-28."""
    region = Geometry(shapely.box(550_000, 4_178_000, 554_000, 4_182_000), "EPSG:32610")
    scenes = WORLD.search(Sensor.S2_L2A, region, 1_650_000_000_000, 1_660_000_000_000)
    (_, valid) = read(scenes[0], utm(551_000, 4_181_000, 20), "QA60")
    assert not valid.any()
