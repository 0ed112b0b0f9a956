"""The photo service over a real socket, called by the real client."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import flickrapi
import pytest
import requests
import uvicorn
from PIL import Image
from ruamel.yaml import YAML
from starlette.applications import Starlette

from collectors.sandbox.flickr import LICENCES, routes
from collectors.sandbox.flickr_rows import make_row, name_file
from collectors.sandbox.landcover import Landcover
from collectors.sandbox.people import People
from collectors.sandbox.photo_tiles import TILE_COLUMNS, count_photos
from collectors.sandbox.pictures import Pictures

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY, SECRET = "k" * 32, "s" * 16
PEOPLE = People(0)
EXTRAS = (
    "geo,date_taken,date_upload,license,owner_name,path_alias,tags,machine_tags,media,o_dims,"
    "url_t,url_m,url_z,url_c,url_l,content_type"
)
BOX = "-123,37,-121,39"


class Loopback:
    """The service on a free port, and what is needed to call it."""

    def __init__(self, url: str, counts: Counter[str]) -> None:
        self.url = url
        self.counts = counts

    def client(self, key: str = KEY, secret: str = SECRET) -> flickrapi.FlickrAPI:
        """The real client, pointed here, with a session of its own."""
        client = flickrapi.FlickrAPI(
            key, secret, format="parsed-json", store_token=False, timeout=20
        )
        client.REST_URL = f"{self.url}/services/rest/"
        client.flickr_oauth.session = requests.Session()
        return client

    def search(self, **arguments: object) -> dict:
        """One search, with a limiting date unless another is given."""
        given = {"bbox": BOX, "min_taken_date": "2015-01-01"} | arguments
        client = self.client()
        try:
            return client.photos.search(**given)["photos"]
        finally:
            client.flickr_oauth.session.close()

    def get(self, path: str) -> requests.Response:
        """One file, without following where it leads."""
        return requests.get(self.url + path, allow_redirects=False, timeout=20)


@contextmanager
def loopback(**options: str) -> Iterator[Loopback]:
    """Serves only the photo service, in a thread."""
    counts: Counter[str] = Counter()
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    application = Starlette(
        routes=routes(
            PEOPLE,
            Pictures(0, Landcover(0)),
            base_url=lambda: url,
            key=KEY,
            secret=SECRET,
            meter=lambda kind: counts.update([kind]),
            **options,
        )
    )
    server = uvicorn.Server(uvicorn.Config(application, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield Loopback(url, counts)
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()


@pytest.fixture(scope="module")
def service() -> Iterator[Loopback]:
    """The service as it is by default."""
    with loopback() as running:
        yield running


@pytest.fixture(scope="module")
def crowded() -> str:
    """A box of one square degree that holds more than 5,000 photos."""
    for square in range(60 * 360, 120 * 360):
        row, column = divmod(square, 360)
        tiles = [(4 * row + a) * TILE_COLUMNS + 4 * column + b for a in range(4) for b in range(4)]
        if sum(count_photos(0, tile) for tile in tiles) > 5000:
            return f"{column - 180},{row - 90},{column - 179},{row - 89}"
    raise AssertionError("no crowded square")


@pytest.mark.parametrize(
    ("key", "secret", "message"),
    [("x" * 32, SECRET, "100: Invalid API Key (Key has invalid format)"),
     ("0" * 32, SECRET, "100: Invalid API Key (Key not found)"),
     ("", SECRET, "100: Invalid API Key (Key has invalid format)"),
     (KEY, "wrong", "Status code 401 received")],
)  # fmt: skip
def test_a_call_that_is_not_signed_rightly_is_refused(
    service: Loopback, key: str, secret: str, message: str
) -> None:
    """A wrong key is code 100 with status 200, a wrong secret status 401."""
    client = service.client(key, secret)
    with pytest.raises(flickrapi.FlickrError) as caught:
        client.photos.search(bbox=BOX, min_taken_date="2015-01-01")
    assert message in str(caught.value)
    client.flickr_oauth.session.close()


def test_a_call_without_a_signature_is_refused(service: Loopback) -> None:
    """A plain GET or POST is answered with the invalid key, as JSON, with status 200."""
    arguments = {"method": "flickr.photos.search", "format": "json", "nojsoncallback": "1",
                 "api_key": KEY, "bbox": BOX}  # fmt: skip
    address = f"{service.url}/services/rest/"
    for answer in (
        requests.get(address, params=arguments, timeout=20),
        requests.post(address, data=arguments, timeout=20),
    ):
        assert answer.status_code == 200
        assert answer.json() == {
            "stat": "fail", "code": 100, "message": "Invalid API Key (Key has invalid format)",
        }  # fmt: skip


def test_a_form_changed_on_its_way_is_refused(service: Loopback) -> None:
    """The signature covers the form: the same header with another form does not pass."""
    sent: list[requests.PreparedRequest] = []
    client = service.client()
    client.flickr_oauth.session.hooks["response"] = lambda answer, **_: sent.append(answer.request)
    client.photos.search(bbox=BOX, min_taken_date="2015-01-01")
    client.flickr_oauth.session.close()
    header, form = sent[0].headers["Authorization"], sent[0].body
    assert sent[0].method == "POST"
    assert b"api_key" not in form
    answer = requests.post(
        sent[0].url,
        data=form.replace(b"2015", b"2016"),
        headers={"Authorization": header, "Content-Type": "application/x-www-form-urlencoded"},
        timeout=20,
    )
    assert answer.status_code == 401
    assert answer.text.startswith("oauth_problem=signature_invalid&debug_sbs=POST&http%3A%2F%2F")


def test_unknown_methods_and_formats_have_their_codes(service: Loopback) -> None:
    """A method that is not there is code 112, a format that is not written code 111."""
    client = service.client()
    with pytest.raises(flickrapi.FlickrError, match=r'112: Method "flickr\.fake" not found'):
        client.do_flickr_call("flickr.fake", format="parsed-json")
    answer = client.do_flickr_call("flickr.test.echo", format="yaml")
    assert '<err code="111" msg="Format &quot;yaml&quot; not found" />' in answer.decode()
    client.flickr_oauth.session.close()


def test_echo_gives_back_the_arguments(service: Loopback) -> None:
    """The test method answers with what it was called with."""
    client = service.client()
    answer = client.test.echo(colour="blue & green")
    assert answer["colour"] == {"_content": "blue & green"}
    assert answer["stat"] == "ok"
    client.flickr_oauth.session.close()


def test_licences_are_those_that_were_recorded(service: Loopback, shared_data: Path) -> None:
    """Numbers, names, addresses and their order are those of the recorded answer."""
    import xml.etree.ElementTree as ET

    client = service.client()
    rows = client.photos.licenses.getInfo()["licenses"]["license"]
    client.flickr_oauth.session.close()
    cassette = shared_data / "flickr_cassettes" / "TestLicenseMethods.test_get_licenses.yml"
    recorded = YAML(typ="safe").load(cassette.read_text())
    body = recorded["interactions"][0]["response"]["body"]["string"]
    assert rows == [dict(element.attrib) for element in ET.fromstring(body).iter("license")]
    assert len(LICENCES) == 17


def test_a_page_has_at_most_250_rows_and_says_so(service: Loopback) -> None:
    """More than 250 a page is cut, and the answer names the cut size; counts are not capped."""
    found = service.search(per_page=500)
    total = int(found["total"])
    assert (found["page"], found["perpage"], len(found["photo"])) == (1, 250, 250)
    assert int(found["pages"]) == -(-total // 250)


def test_pages_hold_every_photo_once(service: Loopback) -> None:
    """Page after page gives all photos, newest upload first, without gap or repeat."""
    first = service.search(per_page=200, extras="date_upload")
    rows = list(first["photo"])
    for page in range(2, int(first["pages"]) + 1):
        rows += service.search(per_page=200, extras="date_upload", page=page)["photo"]
    times = [int(row["dateupload"]) for row in rows]
    assert len(rows) == len({row["id"] for row in rows}) == int(first["total"])
    assert times == sorted(times, reverse=True)
    assert service.search(per_page=200, page=int(first["pages"]) + 1)["photo"] == []


def test_beyond_4000_results_the_last_page_comes_again(service: Loopback, crowded: str) -> None:
    """Page 16 is the last that is new; the total goes on counting."""
    last, beyond, far = (
        service.search(bbox=crowded, per_page=250, page=page) for page in (16, 17, 40)
    )
    assert int(last["total"]) > 5000
    assert int(last["pages"]) > 20
    assert last["photo"] == beyond["photo"] == far["photo"]
    assert len(last["photo"]) == 250
    assert service.search(bbox=crowded, per_page=250, page=15)["photo"] != last["photo"]


def test_beyond_4000_results_a_search_may_be_refused(crowded: str) -> None:
    """The other behaviour that was seen: code 20, from the first page beyond on."""
    with loopback(beyond_limit="refuse") as strict:
        assert len(strict.search(bbox=crowded, per_page=250, page=16)["photo"]) == 250
        with pytest.raises(flickrapi.FlickrError) as caught:
            strict.search(bbox=crowded, per_page=250, page=17)
    assert caught.value.code == 20


def test_the_smallest_answer_has_no_extras(service: Loopback) -> None:
    """Without extras a row has the nine fields of the standard answer."""
    row = service.search(per_page=1)["photo"][0]
    assert set(row) == {"id", "owner", "secret", "server", "farm", "title", "ispublic", "isfriend",
                        "isfamily"}  # fmt: skip


def test_extras_decide_the_fields(service: Loopback) -> None:
    """Each extra brings its own fields and no others; an unknown one brings none."""
    bare = set(service.search(per_page=1)["photo"][0])
    fields = {
        "geo": {"latitude", "longitude", "accuracy", "context", "place_id", "woeid",
                "geo_is_public", "geo_is_contact", "geo_is_friend", "geo_is_family"},
        "date_taken": {"datetaken", "datetakengranularity", "datetakenunknown"},
        "license": {"license"},
        "o_dims": {"o_width", "o_height"},
        "media": {"media", "media_status"},
        "url_m": {"url_m", "height_m", "width_m"},
        "url_b": set(),
    }  # fmt: skip
    for extra, wanted in fields.items():
        assert set(service.search(per_page=1, extras=extra)["photo"][0]) - bare == wanted


def test_the_same_field_has_changing_types(service: Loopback) -> None:
    """Numbers come as numbers and as texts, in one answer and even in one row."""
    rows = service.search(per_page=250, extras=EXTRAS)["photo"]
    for name in (
        "latitude",
        "longitude",
        "accuracy",
        "height_z",
        "width_z",
        "datetakengranularity",
    ):
        kinds = Counter(isinstance(row[name], str) for row in rows)
        assert kinds[True] > 50, name
        assert kinds[False] > 50, name
    assert any(isinstance(r["latitude"], str) != isinstance(r["longitude"], str) for r in rows)
    assert all(row["context"] == 0 for row in rows)
    assert all("url_l" in row for row in rows) is False
    totals = [
        service.search(bbox=f"{west},37,{west + 0.5},38")["total"]
        for west in (-123, -122, -121, -120)
    ]
    assert {type(total) for total in totals} == {int, str}


def test_an_unknown_date_says_so(service: Loopback) -> None:
    """About one date in seven is the upload's, marked "1", with the number 0 for granularity."""
    rows = service.search(per_page=250, extras="date_taken,date_upload")["photo"]
    unknown = [row for row in rows if row["datetakenunknown"] == "1"]
    assert 15 < len(unknown) < 60
    for row in unknown:
        upload = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(int(row["dateupload"])))
        assert (row["datetaken"], row["datetakengranularity"]) == (upload, 0)
    assert {row["datetakenunknown"] for row in rows} == {"0", "1"}


