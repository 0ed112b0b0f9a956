"""Mistakes that a client of Flickr can make, and the answer that gives each away."""

from __future__ import annotations

import io
import json
import socket
import time
import xml.etree.ElementTree as ET
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from PIL import Image

from collectors.sandbox.people import People, PhotoQuery
from collectors.sandbox.photo_tiles import TILE_COLUMNS, count_photos
from collectors.sandbox.server import DEFAULT_KEY, Options
from tests.sandbox.whole_sandbox import BOX, SEARCH, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from collectors.sandbox.photo_records import Photo
    from tests.sandbox.whole_sandbox import Whole

PEOPLE = People(0)
REGION = PhotoQuery(-123, 37, -121, 39)
GOOD = SEARCH | BOX
INVALID_KEY = {
    "stat": "fail", "code": 100, "message": "Invalid API Key (Key has invalid format)",
}  # fmt: skip

MISTAKES: dict[str, Callable[[Whole], None]] = {}
"""By its name, what sends a mistake and raises AssertionError where the answer hides it."""


def mistake(name: str) -> Callable[[Callable[[Whole], None]], Callable[[Whole], None]]:
    """Puts a check into the table."""

    def put(check: Callable[[Whole], None]) -> Callable[[Whole], None]:
        assert name not in MISTAKES
        MISTAKES[name] = check
        return check

    return put


@pytest.fixture(scope="module")
def service() -> Iterator[Whole]:
    """The sandbox over the made-up world."""
    with running(Options(seed=0)) as whole:
        yield whole


@cache
def photos() -> list[Photo]:
    """The photos of the region."""
    return PEOPLE.search(REGION, 0, 10**6)[1]


@cache
def crowded() -> str:
    """A box of one square degree that holds more than 5,000 photos."""
    for square in range(60 * 360, 120 * 360):
        row, column = divmod(square, 360)
        tiles = [(4 * row + a) * TILE_COLUMNS + 4 * column + b for a in range(4) for b in range(4)]
        if sum(count_photos(0, tile) for tile in tiles) > 5_000:
            return f"{column - 180},{row - 90},{column - 179},{row - 89}"
    raise AssertionError("no crowded square")


def address_of(service: Whole, photo: Photo, suffix: str = "_z", *, server: str = "") -> str:
    """The address of a file of a photo, put together from the row of a search."""
    server = server or ("31337" if photo.video else "65535")
    return f"{service.url}/photos/{server}/{photo.photo_id}_{photo.secret}{suffix}.jpg"


# Who is calling. The answers to a bad signature are OAuth's own; Flickr has been seen to give
# signature_invalid, the others are of the same list and not on record.


@mistake("a call that is not signed")
def _(service: Whole) -> None:
    answer = service.client.post(service.rest, data=GOOD)
    assert (answer.status_code, answer.json()) == (200, INVALID_KEY)


@mistake("the key in the query of a GET")
def _(service: Whole) -> None:
    # The service takes this. The sandbox does not: the key would stand in logs.
    answer = service.client.get(service.rest, params=GOOD | {"api_key": DEFAULT_KEY})
    assert (answer.status_code, answer.json()) == (200, INVALID_KEY)


@mistake("the key in the form and no signature")
def _(service: Whole) -> None:
    answer = service.client.post(service.rest, data=GOOD | {"api_key": DEFAULT_KEY})
    assert (answer.status_code, answer.json()) == (200, INVALID_KEY)


@mistake("a key that is none")
def _(service: Whole) -> None:
    answer = service.call(GOOD, key="my-key")
    assert (answer.status_code, answer.json()) == (200, INVALID_KEY)


@mistake("a key that nobody has")
def _(service: Whole) -> None:
    answer = service.call(GOOD, key="f" * 32).json()
    assert answer == INVALID_KEY | {"message": "Invalid API Key (Key not found)"}


