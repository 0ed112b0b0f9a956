"""Flickr's client over a socket: what it sends, how it pages, and what it makes of trouble."""

from __future__ import annotations

import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.flickr import GEO_PAGE, PAGE_CAP, Flickr, FlickrRefusal, PhotoSearch
from collectors.geo import Box
from collectors.licences import LICENCES
from collectors.transport import Patience, SetupError, Throttle, TroubleRemains
from tests.collectors.loopback import Answer, Loopback
from tests.collectors.test_flickr_answers import ROW

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.sandbox import Sandbox

KEY, SECRET = "0123456789abcdef0123456789abcdef", "fedcba9876543210"
BOX = Box(-3, 57, -2, 58)
TOO_MANY = Answer(
    429,
    b"<html><body><h1>429 Too Many Requests</h1>\n"
    b"You have sent too many requests in a given amount of time.\n</body></html>\n",
    {"Content-Type": "text/html"},
)
BAY = Box(-123, 36.6, -121, 38.6)
WANTED = PhotoSearch(
    BOX, date(2018, 1, 1), date(2021, 1, 1), datetime(2026, 1, 1, tzinfo=UTC), (4, 5)
)
DECADE = replace(
    WANTED, box=BAY, taken_from=date(2015, 1, 1), taken_until=date(2026, 1, 1),
    licences=tuple(LICENCES),
)  # fmt: skip


def make_throttle() -> Throttle:
    """Returns a throttle that holds nobody up."""
    return Throttle(10_000, 1, 16)


def make_client(url: str, **changes: Any) -> Flickr:
    """Returns a client that does not really wait between tries."""
    settings: dict[str, Any] = {
        "throttle": make_throttle(),
        "patience": Patience(budget_s=5, first_wait_s=0.001, longest_wait_s=0.002),
        "timeout_s": 5,
        "user_agent": "terrapair-tests",
    }
    return Flickr(KEY, SECRET, url=f"{url}/services/rest/", **(settings | changes))


def page_of(*ids: int, page: int = 1, pages: int = 1, **changes: Any) -> Answer:
    """Returns an answer with a photo for each id."""
    rows = [ROW | {"id": str(number)} | changes for number in ids]
    body = {"photos": {"page": page, "pages": pages, "perpage": 250, "total": "300",
                       "photo": rows}, "stat": "ok"}  # fmt: skip
    return Answer(200, json.dumps(body).encode(), {"Content-Type": "application/json"})


def fail_with(code: int, message: str) -> Answer:
    """Returns a failure, which comes with status 200."""
    body = json.dumps({"stat": "fail", "code": code, "message": message}).encode()
    return Answer(200, body)


def search(client: Flickr, page: int = 1, **changes: Any):
    """Asks for a page of the box of these tests."""
    return client.search(replace(WANTED, **changes), page)


def test_the_request():
    """A search is one signed POST of a form, without the key in its body, and nothing unasked."""
    with Loopback(page_of(1)) as server, make_client(server.url) as client:
        search(client, uploaded_from=datetime(2019, 5, 1, tzinfo=UTC), page=3)
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", "/services/rest/")
    assert asked.headers["Authorization"].startswith("OAuth ")
    assert 'oauth_signature_method="HMAC-SHA1"' in asked.headers["Authorization"]
    assert asked.headers["User-Agent"] == "terrapair-tests"
    form = {name: value for name, (value,) in parse_qs(asked.body).items()}
    assert form == {
        "method": "flickr.photos.search",
        "format": "json",
        "nojsoncallback": "1",
        "bbox": "-3.000000,57.000000,-2.000000,58.000000",
        "has_geo": "1",
        "min_taken_date": "2018-01-01 00:00:00",
        "max_taken_date": "2020-12-31 23:59:59",
        "min_upload_date": "1556668800",
        "max_upload_date": "1767225599",
        "license": "4,5",
        "media": "photos",
        "content_types": "0",
        "sort": "date-posted-desc",
        "extras": "geo,date_taken,date_upload,license,owner_name,path_alias,tags,media,"
        "content_type,url_l,url_c,url_z,url_m",
        "per_page": "250",
        "page": "3",
    }


def test_each_try_is_signed_anew():
    """A repeated request has its own nonce: a replayed one could be refused."""
    with Loopback(TOO_MANY, page_of(1)) as server, make_client(server.url) as client:
        search(client)
    nonces = {asked.headers["Authorization"].split('"')[1] for asked in server.asked}
    assert len(nonces) == len(server.asked) == 2


