"""Landsat's numbers: reflectance and temperature as they are stored, and the bits of QA_PIXEL.

Source: Landsat 8-9 Collection 2 Level 2 Science Product Guide (LSDS-1619): scale factors, and the
values of the pixel quality band.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.sandbox.landcover import Cover

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

MSI_BAND: Final[Mapping[str, str]] = {
    "SR_B1": "B1", "SR_B2": "B2", "SR_B3": "B3", "SR_B4": "B4", "SR_B5": "B8A", "SR_B6": "B11",
    "SR_B7": "B12",
}  # fmt: skip
"""The band of Sentinel-2 that sees about the same wavelengths."""

LAND: Final = 21_824
"""Clear land: bit 6, and low confidence of cloud, shadow, snow and cirrus."""

WATER: Final = 21_952
SNOW: Final = 30_048
_SHADOW: Final = 23_888
_CLOUD: Final = 22_280
_CIRRUS: Final = 54_596
_RIM: Final = 2
_CLEAR: Final = 64
_WATER_BIT: Final = 128

_RIM_WIDTH: Final = -0.02
"""How far under its threshold the cloud field is in the rim that is laid around clouds."""

_OF_COVER: Final = np.array(
    [{Cover.WATER: WATER, Cover.SNOW: SNOW}.get(cover, LAND) for cover in Cover], np.uint16
)
_SUMMER_KELVIN: Final = np.array(
    [{Cover.WATER: 292.0, Cover.FOREST: 297.0, Cover.SNOW: 271.0}.get(one, 304.0) for one in Cover],
    np.float32,
)


def stored_reflectance(brightness: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Return reflectance x 10,000 as Landsat stores it: reflectance = number x 0.0000275 - 0.2."""
    numbers = (brightness * np.float32(1e-4) + np.float32(0.2)) / np.float32(0.0000275)
    stored: NDArray[np.uint16] = np.clip(np.rint(numbers), 1, 65_535).astype(np.uint16)
    return stored


def stored_temperature(
    cover: NDArray[np.uint8], greenness: float, opacity: NDArray[np.float32] | None
) -> NDArray[np.uint16]:
    """Return the surface's temperature as Landsat stores it: kelvin = number x 0.00341802 + 149.

    Args:
        cover: `Cover` of each pixel.
        greenness: -1 (midwinter) to 1 (midsummer).
        opacity: Of the clouds, whose cold tops are seen; None under a clear sky.
    """
    kelvin = _SUMMER_KELVIN[cover] - np.float32(11.0 * (1.0 - greenness))
    if opacity is not None:
        kelvin = kelvin + (np.float32(255.0) - kelvin) * opacity
    stored: NDArray[np.uint16] = np.rint((kelvin - 149.0) / 0.00341802).astype(np.uint16)
    return stored


def quality_bits(
    cover: NDArray[np.uint8],
    clouds: NDArray[np.float32],
    opacity: NDArray[np.float32] | None,
    shadows: NDArray[np.bool_],
    *,
    cirrus: bool,
) -> NDArray[np.uint16]:
    """Return QA_PIXEL.

    Args:
        cover: `Cover` of each pixel.
        clouds: Excess of the cloud field over its threshold.
        opacity: Thickness of the clouds, 0 to 1; None under a clear sky.
        shadows: Where a cloud's shadow lies.
        cirrus: Whether the scene's thin clouds are cirrus.
    """
    bits = _OF_COVER[cover]
    water = (bits & _WATER_BIT).astype(np.uint16)
    bits[shadows] = _SHADOW | water[shadows]
    rim = (clouds > _RIM_WIDTH) & (clouds <= 0.0)
    bits[rim] = (bits[rim] | _RIM) & ~np.uint16(_CLEAR)
    if opacity is not None:
        bits[clouds > 0.0] = _CIRRUS if cirrus else _CLOUD
        bits[opacity > 0.7] = _CLOUD
    return bits
