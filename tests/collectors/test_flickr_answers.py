"""Reading what Flickr answers: changing types, odd rows, failures."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.flickr_answers import (
    ExcessiveOffset,
    FlickrRefusal,
    parse_licences,
    parse_page,
    read_answer,
    trouble_of,
)
from collectors.flickr_rows import UnreadableRow, parse_photo, read_row
from collectors.records import Media, Photo, PhotoSize
from collectors.transport import SetupError, TransientTrouble

ROW: dict[str, Any] = {
    "id": "49000000001",
    "owner": "7000000@N06",
    "secret": "0123456789",
    "server": "65535",
    "title": "A pier",
    "ownername": "Somebody",
    "pathalias": None,
    "tags": "pier sea",
    "media": "photo",
    "content_type": "0",
    "license": "5",
    "dateupload": "1581319011",
    "datetaken": "2019-11-05 15:54:37",
    "datetakengranularity": "0",
    "datetakenunknown": "0",
    "latitude": "57.133333",
    "longitude": -2.483333,
    "accuracy": "16",
    "context": 0,
    "geo_is_public": 1,
    "url_l": "https://live.staticflickr.com/65535/49000000001_0123456789_b.jpg",
    "height_l": 1024,
    "width_l": "683",
    "url_m": "https://live.staticflickr.com/65535/49000000001_0123456789.jpg",
    "height_m": "500",
    "width_m": 333,
}
NUMERIC = [
    "id", "license", "dateupload", "datetakengranularity", "datetakenunknown", "latitude",
    "longitude", "accuracy", "geo_is_public", "height_l", "width_l", "height_m", "width_m",
    "content_type",
]  # fmt: skip


def page(*rows: Any, **changes: Any) -> dict[str, Any]:
    """Returns a page of rows, with changes of its head."""
    head = {"page": 1, "pages": "2", "perpage": 250, "total": "310", "photo": list(rows)}
    return {"photos": head | changes, "stat": "ok"}


def test_a_row_becomes_a_photo():
    """Every field of a row arrives in its place and type."""
    assert parse_photo(ROW) == Photo(
        photo_id="49000000001",
        owner="7000000@N06",
        owner_name="Somebody",
        path_alias="",
        lon=-2.483333,
        lat=57.133333,
        accuracy=16,
        geo_is_public=True,
        taken_at=datetime(2019, 11, 5, 15, 54, 37),  # noqa: DTZ001
        taken_known=True,
        taken_granularity=0,
        uploaded_at=datetime(2020, 2, 10, 7, 16, 51, tzinfo=UTC),
        licence=5,
        title="A pier",
        tags="pier sea",
        media=Media.PHOTO,
        is_photograph=True,
        sizes=(
            PhotoSize("l", ROW["url_l"], 683, 1024),
            PhotoSize("m", ROW["url_m"], 333, 500),
        ),
    )


@given(st.fixed_dictionaries({name: st.booleans() for name in NUMERIC}))
def test_numbers_and_texts_mean_the_same(as_text):
    """Whichever fields come as numbers and whichever as texts, the photo is the same."""
    changed = {
        name: str(ROW[name]) if text else float(ROW[name]) if "itude" in name else int(ROW[name])
        for name, text in as_text.items()
    }
    assert parse_photo(ROW | changed) == parse_photo(ROW)


@pytest.mark.parametrize("name", ["id", "owner", "license", "dateupload", "datetaken", "latitude",
                                  "longitude", "accuracy", "media", "datetakenunknown",
                                  "datetakengranularity"])  # fmt: skip
def test_a_row_without_an_essential_field_is_unreadable(name):
    """A row that lacks what a photo cannot do without is a value that names the field."""
    row = {key: value for key, value in ROW.items() if key != name}
    assert read_row(row) == UnreadableRow("" if name == "id" else ROW["id"], f"no '{name}'")


@pytest.mark.parametrize(
    ("name", "value"),
    [("id", "abc"), ("id", ""), ("owner", ""), ("owner", None), ("latitude", ""),
     ("latitude", "NaN"), ("latitude", 90.5), ("longitude", None), ("longitude", "-181"),
     ("accuracy", 17), ("accuracy", -1), ("media", "hologram"), ("dateupload", "yesterday"),
     ("dateupload", 10**20), ("datetakengranularity", 5), ("license", None)],
)  # fmt: skip
def test_a_row_with_nonsense_is_unreadable(name, value):
    """A field that makes no sense makes a row unreadable; it is never replaced by a default."""
    found = read_row(ROW | {name: value})
    assert isinstance(found, UnreadableRow)
    assert found.detail


def test_an_unknown_licence_stops_the_run():
    """A licence that nobody here has looked at is an error with the id, not a rejected photo."""
    with pytest.raises(SetupError, match=r"photo 49000000001: .*licence id 17 is not in"):
        parse_page(page(ROW, ROW | {"license": "17"}))


@pytest.mark.parametrize("taken", ["0000-00-00 00:00:00", "2015-00-00 00:00:00", "", "soon", None])
def test_a_date_that_is_none_is_unknown(taken):
    """A capture date that cannot be read is unknown, and the time of upload stands in its place."""
    photo = parse_photo(ROW | {"datetaken": taken})
    assert photo.taken_known is False
    assert photo.taken_at == datetime(2020, 2, 10, 7, 16, 51)  # noqa: DTZ001


def test_an_unknown_date_is_unknown_whatever_it_says():
    """Flickr's own flag counts: the date it gives then is that of the upload."""
    photo = parse_photo(ROW | {"datetakenunknown": "1", "datetakengranularity": 0})
    assert photo.taken_known is False


