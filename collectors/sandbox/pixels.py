"""Pixels of a scene on any grid: nearest neighbour, and zero with a mask where there are none."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.sandbox.frames import PointFrame, WindowFrame, interpolate
from collectors.sandbox.geometry import reproject, working_crs
from collectors.sandbox.layers import SceneLayers
from collectors.sandbox.scenes import Sensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from collectors.sandbox.frames import Frame
    from collectors.sandbox.landcover import Landcover
    from collectors.sandbox.scenes import Band, Scene

QA60_OFF_MS: Final = (1_643_068_800_000, 1_709_078_400_000)
"""QA60 is masked between 2022-01-25 and 2024-02-28 (Earth Engine catalogue)."""

_WINDOW_ALIGNMENT: Final = 6
_MAX_WASTE: Final = 4
_FREE_PIXELS: Final = 250_000
_GRID_STEP: Final = 16
_PIXEL_EPSILON: Final = 1e-6


@dataclass(frozen=True, slots=True)
class PixelGrid:
    """The pixels that a request asks for.

    Attributes:
        crs: CRS code.
        transform: (scale x, shear x, translate x, shear y, scale y, translate y): column and row
            edges to coordinates, as `affineTransform` gives them.
        width: Columns.
        height: Rows.
    """

    crs: str
    transform: tuple[float, float, float, float, float, float]
    width: int
    height: int

    def centres(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return coordinates of the pixel centres, two arrays (height, width)."""
        columns, rows = np.meshgrid(np.arange(self.width) + 0.5, np.arange(self.height) + 0.5)
        return self.place(columns, rows)

    def place(
        self, columns: NDArray[np.float64], rows: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return coordinates of places counted in columns and rows."""
        scale_x, shear_x, left, shear_y, scale_y, top = self.transform
        return (
            scale_x * columns + shear_x * rows + left,
            shear_y * columns + scale_y * rows + top,
        )


class SceneReader:
    """Reads bands of one scene on one grid; what the bands share is computed once.

    Args:
        scene: The scene.
        grid: The pixels asked for.
        landcover: The ground.
    """

    def __init__(self, scene: Scene, grid: PixelGrid, landcover: Landcover) -> None:
        self._scene = scene
        self._landcover = landcover
        rows, columns = _locate(scene, grid)
        inside_rows = (rows >= 0) & (rows < scene.rows)
        inside_columns = (columns >= 0) & (columns < scene.columns)
        self._inside = inside_rows & inside_columns
        self._shape = np.broadcast_shapes(rows.shape, columns.shape)
        self._rows, self._columns = rows, columns
        self._layers: dict[int, SceneLayers] = {}

    def read(self, band: Band) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        """Return the values and the mask of a band, both (height, width).

        Values under a false mask are zero.
        """
        if not self._inside.any():
            return np.zeros(self._shape, band.dtype), np.zeros(self._shape, np.bool_)
        values, valid = self._window(band)
        return values, valid

    @cached_property
    def _frame(self) -> Frame:
        """The pixels that are computed: a window around all, or just those asked for."""
        rows, columns = (
            np.clip(self._rows, 0, self._scene.rows - 1),
            np.clip(self._columns, 0, self._scene.columns - 1),
        )
        unit = _WINDOW_ALIGNMENT if self._scene.sensor is not Sensor.NAIP else 1
        top, bottom = _aligned(rows, unit)
        left, right = _aligned(columns, unit)
        area = (bottom - top) * (right - left)
        if area <= _FREE_PIXELS + _MAX_WASTE * self._inside.size:
            return WindowFrame(self._scene, np.arange(top, bottom), np.arange(left, right))
        whole_rows, whole_columns = np.broadcast_arrays(rows, columns)
        return PointFrame(self._scene, whole_rows, whole_columns)

    @cached_property
    def _place(self) -> tuple[NDArray[np.int64], NDArray[np.int64]] | tuple[slice, slice]:
        """Where the requested pixels lie in a window."""
        frame = self._frame
        rows = np.clip(self._rows, 0, self._scene.rows - 1) - frame.rows[0]
        columns = np.clip(self._columns, 0, self._scene.columns - 1) - frame.columns[0]
        if rows.shape[1] == 1 and columns.shape[0] == 1:
            row_slice, column_slice = _as_slice(rows[:, 0]), _as_slice(columns[0])
            if row_slice is not None and column_slice is not None:
                return row_slice, column_slice
        return rows, columns

    def _window(self, band: Band) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        frame = self._frame
        if isinstance(frame, WindowFrame):
            layers = self._layers.setdefault(1, SceneLayers(self._scene, frame, self._landcover))
            coarse = layers.thinned(band.step)
            values = coarse.band(band)
            if band.step > 1:
                values = values.repeat(band.step, axis=0).repeat(band.step, axis=1)
            values, valid = values[self._place], layers.valid[self._place]
        else:
            layers = self._layers.get(band.step) or SceneLayers(
                self._scene,
                PointFrame(
                    self._scene,
                    frame.rows // band.step * band.step,
                    frame.columns // band.step * band.step,
                ),
                self._landcover,
            )
            self._layers[band.step] = layers
            fine = self._layers.setdefault(1, SceneLayers(self._scene, frame, self._landcover))
            values, valid = layers.band(band), fine.valid
        valid = valid & self._inside
        if band.name == "QA60" and QA60_OFF_MS[0] <= self._scene.time_ms < QA60_OFF_MS[1]:
            valid = np.zeros_like(valid)
        if band.name == "ST_B10" and self._scene.properties["PROCESSING_LEVEL"] == "L2SR":
            valid = np.zeros_like(valid)
        if not valid.all():
            values = np.where(valid, values, np.zeros((), values.dtype))
        return values, valid


def _locate(scene: Scene, grid: PixelGrid) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the scene's (rows, columns) under a grid's pixel centres, broadcastable."""
    scale_x, shear_x, left, shear_y, scale_y, top = grid.transform
    if working_crs(grid.crs) == working_crs(scene.crs) and not shear_x and not shear_y:
        x = (left + scale_x * (np.arange(grid.width) + 0.5))[None, :]
        y = (top + scale_y * (np.arange(grid.height) + 0.5))[:, None]
    else:
        x, y = _project_grid(grid, scene.crs)
    columns = np.floor((x - scene.west) / scene.gsd + _PIXEL_EPSILON).astype(np.int64)
    rows = np.floor((scene.north - y) / scene.gsd + _PIXEL_EPSILON).astype(np.int64)
    return rows, columns


def _project_grid(grid: PixelGrid, crs: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a grid's pixel centres in another CRS, linear between every sixteenth pixel.

    Over 16 pixels of size s the chord leaves the curve by s * (32 s / Earth's radius): nothing
    for pixels of metres, and a small part of a pixel for those of kilometres.
    """
    across = np.arange(0, grid.width + _GRID_STEP, _GRID_STEP)
    down = np.arange(0, grid.height + _GRID_STEP, _GRID_STEP)
    columns, rows = np.meshgrid(across + 0.5, down + 0.5)
    x, y = reproject(*grid.place(columns, rows), grid.crs, crs)
    x, y = np.where(np.isfinite(x), x, 1e12), np.where(np.isfinite(y), y, 1e12)
    pixel_rows, pixel_columns = np.arange(grid.height), np.arange(grid.width)
    nodes = (down, across, pixel_rows, pixel_columns, _GRID_STEP)
    return interpolate(x, *nodes), interpolate(y, *nodes)


def _aligned(pixels: NDArray[np.int64], unit: int) -> tuple[int, int]:
    first = int(pixels.min()) // unit * unit
    return first, (int(pixels.max()) // unit + 1) * unit


def _as_slice(places: NDArray[np.int64]) -> slice | None:
    if places.size == 1 or bool((np.diff(places) == 1).all()):
        return slice(int(places[0]), int(places[-1]) + 1)
    return None
