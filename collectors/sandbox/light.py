"""The light of a made-up picture: turns the colours of things into the colours of a photo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from collectors.sandbox.chance import Draws

Colour = tuple[float, float, float]
Ink = tuple[int, int, int]

# Luma of ITU-R BT.601, which JPEG uses.
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Light:
    """Exposure, white balance and whether the photo is grey.

    Attributes:
        gain: factor on every colour.
        balance: factors on red, green and blue.
        lift: level of black, 0..60, as in haze.
        grey: whether there is no colour.
    """

    gain: float
    balance: Colour
    lift: float
    grey: bool

    def tone(self, colours: NDArray[np.floating]) -> NDArray[np.uint8]:
        """Lights colours.

        Args:
            colours: red, green and blue 0..255 on the last axis.

        Returns:
            The same shape, as bytes.
        """
        lit = colours.astype(np.float32) * (self.gain * np.array(self.balance, dtype=np.float32))
        if self.grey:
            lit = np.repeat((lit @ _LUMA)[..., np.newaxis], 3, axis=-1)
        lit = self.lift + lit * (1.0 - self.lift / 255.0)
        return np.clip(lit, 0.0, 255.0).astype(np.uint8)

    def ink(self, colour: Colour) -> Ink:
        """Lights one colour, for drawing."""
        red, green, blue = (c * self.gain * b for c, b in zip(colour, self.balance, strict=True))
        if self.grey:
            red = green = blue = 0.299 * red + 0.587 * green + 0.114 * blue
        room = 1.0 - self.lift / 255.0
        return (
            _byte(self.lift + red * room),
            _byte(self.lift + green * room),
            _byte(self.lift + blue * room),
        )


def draw_light(draws: Draws, *, gain: tuple[float, float], warmth: tuple[float, float]) -> Light:
    """Draws the light of a picture; one picture in twelve is grey.

    Args:
        draws: the picture's draws.
        gain: range of the exposure.
        warmth: range of the white balance; above 0 is towards red, below towards blue.

    Returns:
        The light.
    """
    warm = draws.uniform(*warmth)
    tint = draws.uniform(-0.04, 0.04)
    return Light(
        gain=draws.uniform(*gain),
        balance=(1.0 + warm, 1.0 + tint, 1.0 - warm),
        lift=draws.uniform(0.0, 45.0) if draws.happens(0.3) else 0.0,
        grey=draws.happens(1 / 12),
    )


def blend(colour: Colour, haze: Colour, share: float) -> Colour:
    """Mixes a colour with haze.

    Args:
        colour: of the thing, 0..255.
        haze: of the air, 0..255.
        share: of the haze, 0..1.

    Returns:
        The mixture.
    """
    red, green, blue = (c * (1 - share) + h * share for c, h in zip(colour, haze, strict=True))
    return red, green, blue


def _byte(value: float) -> int:
    return min(255, max(0, int(value)))
