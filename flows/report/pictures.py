"""Pictures of a report: photos made smaller, and chips in true and in false colour."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from PIL import Image, UnidentifiedImageError
from rasterio.errors import RasterioError

from collectors.chip_files import decode_bands
from collectors.storage import Missing, StorageError
from flows.description.bands import TRUE_COLOUR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from collectors.storage import Store

PHOTO_SIDE_PX: Final = 360
"""Longest side of a photo in a report."""

STRETCH: Final = (2.0, 98.0)
"""Percentiles of a band's valid pixels that become black and full."""

QUALITY: Final = 75
_EFFORT: Final = 2
"""WebP's: 4 takes twice the time and saves 2 %."""

TYPE: Final = "image/webp"
"""All pictures of a report are WebP: it has transparency and is small."""

FALSE_COLOUR: Final = (("B8", "B4", "B3"), ("N", "R", "G"), ("SR_B5", "SR_B4", "SR_B3"))
"""Red, green and blue of a picture, as bands of Sentinel-2, NAIP and Landsat; vegetation is red."""

Bands = tuple[str, str, str]


class PictureError(ValueError):
    """A picture that cannot be shown; the text says why."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What a picture of a report is made from.

    Attributes:
        name: File name in the report.
        kind: A photo, or a chip.
        shard: File with the bytes, relative to the root.
        offset: Where they begin.
        size: How many there are.
        sha256: Their SHA-256, as the table says.
        bands: For a chip: the bands that become red, green and blue.
    """

    name: str
    kind: Literal["photo", "chip"]
    shard: str
    offset: int
    size: int
    sha256: str
    bands: Bands | None = None


def true_colour(bands: Sequence[str]) -> Bands | None:
    """Returns the bands that show a chip as an eye would see it; None if it has none."""
    return _fitting(bands, TRUE_COLOUR)


def false_colour(bands: Sequence[str]) -> Bands | None:
    """Returns near infrared, red and green; None where the chip has no near infrared."""
    return _fitting(bands, FALSE_COLOUR)


def _fitting(bands: Sequence[str], choices: Sequence[Bands]) -> Bands | None:
    return next((one for one in choices if set(one) <= set(bands)), None)


def draw(store: Store, picture: Picture) -> bytes:
    """Reads a picture's bytes by range and returns it as WebP, without any metadata.

    Raises:
        PictureError: If the bytes are gone, are not what the table says, or cannot be decoded.
    """
    try:
        data = store.read_range(picture.shard, picture.offset, picture.size)
    except (Missing, StorageError, ValueError) as error:
        raise PictureError("bytes that cannot be read from the dataset") from error
    if hashlib.sha256(data).hexdigest() != picture.sha256:
        raise PictureError("bytes that are not those that the table names (terrapair verify)")
    try:
        if picture.bands is not None:
            return chip_picture(data, picture.bands)
        return photo_picture(data)
    except (RasterioError, UnidentifiedImageError, OSError, ValueError) as error:
        raise PictureError("bytes that cannot be decoded") from error


def photo_picture(data: bytes) -> bytes:
    """Returns a stored photo at no more than `PHOTO_SIDE_PX`, as WebP."""
    with Image.open(BytesIO(data)) as image:
        image.draft("RGB", (PHOTO_SIDE_PX, PHOTO_SIDE_PX))
        small = image.convert("RGB")
    small.thumbnail((PHOTO_SIDE_PX, PHOTO_SIDE_PX))
    return _webp(small)


def chip_picture(data: bytes, bands: Bands) -> bytes:
    """Returns three bands of a chip as WebP, stretched, transparent where there is no data."""
    pixels, valid = decode_bands(data, bands)
    layers = [stretch(band, valid) for band in pixels]
    if not valid.all():
        layers.append((valid * 255).astype(np.uint8))
    return _webp(Image.fromarray(np.stack(layers, axis=-1)))


def stretch(band: NDArray[np.uint8] | NDArray[np.uint16], valid: NDArray[np.bool_]) -> (
    NDArray[np.uint8]
):  # fmt: skip
    """Spreads a band between two percentiles of its valid pixels over 0 to 255.

    Args:
        band: (rows, columns).
        valid: Where it holds data; same shape.
    """
    seen = band[valid]
    if not seen.size:
        return np.zeros(band.shape, np.uint8)
    # Counting values is ten times as quick as sorting pixels: there are 65,536 of them at most.
    reached = np.cumsum(np.bincount(seen))
    low, high = np.searchsorted(reached, np.array(STRETCH) / 100.0 * seen.size)
    values = np.arange(int(band.max()) + 1, dtype=np.float32)
    scaled = (values - low) * np.float32(255.0 / max(high - low, 1))
    table: NDArray[np.uint8] = np.clip(np.round(scaled), 0, 255).astype(np.uint8)
    return table[band]


def _webp(image: Image.Image) -> bytes:
    sink = BytesIO()
    image.save(sink, "WEBP", quality=QUALITY, method=_EFFORT)
    return sink.getvalue()
