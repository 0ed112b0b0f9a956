"""From the bytes of a picture file to what the indoor filter's network looks at."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageFile

from collectors.orientation import TURNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SHORTER_SIDE_PX: Final = 256
CROP_PX: Final = 224
"""The sizes that the Places365 networks were validated with (`train_placesCNN.py`)."""

PIXEL_LIMIT: Final = 50_000_000
"""Pictures with more pixels are not decoded: photos are stored far smaller."""

PASS_LIMIT: Final = 1_000_000_000
"""Pixels times scans of a JPEG. Cameras and programs write up to about 14 scans; a file of a few
kilobytes can hold thousands, each of which visits every pixel."""

BYTE_LIMIT: Final = 200_000_000
"""Longer files are not opened: raw TIFF of `PIXEL_LIMIT` pixels fits."""

ASPECT_LIMIT: Final = 16
"""Pictures longer than this many times their width are not photos, and blow up when resized."""

STORED_FORMATS: Final = ("JPEG",)
"""What a dataset holds."""

FORMATS: Final = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "JPEG2000", "AVIF", "PPM")
"""What folders of pictures for training and evaluation may hold; of an animation the first."""

_DRAFT_SIDE_PX: Final = 2 * SHORTER_SIDE_PX
"""A JPEG may be decoded at 1/2, 1/4 or 1/8 as long as its sides stay this long: the transform's
own averaging is then followed by another halving, and hardly shows."""

_START_OF_SCAN: Final = b"\xff\xda"
"""Never inside of compressed data, where a byte 0xFF is followed by 0 (ITU-T T.81, B.1.1.5)."""

_BROKEN: Final = (
    OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, AttributeError,
    OverflowError, MemoryError, RuntimeError, NotImplementedError, struct.error, zlib.error,
    UserWarning,
)  # fmt: skip
"""What Pillow's readers raise on files that are cut off, damaged or not what they claim to be; of
damaged metadata they warn, which raises where warnings are errors."""

_SRGB: Final = ImageCms.createProfile("sRGB")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A picture that cannot be judged because it cannot be decoded.

    Attributes:
        reason: What was seen.
    """

    reason: str


def prepare(data: bytes, formats: Sequence[str] = STORED_FORMATS) -> NDArray[np.uint8] | Unreadable:
    """Brings a photo into the form that the network looks at.

    Upright by its EXIF orientation, RGB, the shorter side resized to 256 pixels (bilinear), the
    middle 224 × 224 cut out: as `torchvision.transforms.Resize` and `CenterCrop` do.

    Args:
        data: The file's content.
        formats: Pillow's names of the formats that are read.

    Returns:
        (rows, columns, bands), or why the bytes cannot be decoded.
    """
    picture = decode(data, formats)
    return picture if isinstance(picture, Unreadable) else fit(picture)


def fit(picture: Image.Image) -> NDArray[np.uint8]:
    """Resizes an RGB picture and cuts out its middle: (rows, columns, bands)."""
    width, height = picture.size
    shorter = min(width, height)
    width, height = (int(SHORTER_SIDE_PX * side / shorter) for side in (width, height))
    resized = picture.resize((width, height), Image.Resampling.BILINEAR)
    left, top = round((width - CROP_PX) / 2), round((height - CROP_PX) / 2)
    return np.array(resized.crop((left, top, left + CROP_PX, top + CROP_PX)))


def decode(data: bytes, formats: Sequence[str]) -> Image.Image | Unreadable:
    """Decodes a picture: upright, RGB in sRGB, on white where it is transparent.

    A large JPEG may come at a half, a quarter or an eighth of its size, see `_DRAFT_SIDE_PX`.
    """
    if len(data) > BYTE_LIMIT:
        return Unreadable(f"a file of {len(data)} bytes, more than {BYTE_LIMIT}")
    try:
        with Image.open(io.BytesIO(data), formats=tuple(formats)) as picture:
            objection = _objection(picture, data)
            if objection is not None:
                return objection
            picture.draft(picture.mode, (_DRAFT_SIDE_PX, _DRAFT_SIDE_PX))
            picture.load()
            upright = _as_rgb(picture)
            turn = TURNS.get(_orientation(picture))
            return upright if turn is None else upright.transpose(turn)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        return Unreadable(str(error))
    except _BROKEN as error:
        why = str(error).partition(" <")[0]  # Pillow names the object that it read from
        return Unreadable(f"not a whole {_listed(formats)}: {why}")


