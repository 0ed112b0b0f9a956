"""Cloud and shadow from the bits of Landsat's pixel quality band, QA_PIXEL of Collection 2.

Source: Landsat 8-9 Collection 2 Level 2 Science Product Guide (LSDS-1619), pixel quality
assessment band; the same table stands at the band in Earth Engine's catalogue. Landsat 4 to 7 have
the same bits but for cirrus, which is never set there. The bit "clear" is of no use here: it is set
under cirrus, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DILATED_CLOUD: Final = 1 << 1
"""The rim that is laid around clouds, because their edges are uncertain."""

CIRRUS: Final = 1 << 2
CLOUD: Final = 1 << 3
SHADOW: Final = 1 << 4


def cloud_and_shadow(
    quality: NDArray[np.uint16] | NDArray[np.uint8],
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Returns where there is cloud, its rim and cirrus included, and where there is only shadow.

    Args:
        quality: (rows, columns) bits.
    """
    cloud = (quality & (CLOUD | DILATED_CLOUD | CIRRUS)) != 0
    return cloud, ((quality & SHADOW) != 0) & ~cloud
