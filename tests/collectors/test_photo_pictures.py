"""From a downloaded JPEG to the stored one."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from collectors.photo_pictures import PictureRules, prepare
from collectors.records import PhotoAbsence, PhotoImage, PhotoSize

RULES = PictureRules(shortest_side_px=100, minimum_side_px=50, pixel_limit=1_000_000)
URL = "https://live.staticflickr.com/1/2_3_z.jpg"


def scene(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Returns a picture whose left half is red, with green below the middle."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2, 0] = 200
    pixels[height // 2 :, :, 1] = 150
    return Image.fromarray(pixels).convert(mode)


def jpeg(image: Image.Image, **options: Any) -> bytes:
    """Returns the picture as a JPEG file."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=95, **options)
    return file.getvalue()


def prepared(data: bytes, width: int, height: int, rules: PictureRules = RULES):
    """Prepares a file that was announced with that size."""
    return prepare(data, PhotoSize("z", URL, width, height), rules)


def opened(found: PhotoImage | PhotoAbsence) -> Image.Image:
    """Returns the stored picture, decoded."""
    assert isinstance(found, PhotoImage), found
    image = Image.open(io.BytesIO(found.jpeg))
    assert image.format == "JPEG"
    assert image.size == (found.width, found.height)
    return image


def at(image: Image.Image, x: float, y: float) -> tuple[int, ...]:
    """Returns the colour at a place given in shares of width and height."""
    return image.getpixel((int(x * image.width), int(y * image.height)))


def test_a_large_photo_is_brought_to_the_shortest_side():
    """Both sides shrink alike, and the picture is the same."""
    found = prepared(jpeg(scene(400, 300)), 400, 300)
    image = opened(found)
    assert (found.width, found.height, found.image_url) == (133, 100, URL)
    assert at(image, 0.25, 0.25) == pytest.approx((200, 0, 0), abs=12)
    assert at(image, 0.75, 0.75) == pytest.approx((0, 150, 0), abs=12)


def test_a_small_photo_is_not_enlarged():
    """A photo between the minimum and the wanted side keeps its size."""
    assert opened(prepared(jpeg(scene(90, 60)), 90, 60)).size == (90, 60)


@given(st.integers(50, 300), st.integers(50, 300))
@settings(max_examples=30)
def test_the_stored_size(width, height):
    """The shortest side is at most the wanted one, the shape stays, and nothing grows."""
    found = prepared(jpeg(scene(width, height)), width, height)
    assert min(found.width, found.height) == min(100, width, height)
    assert found.width / found.height == pytest.approx(width / height, rel=0.02)
    assert found.width <= width
    assert found.height <= height


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_turned_upright(orientation):
    """Whatever way a camera was held, the stored picture shows the scene upright."""
    undo = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]
    upright = scene(300, 200)
    lying = upright if undo is None else upright.transpose(Image.Transpose(undo))
    exif = Image.Exif()
    exif[274] = orientation
    image = opened(prepared(jpeg(lying, exif=exif), *lying.size))
    assert image.size == (150, 100)
    assert at(image, 0.25, 0.25) == pytest.approx((200, 0, 0), abs=12)
    assert at(image, 0.75, 0.75) == pytest.approx((0, 150, 0), abs=12)
    assert image.getexif() == {}


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGB"])
def test_every_kind_of_jpeg_becomes_rgb(mode):
    """Grey and print colours come out as RGB of the same look."""
    image = opened(prepared(jpeg(scene(200, 150, mode)), 200, 150))
    assert image.mode == "RGB"
    expected = scene(200, 150, mode).convert("RGB")
    assert at(image, 0.25, 0.25) == pytest.approx(at(expected, 0.25, 0.25), abs=12)


def test_a_colour_profile_is_applied():
    """A picture in another colour space is brought to sRGB, not just relabelled."""
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    data = bytearray(lab.tobytes())
    # exchange the red and green primaries: what is red in this space is green in sRGB
    tags = {bytes(data[128 + 4 + 12 * n : 128 + 8 + 12 * n]): 128 + 4 + 12 * n
            for n in range(int.from_bytes(data[128:132]))}  # fmt: skip
    red, green = tags[b"rXYZ"], tags[b"gXYZ"]
    data[red + 4 : red + 12], data[green + 4 : green + 12] = (
        data[green + 4 : green + 12], data[red + 4 : red + 12],
    )  # fmt: skip
    name = data.index("sRGB".encode("utf-16-be"))
    data[name : name + 8] = "swap".encode("utf-16-be")
    image = opened(prepared(jpeg(scene(200, 150), icc_profile=bytes(data)), 200, 150))
    red_seen, green_seen, _ = at(image, 0.25, 0.25)
    assert green_seen > 150
    assert red_seen < 50
    assert "icc_profile" not in image.info


