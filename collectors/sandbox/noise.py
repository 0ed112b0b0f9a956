"""Seeded noise made of integer hashing alone.

Nothing here keeps a generator's state: a value depends on the seed and the place only, so any part
of the world can be asked for in any order, in any process, with the same answer.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from collectors.sandbox.chance import hash_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

EARTH_RADIUS_M = 6378137.0
"""Equatorial radius of WGS 84, the sphere of the Mercator plane that the noise lives on."""

CIRCUMFERENCE_M = 2.0 * math.pi * EARTH_RADIUS_M

_TO_UNIT = 2.0**-53
_TABLE_CELLS_PER_POINT = 2
_SMALL_TABLE_CELLS = 65_536


def uniform(*keys: int | str) -> float:
    """Return a number in [0, 1) that depends on the keys alone."""
    return (hash_keys(*keys) >> 11) * _TO_UNIT


def hash_lattice(x: NDArray[np.int64], y: NDArray[np.int64], seed: int) -> NDArray[np.float32]:
    """Return a number in [0, 1) for each lattice point; `x` and `y` broadcast."""
    salt = np.uint32(hash_keys(seed) & 0xFFFFFFFF)
    bits = x.astype(np.uint32) * np.uint32(0x85EBCA6B) + salt
    bits ^= bits >> np.uint32(15)
    bits = (bits + y.astype(np.uint32)) * np.uint32(0xC2B2AE35)
    bits ^= bits >> np.uint32(13)
    bits *= np.uint32(0x2C1B3C6D)
    bits ^= bits >> np.uint32(12)
    bits *= np.uint32(0x297A2D39)
    bits ^= bits >> np.uint32(15)
    return (bits >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)


def value_noise(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    wavelength: float,
    seed: int,
    *,
    period: float | None = None,
) -> NDArray[np.float32]:
    """Return smooth noise in [0, 1] at points of a plane.

    Args:
        x: Abscissae, any shape.
        y: Ordinates, same shape.
        wavelength: Distance between lattice points, in the unit of `x` and `y`.
        seed: Which noise.
        period: Length after which the noise repeats in `x`, so that a plane wrapped around the
            Earth has no seam; the wavelength is then rounded to divide it. None: no repetition.

    Returns:
        Array of the shape of `x`.
    """
    cells = 0
    if period is not None:
        cells = max(1, round(period / wavelength))
        step_x = period / cells
    else:
        step_x = wavelength
    across = x * (1.0 / step_x)
    down = y * (1.0 / wavelength)
    left = np.floor(across)
    top = np.floor(down)
    weight_x = _ease((across - left).astype(np.float32))
    weight_y = _ease((down - top).astype(np.float32))
    column = left.astype(np.int64)
    row = top.astype(np.int64)
    corners = _corner_values(column, row, seed, cells)
    upper = corners[0] + (corners[1] - corners[0]) * weight_x
    lower = corners[2] + (corners[3] - corners[2]) * weight_x
    result: NDArray[np.float32] = upper + (lower - upper) * weight_y
    return result


def layered_noise(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    octaves: Sequence[tuple[float, float]],
    seed: int,
    *,
    period: float | None = None,
) -> NDArray[np.float32]:
    """Return the weighted sum of noises; `octaves` holds (wavelength, weight) pairs."""
    total = np.zeros(np.shape(x), dtype=np.float32)
    for number, (wavelength, weight) in enumerate(octaves):
        layer = value_noise(x, y, wavelength, hash_keys(seed, number), period=period)
        total += layer * np.float32(weight)
    return total


def _ease(fraction: NDArray[np.float32]) -> NDArray[np.float32]:
    eased: NDArray[np.float32] = fraction * fraction * (np.float32(3.0) - fraction - fraction)
    return eased


def _corner_values(
    column: NDArray[np.int64], row: NDArray[np.int64], seed: int, cells: int
) -> tuple[NDArray[np.float32], ...]:
    """Return the lattice values at the four corners of each point's square.

    Points that lie close together share their corners, so the corners are hashed once in a table
    and looked up; points scattered over the world are hashed one by one.
    """
    if column.size:
        first_column, first_row = int(column.min()), int(row.min())
        width = int(column.max()) - first_column + 2
        height = int(row.max()) - first_row + 2
        if width * height <= max(_SMALL_TABLE_CELLS, _TABLE_CELLS_PER_POINT * column.size):
            columns = np.arange(first_column, first_column + width, dtype=np.int64)
            rows = np.arange(first_row, first_row + height, dtype=np.int64)
            table = hash_lattice(_wrap(columns, cells)[None, :], rows[:, None], seed).ravel()
            place = (row - first_row) * width + (column - first_column)
            return tuple(table.take(place + offset) for offset in (0, 1, width, width + 1))
    return tuple(
        hash_lattice(_wrap(column + right, cells), row + below, seed)
        for below in (0, 1)
        for right in (0, 1)
    )


def _wrap(column: NDArray[np.int64], cells: int) -> NDArray[np.int64]:
    return column % cells if cells else column
