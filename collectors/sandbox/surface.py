"""How bright each cover is in each band, by season."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.sandbox.landcover import Cover
from collectors.sandbox.noise import uniform
from collectors.sandbox.scenes import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

# Surface reflectance x 10,000 in summer, drawn after the usual shapes of the spectra.
_BANDS: Final = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12")
_SPECTRA: Final[Mapping[Cover, tuple[int, ...]]] = {
    Cover.WATER: (600, 520, 450, 330, 300, 250, 240, 220, 200, 180, 12, 120, 90),
    Cover.FOREST: (280, 300, 480, 330, 850, 2300, 2800, 2950, 3100, 3000, 14, 1400, 650),
    Cover.GRASS: (420, 500, 850, 700, 1400, 2600, 3000, 3200, 3300, 3200, 16, 2200, 1300),
    Cover.CROPS: (560, 700, 1050, 1100, 1700, 2300, 2600, 2800, 2900, 2850, 16, 2700, 1900),
    Cover.BARE: (900, 1150, 1600, 2050, 2300, 2450, 2600, 2700, 2850, 2800, 18, 3600, 3200),
    Cover.URBAN: (1150, 1350, 1500, 1650, 1750, 1850, 1950, 2050, 2100, 2100, 18, 2200, 2050),
    Cover.SNOW: (8200, 8400, 8200, 8000, 7800, 7500, 7200, 6900, 6600, 5600, 40, 900, 700),
}
_GREEN: Final = {Cover.FOREST: 0.35, Cover.GRASS: 0.6, Cover.CROPS: 1.0}
_LEAF_BANDS: Final = frozenset({"B6", "B7", "B8", "B8A", "B9"})
_PIGMENT_BANDS: Final = frozenset({"B2", "B3", "B4", "B5", "B11", "B12"})
_AERIAL_BANDS: Final = {"R": "B4", "G": "B3", "B": "B2", "N": "B8"}
_AERIAL_BRIGHT: Final = 3_600.0
_GREENEST_DAY: Final = 166

CLOUD_REFLECTANCE: Final[Mapping[str, float]] = {
    **dict.fromkeys(_BANDS, 6_200.0),
    "B9": 4_200.0,
    "B10": 300.0,
    "B11": 4_000.0,
    "B12": 3_000.0,
}
"""Reflectance x 10,000 of a thick cloud."""


def season(time_ms: int, lat: float) -> float:
    """Return how green the land is, from -1 (midwinter) to 1 (midsummer)."""
    moment = dt.datetime.fromtimestamp(time_ms // DAY_MS * 86_400, tz=dt.UTC)
    angle = 2.0 * math.pi * (moment.timetuple().tm_yday - _GREENEST_DAY) / 365.25
    swing = min(abs(lat) / 45.0, 1.0)
    return math.cos(angle) * swing * (1.0 if lat >= 0.0 else -1.0)


def reflectance(band: str, greenness: float, haze: float) -> NDArray[np.float32]:
    """Return a table of reflectance x 10,000 by `Cover` for a Sentinel-2 band.

    Args:
        band: For example "B8A".
        greenness: From `season`.
        haze: 0 (clear air) to 1; it brightens the short waves.
    """
    place = _BANDS.index(band)
    lift = 260.0 * haze * max(0.0, 1.0 - place / 6.0)
    values = []
    for cover in Cover:
        value = float(_SPECTRA[cover][place])
        withering = _GREEN.get(cover, 0.0) * (1.0 - greenness) / 2.0
        if band in _LEAF_BANDS:
            value *= 1.0 - 0.35 * withering
        elif band in _PIGMENT_BANDS:
            value *= 1.0 + 0.5 * withering
        values.append(value + lift)
    return np.array(values, dtype=np.float32)


def aerial_brightness(band: str, greenness: float, seed: int) -> NDArray[np.float32]:
    """Return a table of digital numbers 0..255 by `Cover` for an aerial band (R, G, B or N).

    Args:
        band: "R", "G", "B" or "N".
        greenness: From `season`.
        seed: Each campaign's film is developed a little differently.
    """
    exposure = 0.9 + 0.2 * uniform(seed, 1)
    share = reflectance(_AERIAL_BANDS[band], greenness, 0.3) / np.float32(_AERIAL_BRIGHT)
    # Aerial photos are developed brighter in the shadows than the ground is.
    developed: NDArray[np.float32] = np.minimum(share, 1.0) ** np.float32(0.6)
    return developed * np.float32(225.0 * exposure)
