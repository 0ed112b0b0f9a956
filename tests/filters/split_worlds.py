"""Chips near the corners of cells, and their splits judged plainly, in the chip's own metres."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import shapely
from shapely.affinity import translate

from collectors.cells import COLUMNS, Cell
from collectors.geo import ChipGrid, Zone, transformer, wrap_longitude
from tests.sensors import SENSORS, SENTINEL2

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from collectors.sensors import Sensor
    from filters.splits import Split, SplitRule

ROWS = 148


def grid_at(lon: float, lat: float, sensor: Sensor) -> ChipGrid:
    """Returns the chip around a point in degrees, in the point's own zone."""
    crs = Zone.at(lon, lat).crs(SENTINEL2.datum)
    x, y = transformer("EPSG:4326", crs).transform(wrap_longitude(lon), lat)
    return ChipGrid.around(x, y, crs, sensor.scale_m, sensor.size_px)


def grid_near_corner(cell: Cell, sensor: Sensor, random: Random, reach: float = 3.0) -> ChipGrid:
    """Returns a chip whose centre lies around a cell's south-western corner.

    Args:
        cell: The cell.
        sensor: The sensor.
        random: Where to take chance from.
        reach: How far at most east, west, north and south of the corner, in widths of the chip.
    """
    width = sensor.scale_m * sensor.size_px
    west, south = cell.box.west, cell.box.south
    lat = south + random.uniform(-reach, reach) * width / 111_000
    east = random.uniform(-reach, reach) * width / (111_000 * np.cos(np.radians(lat)))
    return grid_at(west + float(east), lat, sensor)


def grown(grid: ChipGrid, widths: float) -> shapely.Polygon:
    """Returns all ground within so many widths of a chip, in degrees, not cut at the antimeridian.

    Longitudes are within 180° of the chip's own, so they may leave ±180°.
    """
    west, south, east, north = grid.bounds
    width = east - west
    ground = shapely.box(west, south, east, north).buffer(widths * width, quad_segs=32)
    x, y = shapely.get_coordinates(ground.exterior.segmentize(width / 20)).T
    lon, lat = transformer(grid.crs, "EPSG:4326").transform(x, y)
    lon = lon[0] + (lon - lon[0] + 180) % 360 - 180
    return shapely.Polygon(np.column_stack([lon, lat]))


@lru_cache(maxsize=1)
def all_cells() -> tuple[list[Cell], shapely.STRtree]:
    """Returns every cell and its box, and those next to the antimeridian once more beyond it."""
    cells = [Cell(row, column) for row in range(ROWS) for column in range(COLUMNS)]
    boxes = [cell.box.polygon() for cell in cells]
    for cell in [cell for cell in cells if not 4 <= cell.column < COLUMNS - 4]:
        shift = 360.0 if cell.column < 4 else -360.0
        cells.append(cell)
        box = cell.box
        boxes.append(shapely.box(box.west + shift, box.south, box.east + shift, box.north))
    return cells, shapely.STRtree(boxes)


def splits_within(grids: Sequence[ChipGrid], widths: float, rule: SplitRule) -> list[set[Split]]:
    """Returns the splits of all ground within so many widths of each chip, cell by cell."""
    cells, tree = all_cells()
    found: list[set[Split]] = [set() for _ in grids]
    shapes = [grown(grid, widths) for grid in grids]
    for number, place in zip(*tree.query(shapes, predicate="intersects").tolist(), strict=True):
        found[number].add(rule.split_of(cells[place]))
    return found


@dataclass(frozen=True, slots=True)
class Made:
    """A chip of a made world, with a photo in its middle."""

    sensor: str
    cell: Cell
    grid: ChipGrid


def made_world(cells: Sequence[Cell], a_cell: int, random: Random) -> list[Made]:
    """Returns chips of both sensors in each cell: half of them anywhere, half near a border."""
    world = []
    for cell in cells:
        box = cell.box
        for number in range(a_cell):
            name = ("sentinel2", "naip")[number % 2]
            sensor = SENSORS[name]
            east, north = random.random(), random.random()
            if number % 4 >= 2:
                reach = 3 * sensor.scale_m * sensor.size_px / 99_800
                east = random.choice([reach * east, 1 - reach * east, east])
                north = random.choice([reach * north, 1 - reach * north])
            lon = box.west + east * (box.east - box.west)
            lat = box.south + north * (box.north - box.south)
            world.append(Made(name, cell, grid_at(lon, lat, sensor)))
    return world


def apart(first: Sequence[ChipGrid], second: Sequence[ChipGrid]) -> list[tuple[int, int]]:
    """Returns the pairs of chips, one of each list, that are not both their widths apart.

    Looked at in degrees, each grown by its own width; good for places that are not near a pole.
    """
    shapes = [grown(grid, 1.0) for grid in second]
    around = [translate(one, shift) for shift in (0.0, 360.0, -360.0) for one in shapes]
    tree = shapely.STRtree(around)
    left, right = tree.query([grown(grid, 1.0) for grid in first], predicate="intersects")
    return sorted({(int(i), int(j) % len(shapes)) for i, j in zip(left, right, strict=True)})
