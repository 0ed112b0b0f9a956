"""Places and pixels of the stand-in agree with what shapely, pyproj and GDAL make of them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj
import pytest
import rasterio
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rasterio.warp import Resampling, reproject

from collectors.sandbox.earth_engine import FUNCTION_MODULES
from collectors.sandbox.expressions import evaluate
from collectors.sandbox.geometry import Geometry, follow_great_circles
from collectors.sandbox.landcover import Landcover
from collectors.sandbox.pixels import PixelGrid, SceneReader
from collectors.sandbox.scenes import Scene, SceneWorld, Sensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from shapely.geometry.base import BaseGeometry

LAND = Landcover(11)
WORLD = SceneWorld(11, LAND)
L2A = "COPERNICUS/S2_SR_HARMONIZED"
DAY = 86_400_000
WINDOW = (1_592_697_600_000, 1_592_697_600_000 + 11 * DAY)
MARGIN_M = 2.0

assert FUNCTION_MODULES  # their import makes the functions known

# Anywhere, and with more weight at the edges of zones and on either side of 180 degrees.
LONGITUDES = st.one_of(
    st.floats(-180, 179.999),
    st.builds(lambda zone, off: 6.0 * zone + off, st.integers(-29, 29), st.floats(-0.4, 0.4)),
    st.floats(-0.3, 0.3).map(lambda off: (360.0 + off) % 360.0 - 180.0),
)
LATITUDES = st.one_of(st.floats(-54, 79), st.floats(-0.3, 0.3))


def zone_code(lon: float, lat: float, shift: int = 0) -> str:
    """EPSG code of the UTM zone of a place, or of a neighbour."""
    zone = (int((lon + 180.0) // 6.0) + shift) % 60 + 1
    return f"EPSG:{(32600 if lat >= 0 else 32700) + zone}"


def moved(shape: BaseGeometry, source: str, target: str) -> BaseGeometry:
    """A shape in another CRS by pyproj, with a point every 100 m."""
    change = pyproj.Transformer.from_crs(source, target, always_xy=True)
    dense = shapely.segmentize(shape, 100.0)
    return shapely.transform(
        dense, lambda xy: np.column_stack(change.transform(xy[:, 0], xy[:, 1]))
    )


def found_by(name: str, chip: BaseGeometry, crs: str) -> set[str]:
    """Names of the scenes that the service finds by a filter on the chip's rectangle."""
    west, south, east, north = chip.bounds
    rectangle = {
        "functionInvocationValue": {
            "functionName": "GeometryConstructors.Rectangle",
            "arguments": {
                "coordinates": {"constantValue": [west, south, east, north]},
                "crs": {
                    "functionInvocationValue": {
                        "functionName": "Projection",
                        "arguments": {"crs": {"constantValue": crs}},
                    }
                },
                "geodesic": {"constantValue": False},
            },
        }
    }
    found: dict[str, Any] = invocation("ImageCollection.load", id={"constantValue": L2A})
    window = invocation(
        "DateRange", start={"constantValue": WINDOW[0]}, end={"constantValue": WINDOW[1]}
    )
    for condition in (
        invocation(name, leftField={"constantValue": ".geo"}, rightValue=rectangle),
        invocation(
            "Filter.dateRangeContains",
            leftValue=window,
            rightField={"constantValue": "system:time_start"},
        ),
    ):
        found = invocation("Collection.filter", collection=found, filter=condition)
    names = invocation(
        "AggregateFeatureCollection.array",
        collection=found,
        property={"constantValue": "system:index"},
    )
    listed = evaluate({"result": "0", "values": {"0": names}}, WORLD)
    assert isinstance(listed, list)
    return set(listed)


def invocation(name: str, **arguments: dict[str, Any]) -> dict[str, Any]:
    """A call within an expression."""
    return {"functionInvocationValue": {"functionName": name, "arguments": arguments}}


