"""Odd, broken and hostile picture files: each is judged or named, and none holds up the others."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from filters import indoor_pictures
from filters.indoor import IndoorClassifier, Unreadable
from filters.indoor_pictures import FORMATS, prepare
from tests.filters.pictures import jpeg

if TYPE_CHECKING:
    from collections.abc import Callable

    from filters.indoor_weights import Weights

SCENE = Image.open(io.BytesIO(jpeg(320, 240, seed=4)))
SCENE.load()
NOISE = np.random.default_rng(0).integers(0, 255, 301 * 300, dtype=np.uint8).tobytes()


def saved(picture: Image.Image, form: str, **options: object) -> bytes:
    """Returns a picture as a file."""
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def png_of(width: int, height: int, depth: int, colour: int, rows: bytes, cut: int = 0) -> bytes:
    """Returns a PNG written by hand (ISO/IEC 15948): IHDR, IDAT, IEND."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    packed = zlib.compress(rows)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = chunk(b"IDAT", packed[: len(packed) - cut])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


def wide_grey(mode: str, largest: float) -> Image.Image:
    """Returns a ramp in a mode of 16 or 32 bits."""
    ramp = np.tile(np.linspace(0, largest, 300), (260, 1))
    kinds = {"I;16": np.uint16, "I": np.int32, "F": np.float32}
    return Image.fromarray(ramp.astype(kinds[mode]))


def jpeg_of_many_scans() -> bytes:
    """Returns a progressive JPEG whose last scan comes 4,000 times; its size says nothing of it."""
    data = saved(SCENE.resize((3000, 2000)), "JPEG", progressive=True)
    last = data.rfind(b"\xff\xda")
    return data[:last] + data[last:-2] * 1000 + b"\xff\xd9"


def with_header_size(data: bytes, width: int, height: int) -> bytes:
    """Returns a JPEG whose frame header announces another size."""
    place = data.index(b"\xff\xc0") + 5
    return data[:place] + struct.pack(">HH", height, width) + data[place + 4 :]


def with_huge_text() -> bytes:
    """Returns a PNG with a comment that unpacks to 80 MB."""
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "a" * 80_000_000, zip=True)
    return saved(SCENE, "PNG", pnginfo=text)


def in_lab(picture: Image.Image) -> Image.Image:
    """Returns a picture in CIE L*a*b*."""
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    return ImageCms.profileToProfile(picture, srgb, lab, outputMode="LAB")


def not_finite() -> Image.Image:
    """Returns floating point with a hole."""
    values = np.ones((260, 300), np.float32)
    values[0, 0] = np.nan
    return Image.fromarray(values)


JPEG = jpeg(320, 240, seed=4)
BAD: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "one byte": lambda: b"\xff",
    "web page": lambda: b"<!doctype html><title>Not found</title>",
    "text": lambda: b"hello" * 100,
    "zeros": lambda: bytes(5000),
    "zip": lambda: b"PK\x03\x04" + bytes(500),
    "svg": lambda: b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "postscript": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "pdf": lambda: b"%PDF-1.7\n",
    "jpeg, header only": lambda: JPEG[:300],
    "jpeg, cut off": lambda: JPEG[: len(JPEG) // 2],
    "jpeg, size 0": lambda: with_header_size(JPEG, 0, 0),
    "jpeg, size 65,500 announced": lambda: with_header_size(JPEG, 65500, 65500),
    "jpeg, strip announced": lambda: with_header_size(JPEG, 60000, 16),
    "jpeg, thousands of scans": jpeg_of_many_scans,
    "png, cut off": lambda: saved(SCENE, "PNG")[:5000],
    "png, wrong checksum": lambda: saved(SCENE, "PNG").replace(b"IHDR", b"IHDS"),
    "png, bomb of 900 Mpx": lambda: png_of(30000, 30000, 8, 0, bytes(100)),
    "png, pixels end early": lambda: png_of(300, 300, 8, 0, NOISE[:40000], cut=20),
    "png, no such colours": lambda: png_of(300, 300, 7, 5, bytes(301 * 300)),
    "png, comment of 80 MB": with_huge_text,
    "tiff, cut off": lambda: saved(SCENE, "TIFF")[:1000],
    "tiff, points to itself": lambda: b"II*\x00\x08\x00\x00\x00\x00\x00\x08\x00\x00\x00",
    "tiff, not a number": lambda: saved(not_finite(), "TIFF"),
    "gif, header only": lambda: b"GIF89a\x10\x00\x10\x00\x80\x00\x00",
    "webp, cut off": lambda: saved(SCENE, "WEBP")[:200],
    "bmp, cut off": lambda: saved(SCENE, "BMP")[:2000],
    "avif, cut off": lambda: saved(SCENE, "AVIF")[:300],
}
ODD: dict[str, Callable[[], bytes]] = {
    "grey": lambda: saved(SCENE.convert("L"), "JPEG"),
    "cmyk": lambda: saved(SCENE.convert("CMYK"), "JPEG"),
    "progressive": lambda: saved(SCENE, "JPEG", progressive=True),
    "bilevel": lambda: saved(SCENE.convert("1"), "PNG"),
    "palette": lambda: saved(SCENE.convert("P"), "PNG"),
    "palette, transparent": lambda: saved(SCENE.convert("P"), "PNG", transparency=3),
    "alpha": lambda: saved(SCENE.convert("RGBA"), "PNG"),
    "grey and alpha": lambda: saved(SCENE.convert("LA"), "PNG"),
    "16 bits": lambda: saved(wide_grey("I;16", 65535), "PNG"),
    "16 bits tiff": lambda: saved(wide_grey("I;16", 65535), "TIFF"),
    "32 bits": lambda: saved(wide_grey("I", 60000), "TIFF"),
    "floating point": lambda: saved(wide_grey("F", 1.0), "TIFF"),
    "lab": lambda: saved(in_lab(SCENE), "TIFF"),
    "animation": lambda: saved(SCENE, "GIF", save_all=True, append_images=[SCENE.rotate(90)]),
    "webp": lambda: saved(SCENE, "WEBP"),
    "jpeg 2000": lambda: saved(SCENE, "JPEG2000"),
    "avif": lambda: saved(SCENE, "AVIF"),
    "bytes after the end": lambda: JPEG + bytes(3000),
    "profile that is none": lambda: saved(SCENE, "JPEG", icc_profile=b"no profile"),
    "exif that is none": lambda: saved(SCENE, "JPEG", exif=b"Exif\x00\x00" + bytes(20)),
    "one pixel": lambda: saved(SCENE.resize((1, 1)), "PNG"),
    "50 to 1 at the limit": lambda: saved(SCENE.resize((640, 40)), "PNG"),
}


