"""Awkward files and awkward photos: each kind is answered as it is described."""

from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ET
from collections import Counter
from http.client import IncompleteRead
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from PIL import Image, ImageOps, UnidentifiedImageError

from collectors.sandbox.awkward import TITLES, AwkwardFile, awkward_file, awkward_title
from collectors.sandbox.awkward_files import BOMB_SIDE, make_awkward, make_bomb
from collectors.sandbox.landcover import Landcover
from collectors.sandbox.people import People, PhotoQuery
from collectors.sandbox.photo_tiles import TILE_COLUMNS, count_photos, make_tile
from collectors.sandbox.pictures import Pictures
from collectors.sandbox.server import Options
from tests.sandbox.whole_sandbox import BOX, SEARCH, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from collectors.sandbox.photo_records import Photo
    from tests.sandbox.whole_sandbox import Reply, Whole

SHARE = 0.3
WORLD = People(0, awkward=SHARE)
REGION = WORLD.search(PhotoQuery(-123, 37, -121, 39), 0, 10**6)[1]
PICTURES = Pictures(0, Landcover(0))


@pytest.fixture(scope="module")
def service() -> Iterator[Whole]:
    """The sandbox over a world in which three photos of ten are awkward."""
    with running(Options(seed=0, awkward=SHARE)) as whole:
        yield whole


def photos_of(kind: AwkwardFile | None) -> Iterator[Photo]:
    """Photos whose files are awkward in one way, or not at all."""
    return (
        photo
        for photo in REGION
        if awkward_file(photo.photo_id, SHARE) is kind
        and not photo.removed
        and not photo.video
        and photo.size("z")
    )


def path_of(photo: Photo, suffix: str = "z") -> str:
    """The path of one of a photo's files."""
    return f"/photos/65535/{photo.photo_id}_{photo.secret_of(suffix)}_{suffix}.jpg"


def jpeg_of(photo: Photo) -> bytes:
    """What the host would give if all were well."""
    return PICTURES.jpeg(photo, "z")


def picture_of(answer: Reply) -> Image.Image:
    """A decoded answer."""
    picture = Image.open(io.BytesIO(answer.body))
    picture.load()
    return picture


def is_gone(answer: Reply, photo: Photo) -> None:
    """404 without a body."""
    assert (answer.status, answer.body) == (404, b"")


def is_placeholder(answer: Reply, photo: Photo) -> None:
    """A redirection to a picture that says so."""
    assert (answer.status, answer.body) == (302, b"")
    assert urlsplit(answer.headers["location"]).path == "/placeholder/photo_unavailable.png"


def is_busy(answer: Reply, photo: Photo) -> None:
    """429 with 117 bytes of HTML."""
    assert (answer.status, len(answer.body)) == (429, 117)
    assert answer.headers["content-type"] == "text/html"


def is_empty(answer: Reply, photo: Photo) -> None:
    """No bytes, called a JPEG."""
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-type"] == "image/jpeg"


def is_png(answer: Reply, photo: Photo) -> None:
    """A PNG of the right size, called one."""
    assert answer.headers["content-type"] == "image/png"
    assert (picture_of(answer).format, picture_of(answer).size) == ("PNG", photo.size("z"))


def is_mislabelled(answer: Reply, photo: Photo) -> None:
    """A PNG of the right size, called a JPEG."""
    assert answer.headers["content-type"] == "image/jpeg"
    assert (picture_of(answer).format, picture_of(answer).size) == ("PNG", photo.size("z"))


def is_page(answer: Reply, photo: Photo) -> None:
    """A page of HTML with status 200."""
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.body.startswith(b"<!DOCTYPE html>")
    with pytest.raises(UnidentifiedImageError):
        picture_of(answer)


