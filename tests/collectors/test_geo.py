"""The grid of cells, UTM zones and pixel grids."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod, Transformer
from shapely.geometry import MultiPolygon, box

from collectors.cells import CELL_SIDE_M, COLUMNS, Cell, grounds_of
from collectors.geo import Box, ChipGrid, Zone, boxes_of, wrap_longitude
from collectors.sensors import Datum

lons = st.floats(-180, 180, exclude_max=True, allow_subnormal=False)
lats = st.floats(-90, 90)


@given(lons, lats)
def test_every_place_has_exactly_one_cell(lon: float, lat: float) -> None:
    """The cell of a place holds it, and none of the eight around it does."""
    cell = Cell.at(lon, lat)
    assert cell.box.holds(lon, lat) or lat == 90
    for row in (-1, 0, 1):
        for column in (-1, 0, 1):
            if (row, column) == (0, 0) or not 0 <= cell.row + row < 148:
                continue
            other = Cell(cell.row + row, (cell.column + column) % COLUMNS)
            assert not other.box.holds(lon, lat)


@given(st.integers(0, 147), st.integers(0, COLUMNS - 1))
def test_names_of_cells_are_read_back(row: int, column: int) -> None:
    """A cell's name gives the cell again."""
    assert Cell.parse(Cell(row, column).cell_id) == Cell(row, column)


@pytest.mark.parametrize("name", ["", "r1c2", "r148c000", "r000c348", "../r000c000", "r000c000x"])
def test_other_names_are_no_cells(name: str) -> None:
    """What is not a cell's name is refused."""
    with pytest.raises(ValueError, match="is not the name of a cell"):
        Cell.parse(name)


@pytest.mark.parametrize("row", [2, 30, 73, 74, 90, 118, 140])
def test_cells_have_the_same_area(row: int) -> None:
    """The geodesic area of a cell is that of the square of its side, at any latitude."""
    area = Cell(row, 100).box
    edge = np.linspace(area.west, area.east, 400)
    lon = np.concatenate([edge, edge[::-1]])
    lat = np.concatenate([np.full(400, area.south), np.full(400, area.north)])
    measured, _ = Geod(ellps="WGS84").polygon_area_perimeter(lon, lat)
    assert abs(measured) == pytest.approx(CELL_SIDE_M**2, rel=1e-5)


@given(
    st.floats(-170, 160), st.floats(-60, 70), st.floats(0.01, 4.0), st.floats(0.01, 4.0)
)  # fmt: skip
def test_grounds_are_a_partition_of_the_region(
    west: float, south: float, width: float, height: float
) -> None:
    """The parts of a region in its cells add up to the region, and each lies in its cell."""
    region = box(west, south, west + width, south + height)
    grounds = list(grounds_of(region))
    assert sum(ground.polygon.area for ground in grounds) == pytest.approx(region.area, rel=1e-9)
    assert len({ground.cell for ground in grounds}) == len(grounds)
    for ground in grounds:
        assert 0 < ground.share <= 1
        assert ground.cell.box.polygon().buffer(1e-9).covers(ground.polygon)


def test_a_region_across_the_antimeridian_has_cells_on_both_sides() -> None:
    """West above east means two boxes, and cells at both ends of the grid."""
    parts = boxes_of(179.0, -17.0, -179.0, -16.0)
    cells = {g.cell for g in grounds_of(MultiPolygon([part.polygon() for part in parts]))}
    assert {cell.column for cell in cells} == {0, COLUMNS - 1}


def test_a_whole_cell_has_share_one_and_no_neighbours() -> None:
    """A region that is exactly a cell gives that cell alone."""
    cell = Cell(118, 56)
    (ground,) = grounds_of(cell.box.polygon())
    assert ground.cell == cell
    assert ground.share == 1.0


@given(lons, lats)
def test_quarters_are_a_partition_of_a_box(lon: float, lat: float) -> None:
    """A place in a box is in exactly one of its quarters."""
    whole = Box(-180, -90, 180, 90.5)
    assert sum(quarter.holds(lon, lat) for quarter in whole.quarters()) == 1