@given(st.floats(-180, 179), st.floats(-90, 89), st.floats(1e-7, 1), st.floats(1e-7, 1))
def test_the_box_is_written_outwards(west, south, width, height):
    """Rounding to Flickr's decimals never leaves out a part of the box, nor leaves the Earth."""
    box = Box(west, south, min(180, west + width), min(90, south + height))
    text = replace(WANTED, box=box).arguments()["bbox"]
    sent = [float(edge) for edge in text.split(",")]
    assert sent[0] <= box.west
    assert sent[1] <= box.south
    assert sent[2] >= box.east
    assert sent[3] >= box.north
    assert max(abs(sent[0]), abs(sent[2])) <= 180
    assert max(abs(sent[1]), abs(sent[3])) <= 90
    assert "e" not in text


@pytest.mark.parametrize("page", [0, -1, PAGE_CAP + 1])
def test_pages_that_are_never_served_are_not_asked_for(page):
    """Beyond page 16 Flickr repeats itself; asking is a mistake in the program."""
    with Loopback(page_of(1)) as server, make_client(server.url) as client:
        with pytest.raises(ValueError, match=f"pages 1 to 16 of a search, not {page}"):
            search(client, page=page)
        assert server.asked == []


@pytest.mark.parametrize(
    "changes",
    [
        {"licences": ()},
        {"taken_until": date(2018, 1, 1)},
        {"uploaded_from": datetime(2026, 1, 1, tzinfo=UTC)},
    ],
)
def test_a_search_for_nothing_is_refused(changes):
    """No licences would ask for all of them, and an empty window for nothing."""
    with pytest.raises(ValueError, match=r"licences|nothing lies in"):
        replace(WANTED, **changes).arguments()


def test_photos_on_the_far_edge_belong_to_the_neighbour():
    """Flickr's boxes are closed, the cells half-open: east and north edges are left out."""
    rows = [(1, -3, 57), (2, -2.5, 57.5), (3, -2, 57.5), (4, -2.5, 58), (5, "-2.0", "58.0")]
    body = {"photos": {"page": 1, "pages": 1, "perpage": 250, "total": 5, "photo": [
        ROW | {"id": str(number), "longitude": lon, "latitude": lat} for number, lon, lat in rows
    ]}, "stat": "ok"}  # fmt: skip
    with (
        Loopback(Answer(200, json.dumps(body).encode())) as server,
        make_client(server.url) as client,
    ):
        found = search(client)
    assert [photo.photo_id for photo in found.photos] == ["1", "2"]
    assert found.ids == ("1", "2", "3", "4", "5")


@pytest.mark.parametrize(
    "first",
    [
        TOO_MANY,
        Answer(500, b"<html>"),
        Answer(503, b""),
        Answer(200, b"<html>maintenance</html>", {"Content-Type": "text/html"}),
        Answer(200, b'{"stat":"fail","code":201,"message":"Sorry",}', {"Content-Type": "text/xml"}),
        Answer(200, b'{"photos":{"page":1,' + b" " * 500, sent=10),
        Answer(fault="reset"),
        fail_with(105, "Service currently unavailable"),
        fail_with(201, "Sorry, the Flickr API service is not currently available."),
    ],
    ids=["429", "500", "503", "html", "201-as-xml", "cut", "reset", "105", "201"],
)
def test_what_may_pass_is_tried_again(first):
    """Each kind of passing trouble is followed by another try, and the page arrives."""
    with Loopback(first, page_of(1, 2)) as server, make_client(server.url) as client:
        found = search(client)
    assert [photo.photo_id for photo in found.photos] == ["1", "2"]
    assert client.sent == len(server.asked) == 2


def test_silence_is_tried_again():
    """A service that never answers is given up after the time-out and asked again."""
    with (
        Loopback(Answer(fault="hang"), page_of(1)) as server,
        make_client(server.url, timeout_s=0.2) as client,
    ):
        assert len(search(client).photos) == 1
    assert client.sent == 2


def test_trouble_that_remains_fails_in_time():
    """When the budget is spent the error names the service, the method and what was seen."""
    patience = Patience(budget_s=0.05, first_wait_s=0.001, longest_wait_s=0.01)
    with (
        Loopback(Answer(503)) as server,
        make_client(server.url, patience=patience) as client,
        pytest.raises(TroubleRemains, match=r"Flickr: flickr.photos.search: .*status 503"),
    ):
        search(client)


def test_a_closed_port_is_trouble_that_remains():
    """No service at the address at all: refused connections are retried, then given up."""
    with Loopback(Answer()) as server:
        url = server.url
    patience = Patience(budget_s=0.02, first_wait_s=0.001, longest_wait_s=0.01)
    with (
        make_client(url, patience=patience) as client,
        pytest.raises(TroubleRemains, match="ConnectionError"),
    ):
        search(client)