@mistake("a failure looked for in the status")
def _(service: Whole) -> None:
    answer = service.call(GOOD | {"method": "flickr.fakeMethod"})
    assert answer.status_code == 200
    assert answer.json() == {
        "stat": "fail", "code": 112, "message": 'Method "flickr.fakeMethod" not found',
    }  # fmt: skip


def refused_signature(answer: httpx.Response, problem: str) -> None:
    """Looks at the refusal of a signature."""
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text.split("&")[0] == f"oauth_problem={problem}"


@mistake("a wrong secret")
def _(service: Whole) -> None:
    refused_signature(service.call(GOOD, secret="wrong"), "signature_invalid")


@mistake("a form changed after it was signed")
def _(service: Whole) -> None:
    headers, body = service.sign(GOOD)
    answer = service.client.post(
        service.rest, content=body.replace("2015", "2016"), headers=headers
    )
    refused_signature(answer, "signature_invalid")
    assert service.client.post(service.rest, content=body, headers=headers).json()["stat"] == "ok"


@mistake("an argument added to the address after it was signed")
def _(service: Whole) -> None:
    headers, body = service.sign(GOOD)
    answer = service.client.post(f"{service.rest}?page=2", content=body, headers=headers)
    refused_signature(answer, "signature_invalid")


@mistake("signed for another address")
def _(service: Whole) -> None:
    answer = service.call(GOOD, address="https://api.flickr.com/services/rest/")
    refused_signature(answer, "signature_invalid")


@mistake("a try again without a new signature")
def _(service: Whole) -> None:
    headers, body = service.sign(GOOD)
    first, second = (
        service.client.post(service.rest, content=body, headers=headers) for _ in range(2)
    )
    assert first.json()["stat"] == "ok"
    refused_signature(second, "nonce_used")


@mistake("a clock that is slow")
def _(service: Whole) -> None:
    answer = service.call(GOOD, timestamp=str(int(time.time()) - 3_600))
    refused_signature(answer, "timestamp_refused")


@mistake("a clock that is fast")
def _(service: Whole) -> None:
    answer = service.call(GOOD, timestamp=str(int(time.time()) + 3_600))
    refused_signature(answer, "timestamp_refused")


# The form of the answer.


@mistake("no format")
def _(service: Whole) -> None:
    form = {name: value for name, value in GOOD.items() if name != "format"}
    answer = service.call(form)
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    root = ET.fromstring(answer.text)
    assert (root.tag, root.get("stat"), root[0].tag) == ("rsp", "ok", "photos")


@mistake("a format that the client library made up")
def _(service: Whole) -> None:
    answer = service.call(GOOD | {"format": "parsed-json"})
    error = ET.fromstring(answer.text)[0]
    assert error.attrib == {"code": "111", "msg": 'Format "parsed-json" not found'}


@mistake("no nojsoncallback")
def _(service: Whole) -> None:
    form = {name: value for name, value in GOOD.items() if name != "nojsoncallback"}
    answer = service.call(form)
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.text.startswith("jsonFlickrApi({")
    assert answer.text.endswith("})")
    with pytest.raises(json.JSONDecodeError):
        answer.json()


@mistake("blanks in the address of a GET")
def _(service: Whole) -> None:
    address = urlsplit(service.rest)
    line = f"GET {address.path}?bbox=-123, 37, -121, 39 HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n"
    with socket.create_connection((address.hostname or "", address.port or 0), 10) as plain:
        plain.sendall(line.encode())
        answer = b""
        while part := plain.recv(4_096):
            answer += part
    assert answer.startswith(b"HTTP/1.1 400 Bad request\r\ncontent-type: text/html")
    assert b"\r\n\r\n<html><body><h1>400 Bad request</h1>\n" in answer


