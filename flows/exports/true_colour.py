"""Chips as pictures in true colour, the same stretch for all, so that they compare."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from PIL import Image

from collectors.chip_files import decode_bands
from collectors.transport import SetupError
from flows.description.bands import LANDSAT_TRUE_COLOUR, TRUE_COLOUR
from flows.samples.stretching import stretched

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

WHITE: Final = 3_000
"""Reflectance × 10,000 that becomes 255: 0.3, as Earth Engine's catalogue shows
COPERNICUS/S2_SR_HARMONIZED, and the surface reflectance of Landsat."""

_JPEG_QUALITY: Final = 95
_PNG_EFFORT: Final = 2
"""Zlib's level: 6 takes three times as long and saves little of a picture without flat parts."""

PictureFormat = Literal["jpeg", "png"]


def true_colour(data: bytes, bands: Sequence[str], white: int = WHITE) -> NDArray[np.uint8]:
    """Returns a chip as a picture of red, green and blue.

    Bands of 8 bits stay as they are; those of 16 bits are spread so that a reflectance of 0
    becomes 0 and `white`, and all above it, 255.

    Args:
        data: The chip's GeoTIFF.
        bands: Names of the bands that it has.
        white: Reflectance × 10,000 that becomes 255: Sentinel-2's own numbers.

    Returns:
        (rows, columns, 3).

    Raises:
        SetupError: If it has no red, green and blue.
    """
    chosen = next((one for one in TRUE_COLOUR if set(one) <= set(bands)), None)
    if chosen is None:
        raise SetupError(
            "export", f"a chip of the bands {', '.join(bands)} has no red, green and blue.",
            "Collect them (bands in data_catalog.yaml), or choose another form of export.",
        )  # fmt: skip
    pixels, _ = decode_bands(data, chosen)
    if pixels.dtype != np.uint8:
        if chosen == LANDSAT_TRUE_COLOUR:
            # 0.0000275 × number − 0.2, times 10,000, in whole numbers
            numbers = np.maximum(pixels.astype(np.uint32) * 11, 80_000) // 40 - 2_000
            pixels = numbers.astype(np.uint16)
        pixels = stretched(pixels, 0, white)
    return np.ascontiguousarray(np.moveaxis(pixels, 0, -1))


def encoded(picture: NDArray[np.uint8], kind: PictureFormat) -> bytes:
    """Returns a picture as the bytes of a file; the same picture gives the same bytes.

    Args:
        picture: (rows, columns, 3).
        kind: JPEG of quality 95 without subsampled colour, or PNG, which loses nothing.
    """
    sink = BytesIO()
    image = Image.fromarray(picture)
    if kind == "png":
        image.save(sink, "PNG", compress_level=_PNG_EFFORT)
    else:
        image.save(sink, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return sink.getvalue()