def is_broken(answer: Reply, photo: Photo) -> None:
    """The first half of the JPEG, with a header that agrees."""
    whole = jpeg_of(photo)
    assert answer.body == whole[: len(whole) // 2]
    assert answer.headers["content-length"] == str(len(answer.body))
    with pytest.raises(OSError, match="truncated"):
        picture_of(answer)


def is_of_another_size(answer: Reply, photo: Photo) -> None:
    """A good JPEG whose sides and proportions are not the announced ones."""
    width, height = photo.size("z") or (0, 0)
    picture = picture_of(answer)
    assert picture.format == "JPEG"
    assert picture.size == (width * 4 // 5, height * 3 // 5)


def is_bomb(answer: Reply, photo: Photo) -> None:
    """Some hundred bytes that claim 50,000 x 50,000 pixels; Pillow will not even open them."""
    assert answer.headers["content-type"] == "image/jpeg"
    assert len(answer.body) < 2_000
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(answer.body))


def is_cmyk(answer: Reply, photo: Photo) -> None:
    """A good JPEG in CMYK."""
    picture = picture_of(answer)
    assert (picture.format, picture.mode, picture.size) == ("JPEG", "CMYK", photo.size("z"))


def is_grey(answer: Reply, photo: Photo) -> None:
    """A good JPEG in shades of grey."""
    picture = picture_of(answer)
    assert (picture.format, picture.mode, picture.size) == ("JPEG", "L", photo.size("z"))


def is_turned(answer: Reply, photo: Photo) -> None:
    """A good JPEG on its side: turned by its EXIF it is the announced one."""
    width, height = photo.size("z") or (0, 0)
    picture = picture_of(answer)
    assert picture.size == (height, width)
    assert picture.getexif()[0x0112] == 6
    upright = ImageOps.exif_transpose(picture)
    assert upright.size == (width, height)
    small = [
        list(one.convert("L").resize((8, 8), Image.Resampling.BOX).tobytes())
        for one in (upright, Image.open(io.BytesIO(jpeg_of(photo))))
    ]
    assert max(abs(a - b) for a, b in zip(*small, strict=True)) < 8


LOOKS: dict[AwkwardFile, Callable[[Reply, Photo], None]] = {
    AwkwardFile.GONE: is_gone,
    AwkwardFile.PLACEHOLDER: is_placeholder,
    AwkwardFile.BUSY: is_busy,
    AwkwardFile.EMPTY: is_empty,
    AwkwardFile.PNG: is_png,
    AwkwardFile.MISLABELLED: is_mislabelled,
    AwkwardFile.PAGE: is_page,
    AwkwardFile.BROKEN: is_broken,
    AwkwardFile.OTHER_SIZE: is_of_another_size,
    AwkwardFile.BOMB: is_bomb,
    AwkwardFile.CMYK: is_cmyk,
    AwkwardFile.GREY: is_grey,
    AwkwardFile.TURNED: is_turned,
}


def test_every_awkward_file_is_looked_at() -> None:
    """No kind is left out; the one that ends the connection has a test of its own."""
    assert set(LOOKS) == set(AwkwardFile) - {AwkwardFile.CUT_OFF}


@pytest.mark.parametrize("kind", list(LOOKS))
def test_a_file_is_awkward_as_described(service: Whole, kind: AwkwardFile) -> None:
    """Status, headers and bytes on the wire; whoever asks again is answered alike, but for 429."""
    photo = next(photos_of(kind))
    first, second = (service.exchange("GET", path_of(photo)) for _ in range(2))
    LOOKS[kind](first, photo)
    if kind is AwkwardFile.BUSY:
        assert (second.status, second.body) == (200, jpeg_of(photo))
        assert service.exchange("GET", path_of(photo, "m")).status == 429
    else:
        assert (second.status, second.body) == (first.status, first.body)


def test_a_file_cut_off_comes_whole_at_the_second_request(service: Whole) -> None:
    """The header tells the whole length, half of it comes, and the next try is well."""
    photo = next(photos_of(AwkwardFile.CUT_OFF))
    whole = jpeg_of(photo)
    with pytest.raises(IncompleteRead) as caught:
        service.exchange("GET", path_of(photo))
    assert caught.value.partial == whole[: len(whole) // 2]
    assert service.exchange("GET", path_of(photo)).body == whole


def test_a_file_that_is_not_awkward_is_the_announced_one(service: Whole) -> None:
    """Seven of ten are as they were."""
    for photo, _ in zip(photos_of(None), range(5), strict=False):
        assert service.exchange("GET", path_of(photo)).body == jpeg_of(photo)


def test_the_placeholder_is_a_picture_of_its_own(service: Whole) -> None:
    """Whoever follows the redirection gets a PNG with status 200, whatever was asked for."""
    photo = next(photos_of(AwkwardFile.PLACEHOLDER))
    target = service.exchange("GET", path_of(photo)).headers["location"]
    answer = service.exchange("GET", urlsplit(target).path)
    assert (answer.status, answer.headers["content-type"]) == (200, "image/png")
    assert picture_of(answer).size == (500, 374)


def test_the_bomb_says_50000_by_50000() -> None:
    """In the frame of its header, height first (ITU-T T.81, B.2.2)."""
    bomb = make_bomb()
    frame = bomb.index(b"\xff\xc0")
    assert int.from_bytes(bomb[frame + 5 : frame + 7], "big") == BOMB_SIDE == 50_000
    assert int.from_bytes(bomb[frame + 7 : frame + 9], "big") == BOMB_SIDE
    assert len(bomb) < 2_000


def test_each_kind_is_as_frequent_as_any_other() -> None:
    """The share of awkward files is the one asked for, spread evenly over the kinds."""
    kinds = Counter(awkward_file(str(number), SHARE) for number in range(20_000))
    good = kinds.pop(None)
    assert good == pytest.approx(20_000 * (1 - SHARE), rel=0.03)
    for kind in AwkwardFile:
        assert kinds[kind] == pytest.approx(20_000 * SHARE / len(AwkwardFile), rel=0.25)


def test_without_awkwardness_no_file_is_awkward_and_with_all_every_one() -> None:
    """The share goes from none to all."""
    numbers = [str(number) for number in range(500)]
    assert not any(awkward_file(one, 0.0) or awkward_title(one, 0.0) for one in numbers)
    assert all(awkward_file(one, 1.0) and awkward_title(one, 1.0) for one in numbers)


@pytest.mark.parametrize("kind", [AwkwardFile.GONE, AwkwardFile.BUSY, AwkwardFile.CUT_OFF])
def test_what_is_no_matter_of_the_file_makes_none(kind: AwkwardFile) -> None:
    """A status is not a file."""
    with pytest.raises(ValueError, match="is no matter of the file"):
        make_awkward(kind, b"")


# Awkward titles, in both formats.


def titled(text: str) -> Photo:
    """A photo of that title, within the small box around it."""
    return next(photo for photo in REGION if photo.title == text and not photo.video)


def found(service: Whole, photo: Photo, **changes: str) -> bytes:
    """The answer to a search for the very place of a photo."""
    x, y = photo.longitude, photo.latitude
    box = f"{x - 1e-5:.6f},{y - 1e-5:.6f},{x + 1e-5:.6f},{y + 1e-5:.6f}"
    form = SEARCH | BOX | {"bbox": box, "extras": "description"} | changes
    return service.call(form).content


@pytest.mark.parametrize("number", range(len(TITLES)))
def test_an_awkward_title_comes_through_unchanged_as_json(service: Whole, number: int) -> None:
    """Character by character, in ASCII, to whoever reads JSON."""
    photo = titled(TITLES[number])
    body = found(service, photo)
    assert body.isascii()
    titles = [row["title"] for row in json.loads(body)["photos"]["photo"]]
    assert TITLES[number] in titles


@pytest.mark.parametrize("number", range(len(TITLES)))
def test_an_awkward_title_does_not_break_xml(service: Whole, number: int) -> None:
    """The page can be read; what XML cannot hold is left out of it."""
    photo = titled(TITLES[number])
    root = ET.fromstring(found(service, photo, format="rest"))
    titles = {row.get("id"): row.get("title") for row in root.iter("photo")}
    title = titles[photo.photo_id] or ""
    kept = "".join(
        character for character in TITLES[number]
        if character in "\t\n\r" or (character >= " " and not "\ud800" <= character <= "\udfff")
    )  # fmt: skip
    # A parser makes blanks of line ends in attributes.
    assert title.split() == kept.split()


def test_awkward_titles_are_of_every_sort() -> None:
    """HTML, formulas, control characters, right to left, half a character, and 10 kB."""
    together = "".join(TITLES)
    for text in ("<script>", "=HYPERLINK(", "@SUM", "+1-2", "\x00", "\x1b[", "\r\n", "\u202e",
                 "\ud83d", "\u200d", "\ufeff", "\u2028"):  # fmt: skip
        assert text in together
    assert sum(len(title) >= 10_240 for title in TITLES) == 2
    assert {photo.title for photo in REGION} >= set(TITLES)


# Awkward photos.


def rows_of(service: Whole, **changes: str) -> list[dict[str, Any]]:
    """All rows of the region."""
    rows: list[dict[str, Any]] = []
    while True:
        page = str(1 + len(rows) // 250)
        found = service.search(per_page="250", page=page, **changes)
        rows += found["photo"]
        if len(rows) >= int(found["total"]):
            return rows


@pytest.fixture(scope="module")
def rows(service: Whole) -> list[dict[str, Any]]:
    """All rows of the region, with what tells awkward photos from others."""
    return rows_of(
        service,
        extras="license,geo,date_taken,date_upload,media,content_type,url_l,url_z,url_o,o_dims",
    )


def test_all_licences_occur(rows: list[dict[str, Any]]) -> None:
    """From 0 to 16, as texts."""
    assert {row["license"] for row in rows} == {str(number) for number in range(17)}


@pytest.mark.parametrize(
    ("name", "value", "low", "high"),
    [
        ("geo_is_public", "0", 0.002, 0.03),
        ("datetakenunknown", "1", 0.09, 0.2),
        ("accuracy", "0", 0.002, 0.03),
        ("media", "video", 0.01, 0.06),
        ("content_type", "1", 0.002, 0.03),
        ("content_type", "2", 0.002, 0.03),
        ("datetakengranularity", "6", 0.0005, 0.02),
        ("datetakengranularity", "4", 0.002, 0.03),
    ],
)
def test_awkward_photos_occur(
    rows: list[dict[str, Any]], name: str, value: str, low: float, high: float
) -> None:
    """Some photos, and not many, are not what one wants; the rows say so."""
    assert low < sum(str(row[name]) == value for row in rows) / len(rows) < high


def test_some_sizes_are_missing(rows: list[dict[str, Any]]) -> None:
    """Small originals have no 1,024 px file, and originals of all rights reserved none at all."""
    assert 0.02 < sum("url_l" not in row for row in rows) / len(rows) < 0.15
    for row in rows:
        assert ("url_l" in row) == (max(int(row["o_width"]), int(row["o_height"])) >= 1_024)
        assert ("url_o" in row) == (row["license"] != "0")


def test_some_places_are_flooded_by_one_owner() -> None:
    """One owner has most photos of the share of places that was asked for, and nowhere else."""
    numbers = [row * TILE_COLUMNS + column for row in range(490, 530) for column in range(220, 260)]
    numbers = [number for number in numbers if count_photos(0, number) > 60]

    def flooded(share: float) -> float:
        tiles = [make_tile(0, number, share) for number in numbers]
        most = [max(Counter(tile.owner.tolist()).values()) / len(tile) for tile in tiles]
        return sum(one > 0.6 for one in most) / len(most)

    assert (flooded(0.0), flooded(1.0)) == (0.0, 1.0)
    assert flooded(0.4) == pytest.approx(0.4, abs=0.1)


def test_awkwardness_moves_no_photo() -> None:
    """The same photos at the same places and times: only titles, owners and files differ."""
    plain = People(0).search(PhotoQuery(-123, 37, -121, 39), 0, 10**6)[1]
    assert [(p.photo_id, p.longitude, p.latitude, p.taken) for p in plain] == [
        (p.photo_id, p.longitude, p.latitude, p.taken) for p in REGION
    ]
