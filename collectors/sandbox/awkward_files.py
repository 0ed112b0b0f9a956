"""Makes an awkward file out of a good JPEG."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from collectors.sandbox.awkward import AwkwardFile

if TYPE_CHECKING:
    from PIL import Image

BOMB_SIDE: Final = 50_000
_JPEG: Final = "image/jpeg"
_PAGE: Final = b"<!DOCTYPE html>\n<html><body><p>Please enable JavaScript.</p></body></html>\n"
# EXIF orientation 6: the first row of the file is the right-hand side (CIPA DC-008, tag 274).
_ORIENTATION_TAG: Final = 0x0112
_ROTATED: Final = 6
_QUALITY: Final = 85
# Start of a baseline frame: marker, length, bits per sample (ITU-T T.81, B.2.2); then the size.
_FRAME: Final = b"\xff\xc0\x00\x0b\x08"


def make_awkward(kind: AwkwardFile, jpeg: bytes) -> tuple[bytes, str]:
    """Makes the body of an awkward answer with status 200.

    Args:
        kind: in what way; not one of those that are a matter of the status or the connection.
        jpeg: the file that was announced.

    Returns:
        Body and content type.

    Raises:
        ValueError: when the kind is one of those.
    """
    match kind:
        case AwkwardFile.EMPTY:
            return b"", _JPEG
        case AwkwardFile.PNG:
            return _pack(_open(jpeg), "PNG"), "image/png"
        case AwkwardFile.MISLABELLED:
            return _pack(_open(jpeg), "PNG"), _JPEG
        case AwkwardFile.PAGE:
            return _PAGE, "text/html; charset=utf-8"
        case AwkwardFile.BROKEN:
            return jpeg[: len(jpeg) // 2], _JPEG
        case AwkwardFile.OTHER_SIZE:
            image = _open(jpeg)
            width, height = image.size
            return _pack(image.resize((width * 4 // 5, height * 3 // 5))), _JPEG
        case AwkwardFile.BOMB:
            return make_bomb(), _JPEG
        case AwkwardFile.CMYK:
            return _pack(_open(jpeg).convert("CMYK")), _JPEG
        case AwkwardFile.GREY:
            return _pack(_open(jpeg).convert("L")), _JPEG
        case AwkwardFile.TURNED:
            return _turn(_open(jpeg)), _JPEG
        case _:
            raise ValueError(f"{kind} is no matter of the file")


def make_bomb() -> bytes:
    """Makes a JPEG of a few hundred bytes whose header says 50,000 x 50,000 pixels."""
    from PIL import Image  # noqa: PLC0415 - the sandbox starts without it

    small = _pack(Image.new("L", (8, 8), 128))
    place = small.index(_FRAME) + len(_FRAME)
    side = BOMB_SIDE.to_bytes(2, "big")
    return small[:place] + side + side + small[place + 4 :]


def _turn(image: Image.Image) -> bytes:
    """Lays a picture on its side, and says in EXIF how it stands upright again."""
    from PIL import Image  # noqa: PLC0415 - the sandbox starts without it

    exif = Image.Exif()
    exif[_ORIENTATION_TAG] = _ROTATED
    file = io.BytesIO()
    lying = image.transpose(Image.Transpose.ROTATE_90)
    lying.save(file, "JPEG", quality=_QUALITY, exif=exif)
    return file.getvalue()


def _open(jpeg: bytes) -> Image.Image:
    from PIL import Image  # noqa: PLC0415 - the sandbox starts without it

    return Image.open(io.BytesIO(jpeg))


def _pack(image: Image.Image, name: str = "JPEG") -> bytes:
    file = io.BytesIO()
    if name == "JPEG":
        image.save(file, name, quality=_QUALITY)
    else:
        image.save(file, name)
    return file.getvalue()
