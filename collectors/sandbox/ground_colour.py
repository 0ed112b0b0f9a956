"""What colour the ground has at a place: its stone and soil, its plants, its roofs.

Land of one cover is not alike everywhere. Soils are red or grey, woods of needles or of leaves,
towns of tile or of slate, and lakes clear or full of mud; whoever stands there sees the same as
a satellite. Three slow fields say how the colour at a place differs from what is usual, and every
picture of the place, from the ground and from above, is coloured by them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.sandbox.chance import hash_keys
from collectors.sandbox.noise import CIRCUMFERENCE_M, layered_noise

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

COLOUR_SPACING_M: Final = 80.0
"""The fields vary slowly against this, so they may be interpolated between nodes that close."""

# Regions, valleys, and a few fields or streets: (wavelength in metres, weight).
_OCTAVES: Final = ((9_000.0, 0.3), (2_400.0, 0.3), (700.0, 0.4))
_CONTRAST: Final = 4.0

# By the value of `Cover`: how much of what lies beneath shows. Snow hides it;
# water and leaves take some of it.
_SHOWN: Final = np.array([0.6, 0.7, 0.8, 1.0, 1.0, 1.0, 0.15], dtype=np.float32)

# What the fields (redness, greenness, paleness) do to light of a colour, as powers of e.
_RED: Final = (0.32, -0.13, 0.32)
_GREEN: Final = (0.0, 0.26, 0.32)
_BLUE: Final = (-0.32, -0.13, 0.32)
_RED_EDGE: Final = (0.25, 0.05, 0.30)
_NEAR_INFRARED: Final = (0.05, 0.18, 0.25)
_SHORT_WAVE: Final = (0.28, -0.15, 0.30)
_CIRRUS: Final = (0.0, 0.0, 0.0)

_OF_BAND: Final[Mapping[str, tuple[float, float, float]]] = {
    "B1": _BLUE, "B2": _BLUE, "B3": _GREEN, "B4": _RED, "B5": _RED_EDGE,
    **dict.fromkeys(("B6", "B7", "B8", "B8A", "B9"), _NEAR_INFRARED),
    "B10": _CIRRUS, "B11": _SHORT_WAVE, "B12": _SHORT_WAVE,
    "R": _RED, "G": _GREEN, "B": _BLUE, "N": _NEAR_INFRARED,
}  # fmt: skip


class GroundColour:
    """Seeded colours of the ground of the whole Earth.

    Args:
        seed: Two worlds of one seed are the same.
    """

    def __init__(self, seed: int) -> None:
        self._seed = hash_keys(seed, "ground colour")

    def fields(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return how the colour differs from the usual, on the Mercator plane in metres.

        Returns:
            Array (3, ...) of redness, greenness and paleness, each -1 to 1.
        """
        layers = [
            layered_noise(x, y, _OCTAVES, hash_keys(self._seed, number), period=CIRCUMFERENCE_M)
            for number in range(3)
        ]
        spread = (np.stack(layers) - np.float32(0.5)) * np.float32(_CONTRAST)
        held: NDArray[np.float32] = np.clip(spread, np.float32(-1.0), np.float32(1.0))
        return held


def show(fields: NDArray[np.float32], cover: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return how much of the fields shows through what covers the ground.

    Args:
        fields: Of `GroundColour.fields`, shape (3, ...).
        cover: Values of `Cover`, the trailing shape.
    """
    shown: NDArray[np.float32] = fields * _SHOWN[cover]
    return shown


def brighten(band: str, fields: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the factors on a band's reflectance.

    Args:
        band: Of Sentinel-2 or of an aerial flight, such as "B8A" or "N".
        fields: Of `show`, shape (3, ...).

    Returns:
        Array of the trailing shape.
    """
    return _factors(_OF_BAND[band], fields)


def tint(fields: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the factors on red, green and blue as the eye sees them.

    Args:
        fields: Of `show`, shape (3, ...).

    Returns:
        Array of the trailing shape and a last axis of 3.
    """
    return np.stack([_factors(weights, fields) for weights in (_RED, _GREEN, _BLUE)], axis=-1)


def _factors(
    weights: tuple[float, float, float], fields: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return e to the power of the weighted sum, which is within 0.8, but for 4 %.

    Sums and products alone: they have the same bits on every processor, which `exp` has not.
    """
    power = sum(np.float32(weight) * field for weight, field in zip(weights, fields, strict=True))
    third, half, one = np.float32(1 / 6), np.float32(0.5), np.float32(1.0)
    factors: NDArray[np.float32] = one + power * (one + power * (half + power * third))
    return factors
