"""Averaging pixels by area from a scene's own grid to a chip's grid, exactly.

Both grids are north up in the same CRS, so the weight of a source pixel in a target pixel is the
product of two overlaps, one of rows and one of columns, and the average is done along one axis
after the other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from collectors.geo import ChipGrid

Pixel = TypeVar("Pixel", np.uint8, np.uint16)

_SAME_EDGE_PX: Final = 1e-6
"""Edges nearer than this, in source pixels, are one edge: the rest of floating-point division."""

_LEAST_COVER: Final = 0.5
"""A target pixel less than half covered by data is missing."""


@dataclass(frozen=True, slots=True)
class SourceWindow:
    """The pixels of a scene's own grid that cover a chip.

    Attributes:
        west_m: x of the outer edge of the first column, metres of the scene's CRS.
        north_m: y of the outer edge of the first row.
        pixel_width_m: Width of a pixel.
        pixel_height_m: Height of a pixel, positive.
        columns: Number of columns.
        rows: Number of rows.
    """

    west_m: float
    north_m: float
    pixel_width_m: float
    pixel_height_m: float
    columns: int
    rows: int


def source_window(
    transform: tuple[float, float, float, float, float, float], grid: ChipGrid
) -> SourceWindow:
    """Returns the smallest window of a scene's own pixels that covers a chip.

    Args:
        transform: (a, b, c, d, e, f) of the scene, in rasterio's order, metres of the chip's CRS.
            Rows may run north or south; the window's run south.
        grid: The chip's grid.

    Raises:
        ValueError: If the scene's grid is rotated or sheared.
    """
    a, b, c, d, e, f = transform
    if b or d or a <= 0 or e == 0:
        raise ValueError(f"the grid {transform} is rotated, which is not supported")
    west, south, east, north = grid.bounds
    height = abs(e)
    first_column = math.floor((west - c) / a + _SAME_EDGE_PX)
    last_column = math.ceil((east - c) / a - _SAME_EDGE_PX)
    # Rows are counted southward from f, whichever way the scene's own rows run.
    first_row = math.floor((f - north) / height + _SAME_EDGE_PX)
    last_row = math.ceil((f - south) / height - _SAME_EDGE_PX)
    return SourceWindow(
        c + first_column * a, f - first_row * height, a, height,
        last_column - first_column, last_row - first_row,
    )  # fmt: skip


def average_by_area(data: NDArray[Pixel], window: SourceWindow, grid: ChipGrid) -> NDArray[Pixel]:
    """Averages the pixels of a window to the pixels of a chip, weighted by area.

    Source pixels whose bands are all 0 are missing and have no weight, so they do not darken what
    is beside them. A target pixel is 0 in every band where less than half of it holds data.

    Args:
        data: (bands, rows, columns) of the window.
        window: Where they lie.
        grid: The chip's grid, inside the window.

    Returns:
        (bands, rows, columns) of the chip, rounded to whole numbers, half to even.
    """
    west, _, _, north = grid.bounds
    steps = np.arange(grid.size_px + 1) * grid.scale_m
    rows = np.clip((window.north_m - (north - steps)) / window.pixel_height_m, 0, window.rows)
    columns = np.clip((west + steps - window.west_m) / window.pixel_width_m, 0, window.columns)
    valid = data.any(axis=0, keepdims=True).astype(data.dtype)
    layers = np.concatenate([data, valid])
    sums = _integrate(_integrate(layers, rows, axis=1), columns, axis=2)
    weight = sums[-1]
    full = (grid.scale_m / window.pixel_height_m) * (grid.scale_m / window.pixel_width_m)
    # The small allowance keeps a pixel that is covered by exactly one half.
    covered = weight >= (_LEAST_COVER - 1e-9) * full
    mean = np.divide(sums[:-1], weight, out=np.zeros_like(sums[:-1]), where=covered)
    averaged: NDArray[Pixel] = np.rint(mean).astype(data.dtype)
    return averaged


def _integrate(layers: NDArray[Any], edges: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Sums what lies between neighbouring edges, given in fractional source pixels, on one axis."""
    moved = np.moveaxis(layers, axis, -1)
    running = np.zeros((*moved.shape[:-1], moved.shape[-1] + 1))
    np.cumsum(moved, axis=-1, out=running[..., 1:])
    whole = np.minimum(np.floor(edges).astype(np.intp), moved.shape[-1] - 1)
    part = edges - whole
    at_edges = running[..., whole] + part * moved[..., whole]
    return np.moveaxis(np.diff(at_edges, axis=-1), -1, axis)
