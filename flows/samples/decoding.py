"""From the bytes of a chip or a photo to its pixels."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from flows.samples.chip_tiles import read_tiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def read_chip(
    data: bytes, bands: Sequence[int] | None = None
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Returns bands of a chip's file as they are.

    Args:
        data: The file.
        bands: Numbers of the bands wanted, from 0; all by default.

    Returns:
        (bands, rows, columns), in the order of the chip's row; the scene classification, where
        there is one, is the last. uint16 for Sentinel-2, uint8 for NAIP. Where there is no data,
        all bands are 0.

    Raises:
        ValueError: If it is not the file of a chip, or is damaged.
    """
    return read_tiles(data, bands)


def read_photo(data: bytes) -> NDArray[np.uint8]:
    """Returns a photo's pixels.

    Args:
        data: The JPEG. It has no orientation to heed: photos are stored upright.

    Returns:
        (rows, columns, 3), red, green and blue of sRGB.

    Raises:
        OSError: If it is not a JPEG, or is broken.
    """
    with Image.open(BytesIO(data), formats=("JPEG",)) as image:
        return np.asarray(image.convert("RGB"))
