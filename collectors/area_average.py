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
from scipy.sparse import csr_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from collectors.geo import ChipGrid

Pixel = TypeVar("Pixel", np.uint8, np.uint16)

_SAME_EDGE_PX: Final = 1e-6
"""Edges nearer than this, in source pixels, are one edge: the rest of floating-point division."""

_ROWS_AT_ONCE: Final = 28
"""Target rows worked on together: one megabyte for four bands of 0.6 m."""

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
    rows = _shares((window.north_m - (north - steps)) / window.pixel_height_m, window.rows)
    columns = _shares((west + steps - window.west_m) / window.pixel_width_m, window.columns)
    full = (grid.scale_m / window.pixel_height_m) * (grid.scale_m / window.pixel_width_m)
    # The small allowance keeps a pixel that is covered by exactly one half.
    least = (_LEAST_COVER - 1e-9) * full
    bands = len(data)
    valid = data.any(axis=0, keepdims=True)
    holed = not valid.all()
    layers = np.concatenate([data, valid.astype(data.dtype)]) if holed else data
    averaged = np.empty((bands, grid.size_px, grid.size_px), data.dtype)
    # Some rows at a time: what is worked on stays in the processor's cache.
    for top in range(0, grid.size_px, _ROWS_AT_ONCE):
        part = rows[top : top + _ROWS_AT_ONCE]
        sums = columns @ _sum_rows(part, layers)
        sums = sums.reshape(grid.size_px, len(layers), -1)  # (columns, bands, rows)
        extent = np.outer(columns.sum(axis=1), part.sum(axis=1))[:, None]
        weight = sums[:, bands:] if holed else extent
        sums = sums[:, :bands]
        mean = np.divide(sums, weight, out=np.zeros_like(sums), where=weight >= least)
        # A half is a half in single precision; in double it is a little more or less, by chance.
        whole = np.rint(mean.astype(np.float32)).astype(data.dtype)
        averaged[:, top : top + _ROWS_AT_ONCE] = whole.transpose(1, 2, 0)
    return averaged


def _sum_rows(part: csr_array, layers: NDArray[Any]) -> NDArray[np.float64]:
    """Sums source rows to target rows.

    Args:
        part: (target rows, source rows), their shares.
        layers: (bands, source rows, source columns).

    Returns:
        (source columns, bands × target rows), so that the columns can be summed likewise.
    """
    first, stop = part.indices.min(), part.indices.max() + 1
    touched = layers[:, first:stop].transpose(1, 0, 2).astype(np.float64, order="C")
    sums = part[:, first:stop] @ touched.reshape(stop - first, -1)
    columns = layers.shape[2]
    by_column = sums.reshape(len(sums), -1, columns).transpose(2, 1, 0)
    return np.ascontiguousarray(by_column).reshape(columns, -1)


def _shares(edges: NDArray[np.floating[Any]], count: int) -> csr_array:
    """Returns how much of which source pixels lies between neighbouring edges.

    Args:
        edges: Edges of the target pixels in fractional source pixels, growing.
        count: Number of source pixels; what lies outside them holds no data.

    Returns:
        (targets, count) lengths of the overlaps, in source pixels.
    """
    whole = np.rint(edges)
    edges = np.clip(np.where(np.abs(edges - whole) < _SAME_EDGE_PX, whole, edges), 0, count)
    first = np.floor(edges[:-1])
    most = int((np.ceil(edges[1:]) - first).max())
    pixel = first[:, None] + np.arange(most)
    share = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    touched = share > 0
    target, _ = np.nonzero(touched)
    places = (target, pixel[touched].astype(np.intp))
    return csr_array((share[touched], places), shape=(len(first), count))