def test_too_many_requests_slow_everyone_down():
    """A 429 halves the rate of the throttle that all clients of the key share."""
    throttle = make_throttle()
    with (
        Loopback(TOO_MANY, page_of(1)) as server,
        make_client(server.url, throttle=throttle) as client,
    ):
        search(client)
    assert throttle.slowdown == 2


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (fail_with(100, "Invalid API Key (Key has expired)"), SetupError, "Key has expired"),
        (fail_with(98, "Invalid auth token"), SetupError, "Invalid auth token"),
        (fail_with(4, "Not a valid bounding box"), FlickrRefusal, "code 4"),
        (fail_with(18, "Illogical arguments"), FlickrRefusal, "code 18"),
        (Answer(401, b"oauth_problem=x"), SetupError, "key was refused with HTTP status 401"),
        (Answer(404, b"no"), SetupError, "HTTP status 404. Check the address"),
        (Answer(400, b"<html>"), FlickrRefusal, "HTTP status 400"),
        (Answer(302, b"", {"Location": "/elsewhere"}), SetupError, "Check the address"),
        (page_of(1, license="99"), SetupError, "licence id 99"),
    ],
)
def test_what_will_not_pass_is_not_tried_again(answer, kind, message):
    """A refused key, a wrong address or argument, and an unknown licence end the call at once."""
    with Loopback(answer) as server, make_client(server.url) as client:
        with pytest.raises(kind, match=message):
            search(client)
        assert len(server.asked) == 1


def test_the_excessive_offset_is_an_empty_page():
    """Code 20 is Flickr's way to say that nothing is left; it is a value, not an error."""
    with (
        Loopback(fail_with(20, "Excessive photo offset in search")) as server,
        make_client(server.url) as client,
    ):
        found = search(client, page=16)
    assert (found.photos, found.ids, found.exhausted, found.page) == ((), (), True, 16)


def walk(server: Loopback, **limits: Any) -> list[list[str]]:
    """Walks a search and returns the ids of each page."""
    with make_client(server.url) as client:
        pages = client.search_all(WANTED, **limits)
        return [[photo.photo_id for photo in page.photos] for page in pages]


def test_the_walk_ends_at_the_last_page():
    """Announced pages are asked for one after the other, and none beyond."""
    with Loopback(page_of(1, 2, pages=2), page_of(3, page=2, pages=2)) as server:
        assert walk(server) == [["1", "2"], ["3"]]
    assert [parse_qs(asked.body)["page"] for asked in server.asked] == [["1"], ["2"]]


def test_the_walk_leaves_out_what_came_before():
    """A photo that moves onto the next page while others are deleted is given once."""
    answers = (page_of(1, 2, 2, pages=3), page_of(2, 3, page=2, pages=3), page_of(4, pages=3))
    with Loopback(*answers) as server:
        assert walk(server) == [["1", "2"], ["3"], ["4"]]


def test_the_walk_ends_where_flickr_repeats_itself():
    """A page without new ids ends the walk, whatever number of pages is announced."""
    with Loopback(page_of(1, 2, pages=9000), page_of(3, pages=9000), page_of(3, pages=9000)) as s:
        assert walk(s) == [["1", "2"], ["3"], []]
    assert len(s.asked) == 3


def test_the_walk_ends_on_the_excessive_offset():
    """Code 20 ends the walk without an error."""
    with Loopback(page_of(1, pages=9000), fail_with(20, "Excessive photo offset")) as server:
        assert walk(server) == [["1"], []]


def test_the_walk_never_goes_past_page_16():
    """With ever new photos and endless announced pages, 16 pages are asked for; fewer if told."""
    answers = [page_of(number, pages=9000) for number in range(1, 30)]
    with Loopback(*answers) as server:
        assert len(walk(server)) == PAGE_CAP == 16
    with Loopback(*answers) as server:
        assert len(walk(server, max_pages=2)) == 2


def test_a_page_of_far_edge_photos_does_not_end_the_walk():
    """New ids that lie on the far edge are news, even though none of them is kept."""
    with Loopback(page_of(1, pages=2, longitude=-2), page_of(2, page=2, pages=2)) as server:
        assert walk(server) == [[], ["2"]]


def licence_answer(changes: dict[int, str]) -> Answer:
    """Returns the list of licences that is known, with changes."""
    table = {number: licence.url for number, licence in LICENCES.items()} | changes
    entries = [{"id": str(number), "name": "", "url": url} for number, url in table.items() if url]
    return Answer(200, json.dumps({"licenses": {"license": entries}, "stat": "ok"}).encode())


def test_the_check_passes_when_licences_are_as_known():
    """One call, and no complaint."""
    with Loopback(licence_answer({})) as server, make_client(server.url) as client:
        client.check()
        assert client.sent == 1


def test_the_check_names_every_change_of_the_licences():
    """A new licence, and one that means something else, stop with both named."""
    changed = licence_answer({17: "https://creativecommons.org/licenses/by/5.0/", 16: "none"})
    with (
        Loopback(changed) as server,
        make_client(server.url) as client,
        pytest.raises(SetupError, match=r"id 16 is none.*id 17 is new"),
    ):
        client.check()