def _objection(picture: Image.Image, data: bytes) -> Unreadable | None:
    """Looks at what the header announces, before anything is decoded."""
    width, height = picture.size
    if width * height > PIXEL_LIMIT:
        return Unreadable(f"{width} × {height} pixels, more than {PIXEL_LIMIT}")
    if max(width, height) > ASPECT_LIMIT * min(width, height):
        return Unreadable(f"{width} × {height} pixels, a strip")
    if picture.format in {"JPEG", "MPO"}:
        scans = data.count(_START_OF_SCAN)
        if scans * width * height > PASS_LIMIT:
            return Unreadable(f"{width} × {height} pixels in {scans} scans, more than {PASS_LIMIT}")
    return None


def _as_rgb(picture: Image.Image) -> Image.Image:
    """Returns a decoded picture as RGB in sRGB."""
    profile = picture.info.get("icc_profile")
    if picture.mode.startswith(("I", "F")):
        return _from_wide(picture).convert("RGB")
    if picture.mode == "LAB":
        return _converted(picture, ImageCms.createProfile("LAB")) or picture.convert("RGB")
    if picture.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in picture.info:
        seen = picture.convert("RGBA")
        paper = Image.new("RGB", seen.size, "white")
        paper.paste(seen, mask=seen.getchannel("A"))
        picture = paper
    elif picture.mode == "P":
        picture = picture.convert("RGB")
    if profile and picture.mode in {"RGB", "CMYK", "L"}:
        source = _profile(profile)
        if source is not None:
            converted = _converted(picture, source)
            if converted is not None:
                return converted
    return picture.convert("RGB")


def _from_wide(picture: Image.Image) -> Image.Image:
    """Brings grey of 16 or 32 bits, or of floating point, to 8 bits.

    Whole numbers are taken as 16 bits of white, or as 8 where none is larger than 255 and 32 bits
    are stored; floating point as 0 to 1, or 0 to 255 where there is more.

    Raises:
        ValueError: If there are numbers that are not finite.
    """
    values = np.asarray(picture).astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("it holds numbers that are not finite")
    largest = float(values.max(initial=0))
    if picture.mode.startswith("I;16"):
        white = 65535.0
    elif picture.mode == "F":
        white = next((limit for limit in (1.0, 255.0, 65535.0) if largest <= limit), largest)
    else:
        white = next((limit for limit in (255.0, 65535.0) if largest <= limit), largest)
    return Image.fromarray((values * (255 / white)).clip(0, 255).round().astype(np.uint8))


def _profile(data: bytes) -> ImageCms.ImageCmsProfile | None:
    """Returns a colour profile; None for sRGB itself, and for one that cannot be used."""
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        return None if "sRGB" in ImageCms.getProfileDescription(profile) else profile
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def _converted(picture: Image.Image, source: object) -> Image.Image | None:
    """Converts a picture to sRGB; None where the profile does not fit the picture."""
    try:
        return ImageCms.profileToProfile(picture, source, _SRGB, outputMode="RGB")  # type: ignore[arg-type]
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def _orientation(picture: Image.Image) -> int:
    """Returns the EXIF orientation; damaged metadata count as none."""
    try:
        value = picture.getexif().get(ExifTags.Base.Orientation, 1)
    except _BROKEN:
        return 1
    return value if isinstance(value, int) else 1


def _listed(formats: Sequence[str]) -> str:
    return formats[0] if len(formats) == 1 else "picture"


assert not ImageFile.LOAD_TRUNCATED_IMAGES  # noqa: S101 - half a picture must not pass for a whole