def test_rows_say_what_the_photo_is() -> None:
    """Place, date, licence and names in a row are the photo's own, to the last digit."""
    photo = next(p for p in (PEOPLE.find(i) for i in _some_ids()) if p and not p.taken_unknown)
    row = make_row(photo, frozenset(EXTRAS.split(",")), "http://host")
    assert (float(row["longitude"]), float(row["latitude"])) == (photo.longitude, photo.latitude)
    assert row["license"] == str(photo.licence)
    assert row["title"] == photo.title
    assert row["url_z"] == f"http://host/photos/65535/{name_file(photo, 'z')}"
    assert time.strptime(row["datetaken"], "%Y-%m-%d %H:%M:%S")[:3] == time.gmtime(photo.taken)[:3]


def _some_ids() -> list[str]:
    from collectors.sandbox.people import PhotoQuery

    return [photo.photo_id for photo in PEOPLE.search(PhotoQuery(-123, 37, -122, 38), 0, 50)[1]]


def test_files_have_the_announced_size(service: Loopback) -> None:
    """Each announced file is a JPEG of just the announced width and height."""
    rows = service.search(per_page=8, media="photos", extras=EXTRAS, page=2)["photo"]
    seen = 0
    for row in rows:
        for short in "tmzcl":
            if f"url_{short}" not in row:
                continue
            answer = requests.get(row[f"url_{short}"], timeout=20)
            assert answer.headers["content-type"] == "image/jpeg"
            size = Image.open(io.BytesIO(answer.content)).size
            assert size == (int(row[f"width_{short}"]), int(row[f"height_{short}"]))
            seen += 1
    assert seen > 20