@pytest.mark.parametrize(
    ("name", "test"),
    [("Filter.intersects", shapely.intersects), ("Filter.contains", shapely.contains)],
)
@settings(max_examples=40, deadline=None)
@given(
    LONGITUDES, LATITUDES, st.sampled_from([-1, 0, 0, 1]), st.floats(300, 60_000),
)  # fmt: skip
def test_filters_on_places_agree_with_shapely_and_pyproj(
    name: str, test: Callable[..., Any], lon: float, lat: float, shift: int, side: float
) -> None:
    """Every scene around is found or not as its footprint, in its own zone, says."""
    crs = zone_code(lon, lat, shift)
    change = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    x, y = change.transform(lon, lat)
    assume(np.isfinite(x))
    chip = shapely.box(x - side / 2, y - side / 2, x + side / 2, y + side / 2)
    around = Geometry(chip.buffer(60_000), crs, geodesic=False)
    expected, doubtful = set(), set()
    shapes: dict[str, BaseGeometry] = {}
    for scene in WORLD.search(Sensor.S2_L2A, around, *WINDOW):
        shape = shapes.setdefault(scene.crs, moved(chip, crs, scene.crs))
        footprint = scene.footprint.shape
        if test(footprint, shape):
            expected.add(scene.index)
        # Two ways of computing may differ where edges all but touch.
        if test(footprint.buffer(MARGIN_M), shape) != test(footprint.buffer(-MARGIN_M), shape):
            doubtful.add(scene.index)
    assert found_by(name, chip, crs) - doubtful == expected - doubtful


@given(st.floats(-170, 170), st.floats(-70, 70), st.floats(-60, 60), st.floats(-70, 70))
def test_long_edges_follow_great_circles(
    lon: float, lat: float, across: float, to_lat: float
) -> None:
    """The points added to an edge lie on the great circle that PROJ computes on a sphere."""
    assume(abs(across) > 1.0)
    line = shapely.LineString([(lon, lat), (lon + across, to_lat)])
    points = shapely.get_coordinates(follow_great_circles(line))
    sphere = pyproj.Geod(a=6_371_000.0, b=6_371_000.0)
    azimuth, _, length = sphere.inv(lon, lat, lon + across, to_lat)
    _, _, reached = sphere.inv(
        np.full(len(points), lon), np.full(len(points), lat), points[:, 0], points[:, 1]
    )
    x, y, _ = sphere.fwd(
        np.full(len(points), lon), np.full(len(points), lat), np.full(len(points), azimuth), reached
    )
    _, _, apart = sphere.inv(x, y, points[:, 0], points[:, 1])
    assert np.max(apart) < 1.0
    assert reached[-1] == pytest.approx(length, abs=1.0)
    assert np.abs(np.diff(points[:, 0])).max() < 5.0


PLACES = {
    "in a zone": (-122.4, 37.75),
    "at a zone's edge": (5.98, 46.0),
    "west of 180": (179.97, -16.5),
    "east of 180": (-179.96, -16.6),
    "Norway's wide zone": (4.5, 60.4),
    "south of the equator": (36.9, -0.03),
}


@cache
def scene_over(lon: float, lat: float) -> Scene:
    """A scene with pixels for 4 km around a place, in whichever zone."""
    for scene in WORLD.search(Sensor.S2_L2A, Geometry(shapely.Point(lon, lat)), *WINDOW):
        to_scene = pyproj.Transformer.from_crs("EPSG:4326", scene.crs, always_xy=True)
        middle = shapely.Point(*to_scene.transform(lon, lat))
        if scene.footprint.shape.contains(middle.buffer(4_000)):
            return scene
    raise AssertionError((lon, lat))


def read(scene: Scene, name: str, grid: PixelGrid) -> np.ndarray:
    """A band's values on a grid, zero where there is none."""
    band = next(band for band in scene.bands if band.name == name)
    values, _ = SceneReader(scene, grid, LAND).read(band)
    return values


@cache
def read_once(scene: Scene, name: str, grid: PixelGrid) -> np.ndarray:
    """The same, for what several examples begin with."""
    values = read(scene, name, grid)
    values.flags.writeable = False
    return values


def clearly_inside(wanted: PixelGrid, own: PixelGrid) -> np.ndarray:
    """Whether a centre of the wanted grid lies inside one pixel of the other, by pyproj.

    Where it lies on the edge between two pixels (to a hundredth), either may be taken.
    """
    change = pyproj.Transformer.from_crs(wanted.crs, own.crs, always_xy=True)
    x, y = change.transform(*wanted.centres())
    step, _, left, _, _, top = own.transform
    places = np.stack([(x - left) / step, (top - y) / step])
    sure: np.ndarray = (np.abs(places - np.round(places)) > 0.01).all(axis=0)
    return sure