# name: (changed arguments, code, beginning of the message)
NO_BOX = (4, "Not a valid bounding box")
ILLOGICAL = (18, "Illogical arguments")
REFUSED: dict[str, tuple[dict[str, str], tuple[int, str]]] = {
    "a box from east to west": ({"bbox": "-121,37,-123,39"}, NO_BOX),
    "a box from north to south": ({"bbox": "-123,39,-121,37"}, NO_BOX),
    "a box over the antimeridian": ({"bbox": "179,-18,-179,-16"}, NO_BOX),
    "longitudes up to 360": ({"bbox": "179,-18,181,-16"}, NO_BOX),
    "latitude before longitude": ({"bbox": "37,-123,39,-121"}, NO_BOX),
    "a box of three numbers": ({"bbox": "-123,37,-121"}, NO_BOX),
    "decimal commas": ({"bbox": "-123,5,37,5,-121,5,39,5"}, NO_BOX),
    "a box with semicolons": ({"bbox": "-123;37;-121;39"}, NO_BOX),
    "a box that is not a number": ({"bbox": "-123,nan,-121,39"}, NO_BOX),
    "neither box nor limit": (
        {"bbox": "", "min_taken_date": ""}, (3, "Parameterless searches have been disabled"),
    ),
    "a name for an owner": ({"user_id": "roland"}, (2, "Unknown user")),
    "capture dates reversed": (
        {"min_taken_date": "2020-02-01", "max_taken_date": "2020-01-01"}, ILLOGICAL,
    ),
    "upload dates reversed": (
        {"min_upload_date": "1580000000", "max_upload_date": "1570000000"}, ILLOGICAL,
    ),
    # What the service makes of the following is not known; it may pass over them without a word.
    # Here they are refused, so that they are seen.
    "a date with slashes": ({"min_taken_date": "2020/01/31"}, ILLOGICAL),
    "a date with a T": ({"min_taken_date": "2020-01-31T00:00:00"}, ILLOGICAL),
    "a date with a zone": ({"min_taken_date": "2020-01-31 00:00:00+00:00"}, ILLOGICAL),
    "a day that does not exist": ({"max_taken_date": "2021-02-29"}, ILLOGICAL),
    "a date in words": ({"min_taken_date": "last week"}, ILLOGICAL),
    "accuracy 0": ({"accuracy": "0"}, ILLOGICAL),
    "accuracy 17": ({"accuracy": "17"}, ILLOGICAL),
    "accuracy in words": ({"accuracy": "street"}, ILLOGICAL),
    "a licence that is not there": ({"license": "4,17"}, ILLOGICAL),
    "a licence by its name": ({"license": "CC BY 2.0"}, ILLOGICAL),
    "an order that is not there": ({"sort": "date_taken_asc"}, ILLOGICAL),
    "media in the singular": ({"media": "photo"}, ILLOGICAL),
    "content_type by the newer numbers": ({"content_type": "0"}, ILLOGICAL),
    "content_types by the older numbers": ({"content_types": "7"}, ILLOGICAL),
    # The service passes over arguments that it does not know; the sandbox names them.
    "a misspelt argument": (
        {"min_date_taken": "2020-01-01"},
        (18, "Illogical arguments (the sandbox does not know min_date_taken)"),
    ),
    "British spelling": (
        {"licence": "4"}, (18, "Illogical arguments (the sandbox does not know licence)"),
    ),
}  # fmt: skip


def refused(service: Whole, changes: dict[str, str], code: int, message: str) -> None:
    """Sends a search and looks at its failure, which comes with status 200."""
    answer = service.call({n: v for n, v in (GOOD | changes).items() if v})
    assert answer.status_code == 200
    content = answer.json()
    assert (content["stat"], content["code"]) == ("fail", code)
    assert content["message"].startswith(message)
    assert set(content) == {"stat", "code", "message"}


MISTAKES |= {
    name: partial(refused, changes=changes, code=code, message=message)
    for name, (changes, (code, message)) in REFUSED.items()
}


# What is no error to the service comes back as something else than was meant.


