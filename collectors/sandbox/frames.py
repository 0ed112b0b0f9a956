"""Pixels of a scene's own grid, as a window or as single places, and slow fields over them.

A field that varies slowly is computed at nodes a fixed number of pixels apart, counted from the
scene's first pixel, and interpolated between them. Every request therefore finds the same value
at the same pixel, whatever window it asks for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, TypeVar

import numpy as np

from collectors.sandbox.geometry import LONLAT, reproject
from collectors.sandbox.landcover import mercator
from collectors.sandbox.noise import CIRCUMFERENCE_M

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from collectors.sandbox.scenes import Scene

PLACE_STEP: Final = 64
"""Pixels between the places whose longitude and latitude are computed; linear in between.

At 10 m this is 640 m, over which a chord leaves the Mercator curve by less than 2 cm.
"""

Field: TypeAlias = "Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float32]]"
_Number = TypeVar("_Number", np.float32, np.float64)


class Frame(Protocol):
    """Some pixels of a scene."""

    @property
    def rows(self) -> NDArray[np.int64]:
        """Rows of the scene."""

    @property
    def columns(self) -> NDArray[np.int64]:
        """Columns of the scene."""

    def mercator(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the pixels' places on the Mercator plane, metres."""

    def place_field(self, step: int, field: Field) -> NDArray[np.float32]:
        """Return a slow field of the Mercator plane; leading axes of the field stay in front."""

    def pixel_field(self, step: int, field: Field) -> NDArray[np.float32]:
        """Return a slow field of the scene's (rows, columns)."""


@dataclass(frozen=True, slots=True)
class WindowFrame:
    """A full rectangle of pixels.

    Attributes:
        scene: Whose pixels.
        rows: Rows, one after another, shape (n,).
        columns: Columns, one after another, shape (m,).
    """

    scene: Scene
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]

    def mercator(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """See `Frame`; arrays of shape (rows, columns)."""
        return _window_mercator(self.scene, self.rows, self.columns)

    def place_field(self, step: int, field: Field) -> NDArray[np.float32]:
        """See `Frame`."""
        row_nodes, column_nodes = _nodes(self.rows, step), _nodes(self.columns, step)
        values = field(*_window_mercator(self.scene, row_nodes, column_nodes))
        return interpolate(values, row_nodes, column_nodes, self.rows, self.columns, step)

    def pixel_field(self, step: int, field: Field) -> NDArray[np.float32]:
        """See `Frame`."""
        row_nodes, column_nodes = _nodes(self.rows, step), _nodes(self.columns, step)
        rows, columns = np.meshgrid(row_nodes, column_nodes, indexing="ij")
        values = field(rows.astype(np.float64), columns.astype(np.float64))
        return interpolate(values, row_nodes, column_nodes, self.rows, self.columns, step)


@dataclass(frozen=True, slots=True)
class PointFrame:
    """Scattered pixels.

    Attributes:
        scene: Whose pixels.
        rows: Rows, any shape.
        columns: Columns, same shape.
    """

    scene: Scene
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]

    def mercator(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """See `Frame`."""
        return _point_mercator(self.scene, self.rows, self.columns)

    def place_field(self, step: int, field: Field) -> NDArray[np.float32]:
        """See `Frame`."""
        return self._weigh(
            step, lambda rows, columns: field(*_point_mercator(self.scene, rows, columns))
        )

    def pixel_field(self, step: int, field: Field) -> NDArray[np.float32]:
        """See `Frame`."""
        return self._weigh(
            step,
            lambda rows, columns: field(rows.astype(np.float64), columns.astype(np.float64)),
        )

    def _weigh(
        self,
        step: int,
        field: Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float32]],
    ) -> NDArray[np.float32]:
        top, left = self.rows // step * step, self.columns // step * step
        down = ((self.rows - top) / step).astype(np.float32)
        across = ((self.columns - left) / step).astype(np.float32)
        upper_left, upper_right = field(top, left), field(top, left + step)
        lower_left, lower_right = field(top + step, left), field(top + step, left + step)
        # Rows first, then columns: the order in which a window is interpolated.
        west = upper_left + (lower_left - upper_left) * down
        east = upper_right + (lower_right - upper_right) * down
        result: NDArray[np.float32] = west + (east - west) * across
        return result


def _nodes(pixels: NDArray[np.int64], step: int) -> NDArray[np.int64]:
    first = int(pixels[0]) // step
    last = int(pixels[-1]) // step + 1
    return np.arange(first, last + 1, dtype=np.int64) * step


def interpolate(
    values: NDArray[_Number],
    row_nodes: NDArray[np.int64],
    column_nodes: NDArray[np.int64],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    step: int,
) -> NDArray[_Number]:
    """Interpolate values (..., row nodes, column nodes) at each of (rows, columns)."""
    if step == 1:
        return values[..., : rows.size, : columns.size]
    top = (rows - row_nodes[0]) // step
    left = (columns - column_nodes[0]) // step
    down = ((rows % step) / step).astype(values.dtype)[:, None]
    across = ((columns % step) / step).astype(values.dtype)
    upper = values[..., top, :]
    strips = upper + (values[..., top + 1, :] - upper) * down
    west = strips[..., left]
    result: NDArray[_Number] = strips[..., left + 1]
    result -= west
    result *= across
    result += west
    return result


def _window_mercator(
    scene: Scene, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    row_nodes, column_nodes = _nodes(rows, PLACE_STEP), _nodes(columns, PLACE_STEP)
    grid_rows, grid_columns = np.meshgrid(row_nodes, column_nodes, indexing="ij")
    x, y = _point_mercator(scene, grid_rows, grid_columns)
    return (
        interpolate(x, row_nodes, column_nodes, rows, columns, PLACE_STEP),
        interpolate(y, row_nodes, column_nodes, rows, columns, PLACE_STEP),
    )


def _point_mercator(
    scene: Scene, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    easting = scene.west + (columns.astype(np.float64) + 0.5) * scene.gsd
    northing = scene.north - (rows.astype(np.float64) + 0.5) * scene.gsd
    x, y = mercator(*reproject(easting, northing, scene.crs, LONLAT))
    if x.size:
        # Across the antimeridian the longitudes jump; the noise has no seam there, but the
        # interpolation would.
        x -= CIRCUMFERENCE_M * np.round((x - x.flat[0]) / CIRCUMFERENCE_M)
    return x, y
