"""Clustered photos in cells, as columns: what the measurements of placement are made on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.cells import Cell
from filters.spots import Spots

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.geo import Box

_FIRST_DAY: Final = np.datetime64("2017-04-01")
_DAYS: Final = 2800
_METRES_A_DEGREE: Final = 111_320.0


def clustered(box: Box, count: int, rng: np.random.Generator) -> Spots:
    """Draws photos in a cell: a tenth anywhere, the rest around places of unlike size and width.

    There is a place for every 200 photos. Their shares fall off as 1/rank; half of a place's
    photos lie within 150 m to 2 km of it. Dates are even over 2,800 days.
    """
    places = max(3, count // 200)
    share = 1 / np.arange(1, places + 1)
    place = rng.choice(places, size=count, p=share / share.sum())
    wide_m = np.exp(rng.uniform(np.log(150), np.log(2000), places))
    lon0 = rng.uniform(box.west, box.east, places)
    lat0 = rng.uniform(box.south, box.north, places)
    lat = lat0[place] + rng.normal(size=count) * wide_m[place] / _METRES_A_DEGREE
    east = _METRES_A_DEGREE * np.cos(np.radians(lat))
    lon = lon0[place] + rng.normal(size=count) * wide_m[place] / east
    anywhere = (
        (rng.random(count) < 0.1)
        | (lon < box.west) | (lon >= box.east) | (lat < box.south) | (lat >= box.north)
    )  # fmt: skip
    lon[anywhere] = rng.uniform(box.west, box.east, anywhere.sum())
    lat[anywhere] = rng.uniform(box.south, box.north, anywhere.sum())
    return Spots(
        photo_ids=np.array([f"{one:011d}" for one in rng.permutation(count)], dtype=object),
        lon=np.nextafter(lon, box.west), lat=lat,
        taken_on=_FIRST_DAY + rng.integers(0, _DAYS, count),
        hashes=rng.integers(0, 2**64, count, dtype=np.uint64),
        owners=np.full(count, "somebody", dtype=object),
    )  # fmt: skip


def cell_sizes(count: int, cells: int) -> list[int]:
    """Shares photos out: the densest 1 % of the cells hold half of them, by a power law.

    The power is found by halving, so that it holds for any number of cells.
    """
    ranks = np.arange(1, cells + 1, dtype=np.float64)
    dense = max(1, cells // 100)
    low, high = 0.0, 3.0
    for _ in range(60):
        power = (low + high) / 2
        weight = ranks**-power
        low, high = (power, high) if weight[:dense].sum() < weight.sum() / 2 else (low, power)
    edges = np.round(np.cumsum(weight) / weight.sum() * count).astype(int)
    return np.diff(edges, prepend=0).tolist()


def cells_on_land(count: int, rng: np.random.Generator) -> list[Cell]:
    """Draws cells between 60° south and 72° north."""
    rows = (Cell.at(0, -60).row, Cell.at(0, 72).row)
    numbers = rng.choice((rows[1] - rows[0]) * 348, size=count, replace=False)
    return [Cell(rows[0] + int(one) // 348, int(one) % 348) for one in numbers]


def world(count: int, cells: int, seed: int) -> Iterator[tuple[Box, Spots]]:
    """Yields each cell's box and photos."""
    rng = np.random.default_rng(seed)
    for cell, size in zip(cells_on_land(cells, rng), cell_sizes(count, cells), strict=True):
        if size:
            yield cell.box, clustered(cell.box, size, rng)