@mistake("latitude before longitude where both fit")
def _(service: Whole) -> None:
    rows = service.search(bbox="45.2,5.2,47.6,8.4", extras="geo")["photo"]
    assert len(rows) == 100
    assert all(float(row["longitude"]) >= 45.2 for row in rows)


@mistake("page 17")
def _(service: Whole) -> None:
    last, beyond = (service.search(bbox=crowded(), per_page="250", page=p) for p in ("16", "17"))
    assert beyond["photo"] == last["photo"]
    assert (beyond["page"], int(beyond["pages"]) > 20) == (17, True)


@mistake("page 17 where it is refused")
def _(service: Whole) -> None:
    with running(Options(seed=0, beyond_limit="refuse")) as strict:
        assert len(strict.search(bbox=crowded(), per_page="250", page="16")["photo"]) == 250
        assert strict.search(bbox=crowded(), per_page="250", page="17") == {
            "stat": "fail", "code": 20, "message": "Excessive photo offset in search",
        }  # fmt: skip


@mistake("trust in the total")
def _(service: Whole) -> None:
    pages = [service.search(bbox=crowded(), per_page="250", page=str(p)) for p in range(1, 23)]
    seen = {row["id"] for page in pages for row in page["photo"]}
    assert int(pages[0]["total"]) > 5_000
    assert len(seen) == 4_000


@mistake("a short page taken for the end")
def _(service: Whole) -> None:
    # 4,000 is no multiple of 240: the last page is short although more than 5,000 were found.
    rows = service.search(bbox=crowded(), per_page="240", page="17")["photo"]
    assert len(rows) == 4_000 - 16 * 240


@mistake("pages counted from 0")
def _(service: Whole) -> None:
    zero, one, two = (service.search(per_page="50", page=page) for page in "012")
    assert zero["photo"] == one["photo"] != two["photo"]
    assert zero["page"] == 1


@mistake("an empty page awaited where the pages end")
def _(service: Whole) -> None:
    found = service.search(per_page="250")
    beyond = service.search(per_page="250", page=str(int(found["pages"]) + 1))
    assert (beyond["photo"], beyond["total"]) == ([], found["total"])


@mistake("500 a page")
def _(service: Whole) -> None:
    found = service.search(per_page="500")
    assert (found["perpage"], len(found["photo"])) == (250, 250)


