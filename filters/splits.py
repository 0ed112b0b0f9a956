"""Which pairs are for training, validation and test, so that no ground is on two sides: pure.

The grid's cells are grouped into square blocks, and each block is dealt to a split for ever, by the
seed. A chip is in the split of the ground around it, or in none where another split comes close.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import permutations
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from collectors.cells import CELL_SIDE_M, COLUMNS, Cell
from collectors.geo import transformer
from filters.sampling import seeded_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from collectors.geo import ChipGrid


class Split(StrEnum):
    """What a pair is for."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"

    NONE = "none"
    """For nothing: its chip comes too near to ground of another split."""


_STRONGEST_FIRST: Final = (Split.TEST, Split.VAL, Split.TRAIN)
"""Which split keeps an owner who has photos in several: what was in test stays in test."""

_LEVELS: Final = 9
"""2⁹ blocks each way hold the whole grid of 348 × 148 cells, whatever the size of a block."""

_ORDERS: Final = tuple(permutations(range(4)))

_GRAFT_BORDER_M: Final = 1.5 * 4480
"""How near to another block the centre of a Sentinel-2 chip of 448 px is too near: half its side
and its width."""

_SPARE: Final = 1.01
"""By how much more than its width a chip is grown: a metre of a UTM zone is 0.9987 to 1.0004 m of
ground, and an outline of 16 points misses less than 1 m of its bulge."""

_LEAST_M_IN_DEGREE: Final = 110_574.0
"""Metres of ground in a degree of latitude at the equator, where they are least (WGS 84)."""

_EQUATOR_M_IN_DEGREE: Final = 111_319.4
"""Metres of ground in a degree of longitude at the equator (WGS 84); at a latitude, no less than
this times its cosine."""