def test_a_photo_without_a_location_is_read():
    """Zeros and no geo_is_public are Flickr's way to say that there is no location."""
    row = ROW | {"latitude": 0, "longitude": 0, "accuracy": 0}
    del row["geo_is_public"]
    photo = parse_photo(row)
    assert (photo.lon, photo.lat, photo.accuracy, photo.geo_is_public) == (0, 0, 0, False)


def test_the_antimeridian_has_one_longitude():
    """Longitude 180 is written as −180, as everywhere in the project."""
    assert parse_photo(ROW | {"longitude": "180"}).lon == -180


def test_sizes_that_are_not_whole_are_left_out():
    """A size without its address or a dimension cannot be chosen; the others can."""
    row = ROW | {"url_z": "https://x/z.jpg", "height_z": "600", "width_z": None,
                 "url_c": "https://x/c.jpg", "height_c": 0, "width_c": "800"}  # fmt: skip
    assert [size.suffix for size in parse_photo(row).sizes] == ["l", "m"]
    bare = {key: value for key, value in ROW.items() if not key.startswith("url_")}
    assert parse_photo(bare).sizes == ()


@pytest.mark.parametrize(
    ("content", "expected"), [("0", True), (1, False), ("2", False), (3, False)]
)
def test_screenshots_are_no_photographs(content, expected):
    """Only content type 0 is a photograph."""
    assert parse_photo(ROW | {"content_type": content}).is_photograph is expected


def test_texts_can_always_be_written():
    """Half of a surrogate pair, which JSON can carry, is replaced; missing texts are empty."""
    row = json.loads(json.dumps(ROW).replace("A pier", "A\\ud83d pier"))
    photo = parse_photo({**row, "tags": None})
    assert photo.title == "A\ufffd pier"
    assert photo.tags == ""


def test_a_page_is_read_around_a_bad_row():
    """One row that cannot be read costs neither the page nor the others."""
    found = parse_page(page(ROW, {"id": "7"}, ROW | {"id": "49000000002"}))
    assert [photo.photo_id for photo in found.photos] == ["49000000001", "49000000002"]
    assert found.unreadable == (UnreadableRow("7", "no 'owner'"),)
    assert found.ids == ("49000000001", "7", "49000000002")
    assert (found.total, found.pages, found.page, found.per_page) == (310, 2, 1, 250)
    assert not found.exhausted


