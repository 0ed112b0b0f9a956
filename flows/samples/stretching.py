"""From a chip's numbers to shades that a picture holds: the one way in which it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FULL: Final = 255


def stretched(
    pixels: NDArray[np.uint8] | NDArray[np.uint16], low: float, high: float
) -> NDArray[np.uint8]:
    """Spreads numbers over 0 to 255, the same number to the same shade in every chip.

    Args:
        pixels: Stored values, of any shape.
        low: Stored value that becomes 0; what is lower does too.
        high: Stored value that becomes 255; what is higher does too.

    Returns:
        Same shape; halves are rounded up.
    """
    above = np.clip(pixels.astype(np.float64), low, high) - low
    # One division: a half is a half, and what is less by 1 in 2 · 65,535 is far from it.
    return np.floor(above * _FULL / (high - low) + 0.5).astype(np.uint8)
