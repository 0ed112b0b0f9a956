"""From the bytes of a download to the picture that is stored: checked, upright, sRGB, small."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from PIL import ExifTags, Image, ImageCms

from collectors.orientation import TURNS
from collectors.records import PhotoAbsence, PhotoImage
from collectors.resampling import reduce_picture

if TYPE_CHECKING:
    from collectors.records import PhotoSize

JPEG_QUALITY: Final = 90
"""Pillow's quality of the stored JPEG: above it files grow quickly and pictures hardly change."""

_MAGIC: Final = b"\xff\xd8\xff"
"""Start of every JPEG: SOI and the first byte of the next marker (ITU-T T.81, annex B)."""

_BROKEN: Final = (OSError, SyntaxError, ValueError, EOFError, struct.error, UserWarning)
"""What Pillow raises on a picture that is cut off or not what it claims to be; of damaged metadata
it warns, which raises where warnings are errors."""

_BLOCKS_KEPT: Final = 32
"""Blocks of memory that Pillow keeps for the next pictures, each as large as one was. By itself it
keeps none, and a fifth of the time goes by asking the system for memory (Pillow's internal
reference, "Block Allocator"; there it is set by the environment, from which nothing is read here).
"""

Image.core.set_blocks_max(_BLOCKS_KEPT)  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class PictureRules:
    """What a stored picture is like.

    Attributes:
        shortest_side_px: Length that the shortest side is brought down to; never up.
        minimum_side_px: A photo whose shortest side is shorter is not used.
        pixel_limit: A photo of more pixels is not decoded.
    """

    shortest_side_px: int = 336
    minimum_side_px: int = 224
    pixel_limit: int = 4_000_000


def prepare(data: bytes, size: PhotoSize, rules: PictureRules) -> PhotoImage | PhotoAbsence:
    """Checks a downloaded photo and brings it to the form that is stored.

    The stored JPEG is upright, sRGB, and carries none of the metadata of the original.

    Args:
        data: The bytes of the download.
        size: The size that was asked for, as Flickr announced it.
        rules: What a stored picture is like.

    Returns:
        The picture; or why it cannot be used: `not_jpeg`, `broken_image`, `too_many_pixels`,
        `wrong_size`, `too_small`.
    """
    if not data.startswith(_MAGIC):
        return PhotoAbsence("not_jpeg", f"{size.url} begins with {data[:8]!r}")
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            absence = _objection(image, size, rules)
            return absence or _stored(image, size, rules)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        return PhotoAbsence("too_many_pixels", f"{size.url}: {error}")
    except _BROKEN as error:
        return PhotoAbsence("broken_image", f"{size.url}: {error}")


def _objection(image: Image.Image, size: PhotoSize, rules: PictureRules) -> PhotoAbsence | None:
    """Looks at the dimensions in the header, before anything is decoded."""
    width, height = image.size
    seen = f"{size.url}: {width} × {height} px"
    if width * height > rules.pixel_limit:
        return PhotoAbsence("too_many_pixels", f"{seen}, limit {rules.pixel_limit} in all")
    if {(width, height), (height, width)}.isdisjoint({(size.width, size.height)}):
        return PhotoAbsence("wrong_size", f"{seen}, announced {size.width} × {size.height}")
    if min(width, height) < rules.minimum_side_px:
        return PhotoAbsence("too_small", f"{seen}, shortest side under {rules.minimum_side_px}")
    return None


def _stored(image: Image.Image, size: PhotoSize, rules: PictureRules) -> PhotoImage:
    image.load()
    picture = _srgb(image)
    turn = TURNS.get(_orientation(image))
    if turn is not None:
        picture = picture.transpose(turn)
    shortest = min(picture.size)
    if shortest > rules.shortest_side_px:
        width, height = (
            max(1, round(edge * rules.shortest_side_px / shortest)) for edge in picture.size
        )
        picture = reduce_picture(picture, width, height)
    picture.info.clear()  # Pillow would write the original's comment into the file
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=JPEG_QUALITY)
    return PhotoImage(file.getvalue(), picture.width, picture.height, size.url)


def _srgb(image: Image.Image) -> Image.Image:
    """Returns the picture as RGB in sRGB; a profile that cannot be used is passed over."""
    profile = image.info.get("icc_profile")
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "sRGB" not in ImageCms.getProfileDescription(source):
                converted = ImageCms.profileToProfile(
                    image, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
                )
                return converted or image.convert("RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass
    return image if image.mode == "RGB" else image.convert("RGB")  # which would copy it


def _orientation(image: Image.Image) -> int:
    """Returns the EXIF orientation; damaged metadata count as none."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except (*_BROKEN, KeyError, TypeError):
        return 1
    return value if isinstance(value, int) else 1