@pytest.mark.parametrize("kind", list(BAD))
def test_a_bad_file_is_named(kind: str) -> None:
    """Each ends in a reason that can stand in a row."""
    found = prepare(BAD[kind](), FORMATS)
    assert isinstance(found, Unreadable), kind
    assert 10 < len(found.reason) < 300
    assert "\n" not in found.reason


@pytest.mark.parametrize("kind", list(ODD))
def test_an_odd_file_is_read(kind: str) -> None:
    """Each ends in pixels, that are not all the same but for the single one."""
    found = prepare(ODD[kind](), FORMATS)
    assert not isinstance(found, Unreadable), found
    assert found.shape == (224, 224, 3)
    assert kind == "one pixel" or found.std() > 5


def test_none_of_them_holds_up_a_batch(weights: Weights) -> None:
    """All together, good ones between: the good ones get what they get alone."""
    good = [jpeg(seed=seed) for seed in range(len(BAD))]
    pairs = zip(good, (make() for make in BAD.values()), strict=True)
    mixed = [one for pair in pairs for one in pair]
    with IndoorClassifier(weights, threads=2, formats=FORMATS) as classifier:
        found = list(classifier.judge(mixed))
        assert found[::2] == classifier.probabilities(good)
    assert all(isinstance(one, Unreadable) for one in found[1::2])


def test_colour_profile_is_followed() -> None:
    """The same numbers under another profile are other colours, and come out as in sRGB."""
    flat = Image.new("RGB", (300, 300), (200, 60, 60))
    plain = prepare(saved(flat, "PNG"), FORMATS)
    swapped = prepare(saved(flat, "PNG", icc_profile=other_profile()), FORMATS)
    assert np.abs(plain[0, 0].astype(int) - swapped[0, 0].astype(int)).max() > 20
    same = prepare(saved(flat, "PNG", icc_profile=srgb_profile()), FORMATS)
    assert np.array_equal(plain, same)


def srgb_profile() -> bytes:
    """Returns sRGB as a profile."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def other_profile() -> bytes:
    """Returns sRGB with the red and the blue primary exchanged, and its name changed."""
    data = bytearray(srgb_profile())
    count = struct.unpack(">I", data[128:132])[0]
    entries = {bytes(data[132 + 12 * n : 136 + 12 * n]): 132 + 12 * n for n in range(count)}
    red, blue = entries[b"rXYZ"], entries[b"bXYZ"]
    data[red + 4 : red + 12], data[blue + 4 : blue + 12] = (
        data[blue + 4 : blue + 12], data[red + 4 : red + 12],
    )  # fmt: skip
    text = "sRGB".encode("utf-16-be")
    return bytes(data).replace(text, "tRGB".encode("utf-16-be")).replace(b"sRGB", b"tRGB")


def test_wide_numbers_keep_their_order_and_their_ends() -> None:
    """Black is black, white is white, and the middle the middle, in each width."""
    for mode, largest in (("I;16", 65535), ("I", 65535), ("F", 1.0)):
        found = prepare(saved(wide_grey(mode, largest), "TIFF"), FORMATS)
        row = found[100, :, 0].astype(int)
        assert (np.diff(row) >= 0).all()
        assert abs(row[112] - 127) <= 2


def test_transparency_shows_paper() -> None:
    """What cannot be seen is white, whatever colour is stored under it."""
    clear = Image.new("RGBA", (300, 300), (255, 0, 0, 0))
    assert (prepare(saved(clear, "PNG"), FORMATS) == 255).all()


def test_large_jpegs_are_decoded_small_and_look_the_same() -> None:
    """At a half or a quarter of the size: no more than a grey level or two on average."""
    large = jpeg(2400, 1800, seed=9)
    quick = prepare(large).astype(float)
    exact = indoor_pictures.fit(Image.open(io.BytesIO(large)).convert("RGB")).astype(float)
    assert 0 < np.abs(quick - exact).mean() < 1.5


def test_dataset_takes_jpeg_alone() -> None:
    """What is stored is JPEG; another format is somebody's mistake."""
    assert isinstance(prepare(saved(SCENE, "PNG")), Unreadable)