@settings(max_examples=40, deadline=None)
@given(
    place=st.sampled_from(list(PLACES)),
    band=st.sampled_from([("B4", 10), ("B11", 20), ("B9", 60), ("SCL", 20)]),
    target=st.sampled_from(["own", "before", "after", "EPSG:4326", "EPSG:3857"]),
    size=st.floats(4.0, 90.0),
    offset=st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
    upward=st.booleans(),
)
def test_pixels_on_any_grid_are_those_of_gdal_s_warp(
    place: str, band: tuple[str, int], target: str, size: float, offset: tuple[float, float],
    upward: bool,
) -> None:  # fmt: skip
    """A read on a grid in any CRS is GDAL's nearest neighbour of a read on the scene's own."""
    lon, lat = PLACES[place]
    scene = scene_over(lon, lat)
    name, step = band
    x, y = pyproj.Transformer.from_crs("EPSG:4326", scene.crs, always_xy=True).transform(lon, lat)
    left = scene.west + (x - 3_600 - scene.west) // 60 * 60
    top = scene.north - (scene.north - y - 3_600) // 60 * 60
    count = 7_200 // step
    own = PixelGrid(scene.crs, (step, 0, left, 0, -step, top), count, count)
    # A window is read at 10 m, then thinned: an overview's pixels may differ by one step.
    fine = PixelGrid(scene.crs, (10, 0, left, 0, -10, top), 720, 720)
    source = read_once(scene, name, fine)[:: step // 10, :: step // 10].astype(np.uint16)
    shift = {"own": 0, "before": -1, "after": 1}
    zone = int(scene.crs[-2:])
    crs = target
    if target in shift:
        crs = f"{scene.crs[:-2]}{(zone - 1 + shift[target]) % 60 + 1:02d}"
    middle = pyproj.Transformer.from_crs(scene.crs, crs, always_xy=True).transform(
        x + offset[0], y + offset[1]
    )
    pixel = size / 111_320.0 if crs == "EPSG:4326" else size
    down = pixel if upward else -pixel
    wanted = PixelGrid(
        crs, (pixel, 0, middle[0] - 16 * pixel, 0, down, middle[1] - 16 * down), 32, 32
    )
    warped = np.zeros((32, 32), np.uint16)
    reproject(
        source, warped,
        src_transform=rasterio.Affine(step, 0, left, 0, -step, top), src_crs=scene.crs,
        dst_transform=rasterio.Affine(*wanted.transform), dst_crs=crs,
        resampling=Resampling.nearest, tolerance=0,
    )  # fmt: skip
    ours = read(scene, name, wanted)
    sure = clearly_inside(wanted, own)
    assume(sure.mean() > 0.5)
    assert np.array_equal(ours[sure], warped[sure])
    assert ours[sure].all()


@cache
def aerial_scene() -> Scene:
    """A scene near the border of two zones."""
    found = WORLD.search(Sensor.NAIP, Geometry(shapely.Point(-120.02, 38.5)))
    return next(scene for scene in found if scene.gsd == 0.6)


@settings(max_examples=15, deadline=None)
@given(
    zone=st.sampled_from([-1, 0, 1]),
    size=st.floats(0.3, 3.0),
    offset=st.tuples(st.floats(-150, 150), st.floats(-150, 150)),
)
def test_aerial_pixels_on_any_grid_are_those_of_gdal_s_warp(
    zone: int, size: float, offset: tuple[float, float]
) -> None:
    """The same holds for aerial scenes between the zones of NAD 83."""
    scene = aerial_scene()
    left, top = scene.west + 1_500 * 0.6, scene.north - 1_500 * 0.6
    own = PixelGrid(scene.crs, (0.6, 0, left, 0, -0.6, top), 900, 900)
    crs = f"EPSG:{int(scene.crs[5:]) + zone}"
    middle = pyproj.Transformer.from_crs(scene.crs, crs, always_xy=True).transform(
        left + 270 + offset[0] / 3, top - 270 + offset[1] / 3
    )
    wanted = PixelGrid(
        crs, (size, 0, middle[0] - 16 * size, 0, -size, middle[1] + 16 * size), 32, 32
    )
    warped = np.zeros((32, 32), np.uint8)
    reproject(
        read_once(scene, "R", own), warped,
        src_transform=rasterio.Affine(0.6, 0, left, 0, -0.6, top), src_crs=scene.crs,
        dst_transform=rasterio.Affine(*wanted.transform), dst_crs=crs,
        resampling=Resampling.nearest, tolerance=0,
    )  # fmt: skip
    sure = clearly_inside(wanted, own)
    assume(sure.mean() > 0.5)
    ours = read(scene, "R", wanted)
    assert np.array_equal(ours[sure], warped[sure])
    assert ours[sure].all()