@pytest.mark.parametrize("profile", [b"", b"nonsense", bytes(200)])
def test_a_broken_colour_profile_is_passed_over(profile):
    """A profile that cannot be read does not cost the photo."""
    image = opened(prepared(jpeg(scene(200, 150), icc_profile=profile), 200, 150))
    assert at(image, 0.25, 0.25) == pytest.approx((200, 0, 0), abs=12)


def test_metadata_are_not_kept():
    """Comment, place, XMP and thumbnails of the original do not reach the stored file."""
    exif = Image.Exif()
    exif[270] = "SECRET place"
    data = jpeg(scene(90, 60), exif=exif, comment=b"SECRET comment", xmp=b"<x>SECRET</x>")
    assert data.count(b"SECRET") == 3
    found = prepared(data, 90, 60)
    assert b"SECRET" not in found.jpeg
    assert set(opened(found).info) == {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_the_same_bytes_give_the_same_bytes():
    """Preparing twice gives the same file, so that a shard of it has the same name."""
    data = jpeg(scene(400, 300))
    assert prepared(data, 400, 300) == prepared(data, 400, 300)


PNG = io.BytesIO()
scene(100, 100).save(PNG, "PNG")


@pytest.mark.parametrize("data", [b"", b"<html></html>", PNG.getvalue(), b"\xff\xd8"])
def test_what_is_no_jpeg(data):
    """A file that does not begin as a JPEG does is refused by its first bytes."""
    assert prepared(data, 100, 100).reason == "not_jpeg"


def test_a_photo_of_another_size_than_announced():
    """A placeholder that passes for a photo has another size than Flickr announced."""
    found = prepared(jpeg(scene(500, 374)), 640, 480)
    assert found == PhotoAbsence("wrong_size", f"{URL}: 500 × 374 px, announced 640 × 480")


def test_a_turned_photo_has_the_announced_size():
    """Flickr announces the upright size; a file that lies on its side is the same photo."""
    assert isinstance(prepared(jpeg(scene(200, 300)), 300, 200), PhotoImage)


def test_a_photo_that_is_too_small():
    """A shortest side under the minimum is refused with what was seen."""
    assert prepared(jpeg(scene(300, 49)), 300, 49).reason == "too_small"
    assert isinstance(prepared(jpeg(scene(300, 50)), 300, 50), PhotoImage)


def test_too_many_pixels_are_not_decoded():
    """A file over the limit is refused by its header, whatever it announces."""
    assert prepared(jpeg(scene(1001, 1000)), 1001, 1000).reason == "too_many_pixels"
    assert isinstance(prepared(jpeg(scene(1000, 1000)), 1000, 1000), PhotoImage)


@pytest.mark.parametrize("side", [12_000, 30_000])
def test_a_bomb_is_refused(side):
    """A header that claims hundreds of millions of pixels is refused without decoding."""
    data = bytearray(jpeg(scene(100, 100)))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = side.to_bytes(2) * 2
    assert prepared(bytes(data), side, side).reason == "too_many_pixels"


@pytest.mark.parametrize("kept", [3, 20, 200, 0.5, 0.98])
def test_a_photo_that_is_cut_off(kept):
    """A file that ends too soon is broken wherever it ends, never half a picture."""
    data = jpeg(scene(200, 150))
    length = kept if isinstance(kept, int) else int(kept * len(data))
    assert prepared(data[:length], 200, 150).reason == "broken_image"


@given(st.data())
@settings(max_examples=150)
def test_no_bytes_break_the_reader(data):
    """However a file is damaged, the result is a picture or a reason, never an exception."""
    exif = Image.Exif()
    exif[274] = 6
    whole = bytearray(jpeg(scene(80, 60), exif=exif, icc_profile=ImageCms.ImageCmsProfile(
        ImageCms.createProfile("sRGB")).tobytes()))  # fmt: skip
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.integers(2, len(whole) - 1))
        whole[place] = data.draw(st.integers(0, 255))
    found = prepared(bytes(whole[: data.draw(st.integers(3, len(whole)))]), 80, 60)
    assert isinstance(found, PhotoImage | PhotoAbsence)


def test_memory_is_kept_for_the_next_picture():
    """Pillow takes blocks that it has, instead of asking the system anew for each picture."""
    data = jpeg(scene(400, 300))
    first = prepared(data, 400, 300)
    before = Image.core.get_stats()
    assert prepared(data, 400, 300) == first
    after = Image.core.get_stats()
    assert after["reused_blocks"] > before["reused_blocks"]
    assert after["allocated_blocks"] == before["allocated_blocks"]