@pytest.mark.parametrize(("key", "secret"), [("", "s"), ("k", "")])
def test_a_missing_key_is_found_before_anything_is_sent(key, secret):
    """An empty key or secret is an error that says where keys come from."""
    with pytest.raises(SetupError, match="Pro accounts"):
        Flickr(key, secret, url="http://127.0.0.1:1/", throttle=make_throttle(),
               patience=Patience(1, 1, 1))  # fmt: skip


def test_the_key_appears_nowhere(caplog):
    """Neither the representation, the log at its most talkative, nor any error shows the key."""
    caplog.set_level(logging.DEBUG)
    answers = [
        Answer(500, f"key={KEY}".encode()),
        fail_with(100, "Invalid API Key"),
        Answer(404, b""),
        Answer(302, b"", {"Location": "/x"}),
    ]
    shown = []
    with Loopback(*answers) as server, make_client(server.url) as client:
        shown.append(repr(client))
        for _ in range(3):
            with pytest.raises(SetupError) as caught:
                search(client)
            shown.append(repr(caught.value) + str(caught.value) + repr(caught.value.__context__))
    assert caplog.records
    for text in (*shown, caplog.text):
        assert KEY not in text
        assert SECRET not in text


def test_many_threads_share_a_client():
    """Sixteen threads at once get their own answers, and every call is counted and signed once."""
    with Loopback(page_of(1)) as server, make_client(server.url) as client:
        start = threading.Barrier(16)

        def ask(_: int) -> int:
            start.wait(10)
            return len(search(client).photos)

        with ThreadPoolExecutor(16) as pool:
            assert list(pool.map(ask, range(16))) == [1] * 16
        assert client.sent == 16
    assert len({asked.headers["Authorization"] for asked in server.asked}) == 16


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Flickr]:
    """A client of the sandbox."""
    with Flickr(
        sandbox.flickr_key,
        sandbox.flickr_secret,
        url=sandbox.flickr_url,
        throttle=make_throttle(),
        patience=Patience(5, 0.1, 1),
    ) as made:
        yield made


def test_the_sandbox_is_searched(sandbox, client):
    """A signed search brings a page of photos that lie in the box, the window and the licences."""
    sandbox.reset()
    found = client.search(replace(WANTED, box=BAY, licences=(4, 5, 9)))
    assert sandbox.counts() == {"flickr.search": 1}
    assert 0 < len(found.photos) <= GEO_PAGE
    assert found.per_page == GEO_PAGE
    assert found.unreadable == ()
    for photo in found.photos:
        assert BAY.holds(photo.lon, photo.lat)
        assert date(2018, 1, 1) <= photo.taken_at.date() < date(2021, 1, 1)
        assert photo.licence in {4, 5, 9}
        assert photo.sizes


def test_quarters_hold_what_the_whole_holds(client):
    """The photos of a box and those of its quarters are the same, each in one quarter."""

    def ids(box: Box) -> list[str]:
        pages = client.search_all(replace(DECADE, box=box))
        return [photo.photo_id for page in pages for photo in page.photos]

    whole = ids(BAY)
    parts = [photo_id for quarter in BAY.quarters() for photo_id in ids(quarter)]
    assert len(whole) > GEO_PAGE
    assert len(set(whole)) == len(whole)
    assert sorted(parts) == sorted(whole)


def test_upload_windows_join_without_gap_or_overlap(client):
    """What was uploaded before a moment and from it on are together what was uploaded in all."""

    def ids(begin: datetime | None, until: datetime) -> list[str]:
        window = replace(DECADE, uploaded_from=begin, uploaded_until=until)
        pages = client.search_all(window)
        return [photo.photo_id for page in pages for photo in page.photos]

    end = DECADE.uploaded_until
    uploads = sorted(
        photo.uploaded_at for page in client.search_all(DECADE) for photo in page.photos
    )
    middle = uploads[len(uploads) // 2]  # a moment at which a photo was uploaded
    assert sorted(ids(None, middle) + ids(middle, end)) == sorted(ids(None, end))


def test_the_sandbox_passes_the_check(client):
    """The sandbox knows the licences that this project knows."""
    client.check()


def test_a_wrong_secret_is_refused(sandbox):
    """A signature made with another secret is not accepted, and the run stops."""
    patience = Patience(1, 0.1, 0.2)
    with (
        Flickr(
            sandbox.flickr_key,
            "wrong",
            url=sandbox.flickr_url,
            throttle=make_throttle(),
            patience=patience,
        ) as made,
        pytest.raises(SetupError, match="key was refused"),
    ):
        made.check()
