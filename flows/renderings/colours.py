"""From a chip's numbers to red, green and blue, by ranges that are written down.

Nothing here looks at the picture as a whole: the same number becomes the same colour in every chip,
so that a model may compare chips, and whoever reads `render.json` can go back from colour to value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from flows.samples.stretching import stretched

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8] | NDArray[np.uint16]

NO_DATA: Final = (0, 0, 0)
"""Colour of pixels without data, and of those whose index has no value; no ramp holds black."""


def composite(
    bands: Pixels, valid: NDArray[np.bool_], low: float, high: float
) -> NDArray[np.uint8]:
    """Makes three bands red, green and blue.

    Args:
        bands: (3, rows, columns), stored values.
        valid: (rows, columns), where there is data.
        low: Stored value that becomes 0; what is lower does too.
        high: Stored value that becomes 255; what is higher does too.

    Returns:
        (rows, columns, 3); halves are rounded up.
    """
    return _without_data(stretched(bands, low, high).transpose(1, 2, 0), valid)


def normalised_difference(
    first: Pixels, second: Pixels, valid: NDArray[np.bool_], zero: float = 0
) -> NDArray[np.float64]:
    """Computes (first − second) / (first + second).

    Args:
        first: (rows, columns), stored values; a factor that both bands share cancels out.
        second: Same shape.
        valid: Same shape, where there is data.
        zero: Stored value that stands for none; it is taken away first, and what is less counts
            as none.

    Returns:
        Same shape, −1 to 1; NaN where there is no data or the sum is zero.
    """
    a, b = (np.maximum(one.astype(np.float64) - zero, 0) for one in (first, second))
    total = a + b
    has_value = valid & (total != 0)
    index = np.full(a.shape, np.nan)
    np.divide(a - b, total, out=index, where=has_value)
    return index


def ramp(
    values: NDArray[np.float64], low: float, high: float, colours: Sequence[tuple[int, int, int]]
) -> NDArray[np.uint8]:
    """Colours values by stops that are evenly spaced from low to high, straight lines between.

    Args:
        values: (rows, columns); NaN where there is none.
        low: Value of the first colour; what is lower has it too.
        high: Value of the last colour; what is higher has it too.
        colours: Red, green and blue of each stop, 0 to 255; two at least.

    Returns:
        (rows, columns, 3); halves are rounded up.
    """
    valid = ~np.isnan(values)
    known = np.where(valid, values, low)
    stops = stop_values(low, high, len(colours))
    layers = [np.interp(known, stops, layer) for layer in zip(*colours, strict=True)]
    return _without_data(np.floor(np.stack(layers, axis=-1) + 0.5).astype(np.uint8), valid)


def stop_values(low: float, high: float, count: int) -> list[float]:
    """Returns the values of that many stops, evenly spaced from low to high."""
    return [low + (high - low) * number / (count - 1) for number in range(count)]


def _without_data(colours: NDArray[np.uint8], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.where(valid[..., None], colours, np.array(NO_DATA, np.uint8))