_OUTLINE: Final = np.array(
    [(0, i) for i in range(4)] + [(i, 4) for i in range(4)]
    + [(4, 4 - i) for i in range(4)] + [(4 - i, 0) for i in range(4)]
) / 4  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shares:
    """The share of each split, in percent.

    Attributes:
        train: For training.
        val: For validation.
        test: For test.
    """

    train: float
    val: float
    test: float

    def __post_init__(self) -> None:
        """Holds them to what shares are.

        Raises:
            ValueError: If one is negative or their sum is not 100.
        """
        # not all(≥): what is not a number is not at least 0
        if not all(share >= 0 for share in astuple(self)) or abs(sum(astuple(self)) - 100) > 1e-6:
            msg = f"shares of splits are 0 or more and add up to 100, not {astuple(self)}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class SplitRule:
    """All that decides the split of a piece of ground.

    Attributes:
        seed: The dataset's seed.
        shares: What is asked for.
        block_cells: Cells along the side of a block. Where it does not divide the grid's 348
            columns or 148 rows, the last blocks in the east and north are narrower.
    """

    seed: int
    shares: Shares
    block_cells: int

    def split_of(self, cell: Cell) -> Split:
        """Returns the split of a cell's ground; it depends on nothing but the rule and the cell."""
        train, val, _ = ground_shares(self.shares, self.block_cells)
        place = _place(self.seed, cell.row // self.block_cells, cell.column // self.block_cells)
        return Split.TRAIN if place < train else Split.VAL if place < train + val else Split.TEST


@lru_cache(maxsize=1 << 16)
def _place(seed: int, row: int, column: int) -> float:
    """Returns a block's place in the order of chance, 0 to 1, spread evenly over any region.

    In each square of 2ᵏ × 2ᵏ blocks, one block falls into each of the 4ᵏ equal parts of 0 to 1:
    the four blocks of a square of 2 × 2 into the four quarters in an order drawn by hash, the four
    such squares of a square of 4 × 4 into the four sixteenths of each quarter, and so on.

    Sources: Stevens and Olsen, Spatially Balanced Sampling of Natural Resources, JASA 99, 2004
    (the hierarchical randomisation); Owen, Randomly Permuted (t,m,s)-Nets and (t,s)-Sequences,
    1995 (the nested scrambling).
    """
    digits = ""
    number = 0
    for level in range(_LEVELS):
        child = (row >> level & 1) * 2 + (column >> level & 1)
        square = f"split {level} {row >> level + 1} {column >> level + 1} {digits}"
        digit = _ORDERS[seeded_hash(seed, square) % len(_ORDERS)][child]
        digits += str(digit)
        number = number * 4 + digit
    return float((number + 0.5) / 4**_LEVELS)


@lru_cache(maxsize=64)
def ground_shares(shares: Shares, block_cells: int) -> tuple[float, float, float]:
    """Returns the share of the blocks, 0 to 1, that each split is dealt.

    Pairs near to another split are lost, and small splits, whose blocks lie alone, lose most: of
    Sentinel-2 chips, and hardly any of NAIP's, which are ten times smaller. So the small ones are
    dealt more than their share, by half of what Sentinel-2 chips would need: then neither the
    shares of the ground nor those of either sensor's pairs are far from what is asked for.

    Args:
        shares: What is asked for.
        block_cells: Cells along the side of a block.
    """
    asked = np.array(astuple(shares)) / 100
    edge = _GRAFT_BORDER_M / (block_cells * CELL_SIDE_M)
    dealt = asked
    for _ in range(50):
        # Kept of a block: its middle; its four strips where the neighbour is of the same split;
        # its four corners where all three neighbours are.
        kept = (1 - 2 * edge) ** 2 + 4 * edge * (1 - 2 * edge) * dealt + 4 * edge**2 * dealt**3
        dealt = asked / kept
        dealt = dealt / dealt.sum()
    train, val, test = (round(float(one), 6) for one in (asked + dealt) / 2)
    return (1 - val - test if train else 0.0), val, test


def splits_of(grids: Sequence[ChipGrid], rule: SplitRule) -> list[Split]:
    """Returns the split of each chip.

    A chip has the split of its ground if all of its pixels are at least its own width away from
    all blocks of other splits, else none. So the outlines of two chips of different splits are at
    least the sum of their widths apart.

    Distance is judged on the safe side, by a lon/lat box around the chip that is grown by its width
    and 1 %. So a chip that another split meets only at a corner is none from up to half its width
    further off than it must be.

    Args:
        grids: The chips' pixel grids, of any sensor.
        rule: How ground is dealt.
    """
    west, south, east, north = _grown_bounds(grids).T.tolist() if grids else ([], [], [], [])
    return [
        _split_of_box(*edges, rule) for edges in zip(west, south, east, north, strict=True)
    ]  # fmt: skip


def _split_of_box(west: float, south: float, east: float, north: float, rule: SplitRule) -> Split:
    """Returns the split of all cells that a box in degrees touches; none if they are of several.

    Args:
        west: Western edge; below −180 across the antimeridian.
        south: Southern edge.
        east: Eastern edge; above 180 across the antimeridian.
        north: Northern edge.
        rule: How ground is dealt.
    """
    low, high = Cell.at(west, south), Cell.at(east, north)
    around = COLUMNS if east - west >= 360 else (high.column - low.column) % COLUMNS + 1
    found = {
        rule.split_of(Cell(row, (low.column + step) % COLUMNS))
        for row in range(low.row, high.row + 1)
        for step in range(around)
    }
    return found.pop() if len(found) == 1 else Split.NONE


def _grown_bounds(grids: Sequence[ChipGrid]) -> NDArray[np.float64]:
    """Returns (chips, 4): west, south, east, north, in degrees, around chips grown by their width.

    West or east leave ±180° where the antimeridian is crossed.
    """
    bounds = np.empty((len(grids), 4))
    west_north = np.array([(grid.west_m, grid.north_m) for grid in grids])
    side = np.array([grid.scale_m * grid.size_px for grid in grids])
    by_crs: dict[str, list[int]] = {}
    for number, grid in enumerate(grids):
        by_crs.setdefault(grid.crs, []).append(number)
    for crs, numbers in by_crs.items():
        x = west_north[numbers, :1] + side[numbers, None] * _OUTLINE[:, 1]
        y = west_north[numbers, 1:] - side[numbers, None] * _OUTLINE[:, 0]
        lon, lat = transformer(crs, "EPSG:4326").transform(x, y)
        bounds[numbers] = _grow(lon, lat, side[numbers] * _SPARE)
    return bounds


def _grow(lon: NDArray[Any], lat: NDArray[Any], reach_m: NDArray[Any]) -> NDArray[np.float64]:
    """Returns (chips, 4): boxes around outlines that hold all ground within a distance of them.

    Args:
        lon: (chips, points) longitudes of the outlines, degrees.
        lat: (chips, points) latitudes, degrees.
        reach_m: (chips,) that distance.
    """
    lon = lon[:, :1] + (lon - lon[:, :1] + 180) % 360 - 180
    up = reach_m / _LEAST_M_IN_DEGREE
    south, north = lat.min(axis=1) - up, lat.max(axis=1) + up
    furthest = np.maximum(np.abs(south), np.abs(north))
    narrow = np.cos(np.radians(np.minimum(furthest, 90.0)))  # of a pole, all but 0: all meridians
    aside = np.minimum(reach_m / (_EQUATOR_M_IN_DEGREE * narrow), 180.0)
    return np.column_stack([lon.min(axis=1) - aside, south, lon.max(axis=1) + aside, north])


def strongest(splits: Iterable[Split]) -> Split:
    """Returns the split that keeps an owner whose pairs are in several: test, then val, then train.

    Raises:
        StopIteration: If there is none.
    """
    found = set(splits)
    return next(split for split in _STRONGEST_FIRST if split in found)
