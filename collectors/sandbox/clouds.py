"""The clouds of a satellite's scene, whose share agrees with the scene's metadata."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
import shapely

from collectors.sandbox.noise import layered_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from collectors.sandbox.scenes import Scene

NODE_STEP: Final = 8
"""Pixels between the places where the field is computed; in between it is interpolated."""

_OCTAVES: Final = ((7_000.0, 0.35), (2_600.0, 0.35), (1_000.0, 0.2), (400.0, 0.1))
_SAMPLE_STEP: Final = 64
_EDGE: Final = 0.06
_SHADOW_OFFSET_M: Final = (-450.0, -600.0)


class CloudCover:
    """Where the clouds of one scene are.

    Args:
        scene: A scene of Sentinel-2, Cloud Score+ or Landsat.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._threshold = cloud_threshold(scene)

    def excess(
        self, rows: NDArray[np.float64], columns: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Return how far the cloud field exceeds its threshold: cloud where above zero.

        Args:
            rows: Pixel rows of the scene, any shape.
            columns: Pixel columns, same shape.
        """
        return _field(self._scene, rows, columns) - self._threshold

    def shadow_excess(
        self, rows: NDArray[np.float64], columns: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Return the same for the shadows, which the morning sun throws to the north-west."""
        # Landsat's scenes have negative northings in the south.
        southern = self._scene.crs[5:8] == "327" or self._scene.north <= 0.0
        side = -1.0 if southern else 1.0
        gsd = self._scene.gsd
        return self.excess(
            rows - side * _SHADOW_OFFSET_M[1] / gsd, columns - _SHADOW_OFFSET_M[0] / gsd
        )


def thickness(excess: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the opacity, 0 to 1, of a cloud field's excess over its threshold."""
    edge: NDArray[np.float32] = np.clip(
        np.float32(0.35) + excess * np.float32(0.65 / _EDGE), np.float32(0.0), np.float32(1.0)
    )
    return np.where(excess > 0.0, edge, np.float32(0.0))


@lru_cache(maxsize=2048)
def cloud_threshold(scene: Scene) -> np.float32:
    """Return the value above which the field is cloud, so that the scene's share comes out.

    The field is sampled over the scene's footprint every 64 pixels.
    """
    if scene.cloud_percent <= 0.0:
        return np.float32(np.inf)
    rows, columns = np.mgrid[
        _SAMPLE_STEP // 2 : scene.rows : _SAMPLE_STEP,
        _SAMPLE_STEP // 2 : scene.columns : _SAMPLE_STEP,
    ].astype(np.float64)
    values = _field(scene, rows, columns)
    shape = scene.footprint.shape
    if shape.area < 0.999 * scene.rows * scene.columns * scene.gsd**2:
        x, y = scene.west + columns * scene.gsd, scene.north - rows * scene.gsd
        seen = values[shapely.contains_xy(shape, x, y)]
        values = seen if seen.size else values
    return np.float32(np.quantile(values, 1.0 - min(scene.cloud_percent, 100.0) / 100.0))


def _field(
    scene: Scene, rows: NDArray[np.float64], columns: NDArray[np.float64]
) -> NDArray[np.float32]:
    return layered_noise(columns * scene.gsd, rows * scene.gsd, _OCTAVES, scene.seed)
