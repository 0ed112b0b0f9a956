"""Pixels made beforehand, for measuring how fast a program takes them in.

The sandbox needs some 50 ms for the pixels of a chip; where the speed of a client is measured, the
sandbox would be what is measured. Here a few answers of each shape are made once and sent again and
again. They show no place: a cloudless surface with the noise of a sensor, as hard to compress as
real pixels. What is checked of a request stays checked.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.sandbox.bands import SceneBand
from collectors.sandbox.chance import hash_keys
from collectors.sandbox.landsat_pixels import LAND
from collectors.sandbox.noise import layered_noise

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from collectors.sandbox.bands import ImageBand
    from collectors.sandbox.pixels import PixelGrid

VARIANTS: Final = 4
"""Answers of each shape; which one a request gets depends on the request alone."""

_CANVAS_PX: Final = 512
"""Planes are painted this many pixels wide and high, or a multiple, and cut to shape: the windows
of flights of one resolution differ by a pixel."""

_RELIEF_M: Final = ((900.0, 0.6), (250.0, 0.4))
# Mean, relief and noise of surface reflectance (x 10,000) and of 8-bit aerial pixels; the noise is
# set so that answers compress no better than 3:1 by zstd's level 1, as tests check.
_REFLECTANCE: Final = (1_400.0, 600.0, 90.0)
_AERIAL: Final = (110.0, 50.0, 9.0)
# Scene classes of ground without cloud: vegetation, bare soil, water.
_CLASSES: Final = np.array([4, 5, 6], np.uint8)
_CLEAR: Final = 0.95
"""Cloud Score+ of clear ground."""


class Prerendered:
    """Keeps the answers; may be used from any thread.

    Args:
        write: Makes a file of the bands' names and planes, each (height, width).
    """

    def __init__(
        self, write: Callable[[Sequence[str], Sequence[NDArray[np.generic]]], bytes]
    ) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._answers: dict[tuple[object, ...], bytes] = {}

    def answer(self, bands: Sequence[ImageBand], grid: PixelGrid) -> bytes | None:
        """Return the file of a request that was checked already.

        Args:
            bands: What is asked for.
            grid: Where; its size alone matters.

        Returns:
            The file; None where a band is computed and not stored, which is never prerendered.
        """
        stored = [band for band in bands if isinstance(band, SceneBand)]
        if len(stored) < len(bands):
            return None
        variant = hash_keys(stored[0].scene.index, repr(grid.transform)) % VARIANTS
        shape = (grid.height, grid.width)
        key = (variant, shape, *(band.band for band in stored))
        # While one thread makes an answer the others wait for it instead of making it as well.
        with self._lock:
            if key not in self._answers:
                height, width = (_CANVAS_PX * -(-size // _CANVAS_PX) for size in shape)
                planes = [
                    _paint(band.name, band.dtype, band.band.step, (height, width), variant)[
                        : shape[0], : shape[1]
                    ]
                    for band in stored
                ]
                self._answers[key] = self._write([band.name for band in stored], planes)
            return self._answers[key]


@lru_cache(maxsize=256)
def _paint(
    name: str, dtype: np.dtype[np.generic], step: int, shape: tuple[int, int], variant: int
) -> NDArray[np.generic]:
    """Return the plane of a band, each value `step` pixels wide and high."""
    rows, columns = (-(-size // step) for size in shape)
    relief = _relief(rows, columns, 10.0 * step, variant)
    chance = np.random.default_rng(hash_keys("prerendered", name, variant))
    plane: NDArray[np.generic]
    if name == "SCL":
        plane = _CLASSES[np.clip((relief * 3).astype(np.intp), 0, 2)]
    elif name == "QA_PIXEL":
        plane = np.full((rows, columns), LAND)
    elif dtype.kind == "f":
        plane = _CLEAR + 0.04 * chance.random((rows, columns))
    elif name in ("QA60", "MSK_CLDPRB", "QA_RADSAT"):
        plane = np.zeros((rows, columns))
    else:
        mean, height, noise = _AERIAL if dtype.itemsize == 1 else _REFLECTANCE
        values = mean + height * (relief - 0.5) + chance.normal(0.0, noise, (rows, columns))
        # Zero would be a missing pixel.
        plane = np.clip(values, 1, 255 if dtype.itemsize == 1 else 10_000)
    wide = plane.astype(dtype).repeat(step, axis=0).repeat(step, axis=1)
    return wide[: shape[0], : shape[1]]


@lru_cache(maxsize=32)
def _relief(rows: int, columns: int, size_m: float, variant: int) -> NDArray[np.float64]:
    """Return a smooth field in [0, 1) over so many pixels of a size."""
    x, y = np.meshgrid(np.arange(columns) * size_m, np.arange(rows) * size_m)
    return np.asarray(layered_noise(x, y, _RELIEF_M, variant), np.float64)