def test_an_empty_page_is_exhausted():
    """A page without rows says that there is nothing there or beyond."""
    assert parse_page(page(total="0", pages=0)).exhausted


@pytest.mark.parametrize(
    "answer",
    [{}, {"photos": None}, {"photos": {}}, page(total="many"), page("text"), page(None),
     page(7), page(photo=None), {"photos": []}],
)  # fmt: skip
def test_an_answer_that_is_no_page_is_transient(answer):
    """An answer of another shape is not an empty page: it is asked for again."""
    with pytest.raises(TransientTrouble, match="no page of photos"):
        parse_page(answer)


@given(st.dictionaries(st.sampled_from(sorted(ROW)),
                       st.none() | st.booleans() | st.integers() | st.floats() | st.text()
                       | st.just([]) | st.just({})))  # fmt: skip
def test_no_row_breaks_the_reader(changes):
    """Whatever JSON stands in a row, it is a photo, an unreadable row, or an unknown licence."""
    try:
        found = read_row(ROW | changes)
    except SetupError as error:
        assert "licence id" in str(error)  # noqa: PT017 (an allowed end, not the expected one)
        return
    assert isinstance(found, Photo | UnreadableRow)


def test_success_is_returned():
    """An answer that succeeded is given back as it is."""
    assert read_answer(b'{"stat": "ok", "x": 1}') == {"stat": "ok", "x": 1}


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body><h1>502</h1></body></html>",
        b'<?xml version="1.0"?><rsp stat="fail"><err code="201" msg="Sorry" /></rsp>',
        b'{"stat":"fail","code":201,"message":"Sorry, not currently available.",}',
        b'{"photos":{"page":1,"pa',
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"x": 1}',
        b'{"stat": "fail"}',
        b'{"stat": "fail", "code": "none"}',
    ],
)
def test_an_unreadable_body_is_transient(body):
    """HTML, XML, a trailing comma, a body cut off or of another shape: all are asked for again."""
    with pytest.raises(TransientTrouble):
        read_answer(body)


@pytest.mark.parametrize(
    ("code", "kind"),
    [(0, TransientTrouble), (10, TransientTrouble), (105, TransientTrouble),
     (106, TransientTrouble), (201, TransientTrouble), ("201", TransientTrouble),
     (96, SetupError), (97, SetupError), (98, SetupError), (99, SetupError), (100, SetupError),
     ("100", SetupError),
     (20, ExcessiveOffset), (1, FlickrRefusal), (2, FlickrRefusal), (3, FlickrRefusal),
     (4, FlickrRefusal), (5, FlickrRefusal), (18, FlickrRefusal), (77, FlickrRefusal),
     (111, FlickrRefusal), (112, FlickrRefusal), (116, FlickrRefusal), (4711, FlickrRefusal)],
)  # fmt: skip
def test_each_failure_code_has_its_kind(code, kind):
    """Unavailable is transient, the key a matter of set-up, and the rest a mistake in the call."""
    body = json.dumps({"stat": "fail", "code": code, "message": "the reason"}).encode()
    with pytest.raises(kind, match="the reason") as caught:
        read_answer(body)
    assert type(caught.value) is kind


def test_an_expired_key_is_explained():
    """What Flickr calls expired is a key disabled for over-use; the remedy says so."""
    error = trouble_of(100, "Invalid API Key (Key has expired)")
    assert "Invalid API Key (Key has expired)" in str(error)
    assert "disabled the key for asking too much" in str(error)


@pytest.mark.parametrize("answer", [{}, {"licenses": {"license": [{"id": "1"}]}}])
def test_an_answer_that_is_no_list_of_licences_is_transient(answer):
    """An answer of another shape is not a change of the licences."""
    with pytest.raises(TransientTrouble, match="no list of licences"):
        parse_licences(answer)