@pytest.mark.parametrize(
    ("lon", "lat", "name"),
    [
        (-122.4, 37.8, "10N"), (6.1, 46.2, "32N"), (5.9, 46.2, "31N"), (5.0, 60.0, "32N"),
        (2.9, 60.0, "31N"), (8.0, 75.0, "31N"), (10.0, 75.0, "33N"), (22.0, 75.0, "35N"),
        (34.0, 75.0, "37N"), (151.2, -33.9, "56S"), (-180.0, 0.0, "01N"), (179.99, -0.1, "60S"),
    ],
)  # fmt: skip
def test_zones_follow_the_rules_of_mgrs(lon: float, lat: float, name: str) -> None:
    """Zones are those of MGRS, with Norway and Svalbard's exceptions."""
    assert Zone.at(lon, lat).name == name


def test_zone_codes_and_their_limits() -> None:
    """Codes are those of the EPSG registry; NAD83 has no southern zones."""
    assert Zone(10, north=True).crs(Datum.WGS84) == "EPSG:32610"
    assert Zone(56, north=False).crs(Datum.WGS84) == "EPSG:32756"
    assert Zone(10, north=True).crs(Datum.NAD83) == "EPSG:26910"
    with pytest.raises(ValueError, match="no NAD83 CRS"):
        Zone(19, north=False).crs(Datum.NAD83)


@given(st.floats(200_000, 800_000), st.floats(1_000, 8_000_000), st.sampled_from([1.0, 10.0]))
def test_a_chip_lies_on_whole_pixels_around_its_photo(x: float, y: float, scale: float) -> None:
    """The origin is a whole number of pixels, and the photo within half a pixel of the centre."""
    grid = ChipGrid.around(x, y, "EPSG:32632", scale, 448)
    assert grid.west_m % scale == 0
    assert grid.north_m % scale == 0
    row, column = grid.pixel_of(x, y)
    assert abs(row - 224) <= 0.5 + 1e-6
    assert abs(column - 224) <= 0.5 + 1e-6
    assert grid.area_holds(row, column, 224)


@given(st.floats(-179.9, 179.9), st.floats(-60, 80))
def test_places_in_a_chip_agree_with_pyproj(lon: float, lat: float) -> None:
    """Row and column of a place are those of an independent transformation."""
    zone = Zone.at(lon, lat)
    crs = zone.crs(Datum.WGS84)
    x, y = Transformer.from_crs(4326, crs, always_xy=True).transform(lon, lat)
    grid = ChipGrid.around(x + 400, y - 300, crs, 10.0, 448)
    row, column = grid.locate(lon, lat)
    a, b, c, d, e, f = grid.transform
    assert (a * column + b * row + c, d * column + e * row + f) == pytest.approx((x, y), abs=1e-3)


def test_the_area_of_interest_is_half_open() -> None:
    """Its first row and column belong to it, those after the last do not."""
    grid = ChipGrid("EPSG:32632", 0.0, 4480.0, 10.0, 448)
    assert grid.area_holds(112.0, 112.0, 224)
    assert not grid.area_holds(336.0, 200.0, 224)
    assert not grid.area_holds(200.0, math.nextafter(112.0, 0), 224)


def test_a_chip_across_the_antimeridian_is_two_polygons() -> None:
    """Neither part is wider than the chip, and together they have its area."""
    crs = "EPSG:32660"
    x, y = Transformer.from_crs(4326, crs, always_xy=True).transform(179.999, -16.5 + 33)
    grid = ChipGrid.around(x, y, crs, 10.0, 448)
    shape = grid.footprint()
    assert shape.geom_type == "MultiPolygon"
    west, _, east, _ = shape.bounds
    assert (west, east) == (-180, 180)
    geod = Geod(ellps="WGS84")
    area = sum(abs(geod.geometry_area_perimeter(part)[0]) for part in shape.geoms)
    assert area == pytest.approx(4480**2, rel=3e-3)  # UTM's scale factor is 0.9996 to 1.001


@given(st.floats(-1000, 1000, allow_nan=False))
def test_longitudes_are_wrapped(lon: float) -> None:
    """The result is in range and a whole number of turns away."""
    wrapped = wrap_longitude(lon)
    assert -180 <= wrapped < 180
    turns = (lon - wrapped) / 360
    assert turns == pytest.approx(round(turns), abs=1e-9)


@pytest.mark.parametrize("lat", [-17.0, 0.0, 68.9])
def test_the_last_place_before_the_antimeridian_is_in_zone_60(lat: float) -> None:
    """The float just below 180 is not rounded into a zone that does not exist."""
    assert Zone.at(math.nextafter(180.0, 0.0), lat).number == 60
    assert Zone.at(-180.0, lat).number == 1