@mistake("pages counted by the size asked for")
def _(service: Whole) -> None:
    found = service.search(per_page="500")
    own = -(-int(found["total"]) // 500)
    assert int(found["pages"]) == -(-int(found["total"]) // 250) > own


@mistake("no limiting argument")
def _(service: Whole) -> None:
    wide = "-119,38,-117,40"  # one of its photos came in the last hours
    fresh = service.search(bbox=wide, min_taken_date="", extras="date_upload", per_page="250")
    assert 0 < int(fresh["total"]) < int(service.search(bbox=wide)["total"]) / 100
    assert min(int(row["dateupload"]) for row in fresh["photo"]) >= PEOPLE.now - 12 * 3_600


@mistake("a licence or an accuracy for a limiting argument")
def _(service: Whole) -> None:
    found = service.search(min_taken_date="", license="4,5", accuracy="14", media="photos")
    assert int(found["total"]) < 5


@mistake("dates as a half-open range")
def _(service: Whole) -> None:
    photo = next(one for one in photos() if one.taken % 86_400 and not one.taken_unknown)
    taken = datetime.fromtimestamp(photo.taken, tz=UTC)
    day = timedelta(days=1)
    windows = [(taken - day, taken), (taken, taken + day)]
    for start, end in windows:
        dates = {"min_taken_date": f"{start:%Y-%m-%d %T}", "max_taken_date": f"{end:%Y-%m-%d %T}"}
        rows = service.search(**dates, per_page="250")["photo"]
        assert photo.photo_id in {row["id"] for row in rows}


@mistake("a last day without its hours")
def _(service: Whole) -> None:
    photo = next(one for one in photos() if one.taken % 86_400 and not one.taken_unknown)
    day = f"{datetime.fromtimestamp(photo.taken, tz=UTC):%Y-%m-%d}"
    for last, there in ((day, False), (f"{day} 23:59:59", True)):
        dates = {"min_taken_date": day, "max_taken_date": last}
        rows = service.search(**dates, per_page="250")["photo"]
        assert (photo.photo_id in {row["id"] for row in rows}) is there


@mistake("boxes as half-open")
def _(service: Whole) -> None:
    photo = photos()[0]
    x, y = photo.longitude, photo.latitude
    for west, east in ((x - 0.1, x), (x, x + 0.1)):
        rows = service.search(bbox=f"{west!r},{y!r},{east!r},{y!r}", per_page="250")["photo"]
        assert photo.photo_id in {row["id"] for row in rows}


@mistake("has_geo in place of the extra")
def _(service: Whole) -> None:
    row = service.search(has_geo="1", per_page="1")["photo"][0]
    assert not {"latitude", "longitude", "accuracy"} & set(row)
    assert "latitude" in service.search(extras="geo", per_page="1")["photo"][0]


@mistake("misspelt extras")
def _(service: Whole) -> None:
    bare = set(service.search(per_page="1")["photo"][0])
    wrong = "Geo,date_take,licence,url_b,geo;license,dateupload"
    assert set(service.search(per_page="1", extras=wrong)["photo"][0]) == bare


@mistake("photos that were taken outdoors")
def _(service: Whole) -> None:
    found = service.search(geo_context="2")
    assert (int(found["total"]), found["photo"]) == (0, [])
    rows = service.search(extras="geo")["photo"]
    assert {row["context"] for row in rows} == {0}


def rows_of(service: Whole, **arguments: str) -> list[dict[str, Any]]:
    """The rows of a thousand photos."""
    pages = (service.search(per_page="250", page=page, **arguments) for page in "1234")
    return [row for page in pages for row in page["photo"]]


@mistake("numbers taken to be numbers")
def _(service: Whole) -> None:
    rows = rows_of(service, extras="geo,url_z")
    for name in ("latitude", "longitude", "accuracy", "width_z", "height_z"):
        types = Counter(type(row[name]) for row in rows if name in row)
        assert types[str] > 200
        assert sum(types.values()) - types[str] > 200


@mistake("a total taken to be a number")
def _(service: Whole) -> None:
    boxes = [f"{west},37,{west + 0.5},38" for west in (-123, -122, -121, -120, -119)]
    found = [service.search(bbox=box, per_page="1") for box in boxes]
    assert {type(one["total"]) for one in found} == {int, str}
    assert {type(one["pages"]) for one in found} == {int, str}


@mistake("capture dates that are not known")
def _(service: Whole) -> None:
    rows = rows_of(service, extras="date_taken,date_upload")
    unknown = [row for row in rows if str(row["datetakenunknown"]) == "1"]
    assert 0.09 < len(unknown) / len(rows) < 0.2
    for row in unknown:
        moment = datetime.fromtimestamp(int(row["dateupload"]), tz=UTC)
        assert row["datetaken"] == f"{moment:%Y-%m-%d %T}"


@mistake("the first of a month for a day")
def _(service: Whole) -> None:
    rows = rows_of(service, extras="date_taken")
    coarse = [row for row in rows if str(row["datetakengranularity"]) in {"4", "6"}]
    assert coarse
    assert {row["datetaken"][7:] for row in coarse} == {"-01 00:00:00"}


@mistake("a place without an accuracy")
def _(service: Whole) -> None:
    rows = rows_of(service, extras="geo")
    vague = [row for row in rows if str(row["accuracy"]) == "0"]
    assert vague
    assert all(float(row["latitude"]) for row in vague)


@mistake("a place that is not public")
def _(service: Whole) -> None:
    rows = rows_of(service, extras="geo")
    assert {row["geo_is_public"] for row in rows} == {0, 1}


@mistake("trust in 1,024 pixels")
def _(service: Whole) -> None:
    rows = rows_of(service, extras="url_l,url_z")
    without = [row for row in rows if "url_l" not in row]
    assert 0.02 < len(without) / len(rows) < 0.15
    assert any("url_z" in row for row in without)


@mistake("videos among the photos")
def _(service: Whole) -> None:
    rows = rows_of(service, extras="media,url_z")
    videos = [row for row in rows if row["media"] == "video"]
    assert videos
    assert all("url_z" in row for row in videos)
    assert {row["media"] for row in rows_of(service, extras="media", media="photos")} == {"photo"}


@mistake("screenshots among the photos")
def _(service: Whole) -> None:
    rows = rows_of(service, extras="content_type")
    assert {row["content_type"] for row in rows} == {"0", "1", "2", "3"}
    rows = rows_of(service, extras="content_type", content_types="0")
    assert {row["content_type"] for row in rows} == {"0"}


# The photo host.


def missing(answer: httpx.Response) -> None:
    """Looks at the answer for a file that is not there."""
    assert (answer.status_code, answer.content) == (404, b"")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


@cache
def whole_photo() -> Photo:
    """A photo whose files are there, in all sizes."""
    return next(p for p in photos() if p.size("k") and not p.removed and not p.video)


@mistake("a wrong secret in the address of a file")
def _(service: Whole) -> None:
    address = address_of(service, whole_photo())
    assert service.get(address).status_code == 200
    missing(service.get(address.replace(whole_photo().secret, "0123456789")))


@mistake("a suffix that is not there")
def _(service: Whole) -> None:
    missing(service.get(address_of(service, whole_photo(), "_x")))


@mistake("no suffix for the largest size")
def _(service: Whole) -> None:
    picture = Image.open(io.BytesIO(service.get(address_of(service, whole_photo(), "")).content))
    assert max(picture.size) == 500


@mistake("the 1,600 pixels by the secret of the others")
def _(service: Whole) -> None:
    missing(service.get(address_of(service, whole_photo(), "_h")))


@mistake("a size above the original")
def _(service: Whole) -> None:
    small = next(p for p in photos() if not p.size("b") and not p.removed and not p.video)
    missing(service.get(address_of(service, small, "_b")))


@mistake("a wrong server in the address of a file")
def _(service: Whole) -> None:
    missing(service.get(address_of(service, whole_photo(), server="4321")))


@mistake("the address of a video's picture put together")
def _(service: Whole) -> None:
    rows = rows_of(service, extras="media,url_z", media="videos")
    row = next(row for row in rows if service.get(row["url_z"]).status_code == 200)
    name = f"{row['id']}_{row['secret']}_z.jpg"
    missing(service.get(f"{service.url}/photos/{row['server']}/{name}"))


@mistake("an address without the name of a file")
def _(service: Whole) -> None:
    missing(service.get(f"{service.url}/photos/{whole_photo().photo_id}"))


@cache
def removed_photo() -> Photo:
    """A photo that its owner has taken away since."""
    return next(p for p in photos() if p.removed and p.size("z"))


@mistake("a redirection not followed")
def _(service: Whole) -> None:
    answer = service.get(address_of(service, removed_photo()))
    assert answer.status_code == 302
    assert answer.headers["location"].endswith("/photo_unavailable.png")
    assert not answer.content


@mistake("a redirection followed without a look")
def _(service: Whole) -> None:
    address = address_of(service, removed_photo())
    answer = service.client.get(address, follow_redirects=True)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert Image.open(io.BytesIO(answer.content)).size != removed_photo().size("z")


@pytest.mark.parametrize("name", list(MISTAKES))
def test_a_mistake_is_answered_as_the_service_would(service: Whole, name: str) -> None:
    """The answer lets the client, or its tests, see the mistake."""
    MISTAKES[name](service)
