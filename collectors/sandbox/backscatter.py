"""How brightly each cover scatters Sentinel-1's waves back, with speckle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.sandbox.landcover import Cover
from collectors.sandbox.noise import hash_lattice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

# Backscatter in dB in summer at an incidence of 38 degrees, after the usual figures of C band.
_VV: Final[Mapping[Cover, float]] = {
    Cover.WATER: -19.0, Cover.FOREST: -8.5, Cover.GRASS: -12.0, Cover.CROPS: -10.5,
    Cover.BARE: -13.5, Cover.URBAN: -4.0, Cover.SNOW: -14.0,
}  # fmt: skip
_VH: Final[Mapping[Cover, float]] = {
    Cover.WATER: -27.0, Cover.FOREST: -14.0, Cover.GRASS: -19.0, Cover.CROPS: -17.0,
    Cover.BARE: -22.0, Cover.URBAN: -11.0, Cover.SNOW: -21.0,
}  # fmt: skip
_GREEN: Final = {Cover.FOREST: 0.5, Cover.GRASS: 1.0, Cover.CROPS: 2.5}
"""By how many dB growth brightens a cover, from midwinter to midsummer."""

_RELIEF_DB: Final = 3.0
_DB_IN_DEGREE: Final = 0.12
MIDDLE_ANGLE: Final = 38.45
"""Incidence in the middle of a swath, degrees."""

_HALF_SWATH_ANGLE: Final = 7.55
"""To either side: 30.9 to 46 degrees (Sentinel-1 Product Definition, Interferometric Wide)."""

_SPREAD_DB: Final = 4.3
"""Three uniform numbers, so scaled, have the 2.15 dB of the 4.4 looks of such a product (same)."""

_SKEW: Final = 0.06
"""In dB, dark speckles are further from the mean than bright ones."""


def incidence(across: NDArray[np.float64], *, ascending: bool) -> NDArray[np.float32]:
    """Return the angle of incidence in degrees.

    Args:
        across: Place in the swath, -1 at its western edge to 1 at its eastern one.
        ascending: Whether the satellite flew north; it looks to its right.
    """
    angle = MIDDLE_ANGLE + _HALF_SWATH_ANGLE * (across if ascending else -across)
    return np.asarray(angle, np.float32)


def backscatter(
    band: str,
    cover: NDArray[np.uint8],
    texture: NDArray[np.float32],
    greenness: float,
    angle: NDArray[np.float32],
    speckle: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return the values of VV or VH, dB.

    Sums and products alone: they have the same bits on every processor, which a logarithm has not.

    Args:
        band: "VV" or "VH".
        cover: Values of `Cover`, any shape; all the other arrays have it, too.
        texture: Fine brightness, 0 to 1.
        greenness: -1 (midwinter) to 1.
        angle: Of `incidence`.
        speckle: Of `speckle_of`.
    """
    means = _VV if band == "VV" else _VH
    table = [means[one] - _GREEN.get(one, 0.0) * (1.0 - greenness) / 2.0 for one in Cover]
    values = np.array(table, np.float32)[cover]
    values += np.float32(_RELIEF_DB) * (texture - np.float32(0.5))
    values -= np.float32(_DB_IN_DEGREE) * (angle - np.float32(MIDDLE_ANGLE))
    found: NDArray[np.float32] = values + speckle
    return found


def speckle_of(
    rows: NDArray[np.int64], columns: NDArray[np.int64], *seeds: int
) -> NDArray[np.float32]:
    """Return the speckle at pixels of a scene, dB; `rows` and `columns` broadcast.

    Args:
        rows: Rows of the scene.
        columns: Columns of the scene.
        seeds: Three, of the scene and the band.
    """
    total = np.zeros(np.broadcast_shapes(rows.shape, columns.shape), np.float32)
    for seed in seeds:
        total += hash_lattice(columns, rows, seed)
    even = (total - np.float32(0.5 * len(seeds))) * np.float32(_SPREAD_DB)
    variance = np.float32(_SPREAD_DB**2 * len(seeds) / 12)
    skewed: NDArray[np.float32] = even - np.float32(_SKEW) * (even * even - variance)
    return skewed