def test_what_is_not_there_is_404_without_a_body(service: Loopback) -> None:
    """Unknown names, a wrong secret, a wrong server and a size beyond the original are 404."""
    photos = [PEOPLE.find(photo_id) for photo_id in _some_ids()]
    whole = next(photo for photo in photos if photo.size("b") and not photo.removed)
    name = name_file(whole, "b")
    wrong = [
        "/photos/65535/doesnotexist.jpg",
        f"/photos/65535/{whole.photo_id}_{int(whole.secret, 16) ^ 1:010x}_b.jpg",
        f"/photos/1/{name}",
        f"/photos/65535/{name.replace('_b.jpg', '_x.jpg')}",
    ]
    small = next(
        p for p in PEOPLE.search(_region(), 0, 2000)[1] if not p.size("b") and not p.removed
    )
    wrong.append(f"/photos/65535/{name_file(small, 'b')}")
    for path in wrong:
        answer = service.get(path)
        assert (answer.status_code, answer.content) == (404, b""), path
    assert service.get(f"/photos/65535/{name}").status_code == 200


def test_a_removed_photo_leads_to_a_placeholder(service: Loopback) -> None:
    """A removed photo is a redirection to a PNG on another path that says it is gone."""
    gone = next(photo for photo in PEOPLE.search(_region(), 0, 2000)[1] if photo.removed)
    answer = service.get(f"/photos/65535/{name_file(gone, 'm')}")
    assert answer.status_code == 302
    target = answer.headers["location"]
    assert target == f"{service.url}/placeholder/photo_unavailable.png"
    shown = requests.get(target, timeout=20)
    assert shown.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(shown.content)).size == (500, 374)


def _region() -> object:
    from collectors.sandbox.people import PhotoQuery

    return PhotoQuery(-123, 37, -121, 39)


def test_each_request_is_counted_by_its_kind() -> None:
    """Searches, licences, other calls and files are counted apart, refused ones too."""
    with loopback() as fresh:
        fresh.search(per_page=1)
        client = fresh.client()
        client.photos.licenses.getInfo()
        client.test.echo()
        with pytest.raises(flickrapi.FlickrError):
            client.photos.search(bbox="1,1,0,0")
        client.flickr_oauth.session.close()
        fresh.get("/photos/65535/none.jpg")
        assert fresh.counts == {
            "flickr.search": 2, "flickr.licenses": 1, "flickr.other": 1, "photo.get": 1,
        }  # fmt: skip


def test_without_a_limit_only_fresh_uploads_are_found(service: Loopback) -> None:
    """A box alone finds next to nothing, because the world's last 12 hours were quiet."""
    everything = int(service.search()["total"])
    fresh = service.search(min_taken_date="", extras="date_upload")
    assert int(fresh["total"]) < everything / 100
    assert all(int(row["dateupload"]) >= PEOPLE.now - 12 * 3600 for row in fresh["photo"])
