"""The photo host's client over a socket: what it takes, refuses, and tries again."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from collectors.flickr import Flickr, PhotoSearch
from collectors.geo import Box
from collectors.licences import LICENCES
from collectors.photo_files import FLICKR_HOSTS, PhotoHost, choose_size, is_allowed
from collectors.photo_pictures import PictureRules
from collectors.records import PhotoAbsence, PhotoImage, PhotoSize
from collectors.transport import Patience, SetupError, Throttle, TroubleRemains
from tests.collectors.loopback import Answer, Loopback
from tests.collectors.photos import make_photo

if TYPE_CHECKING:
    from collectors.records import Photo
    from collectors.sandbox import Sandbox


def jpeg(width: int = 640, height: int = 480) -> bytes:
    """Returns a JPEG of a grey gradient."""
    file = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).save(file, "JPEG")
    return file.getvalue()


JPEG = jpeg()
PICTURE = Answer(200, JPEG, {"Content-Type": "image/jpeg"})


def make_host(*hosts: str, **changes: Any) -> PhotoHost:
    """Returns a client that does not really wait between tries."""
    settings: dict[str, Any] = {
        "throttle": Throttle(10_000, 1, 8),
        "patience": Patience(budget_s=5, first_wait_s=0.001, longest_wait_s=0.002),
        "user_agent": "terrapair-tests",
        "allowed_hosts": frozenset(hosts),
        "timeout_s": 5,
    }
    return PhotoHost(**(settings | changes))


def photo_at(server: Loopback, width: int = 640, height: int = 480) -> Photo:
    """Returns a photo whose one size lies on the server."""
    url = f"{server.url}/photos/1/53012345678_a_z.jpg"
    return make_photo(sizes=(PhotoSize("z", url, width, height),))


def fetch(*answers: Answer, **changes: Any) -> tuple[PhotoImage | PhotoAbsence, int]:
    """Fetches a photo from a server with prepared answers; also returns the number of requests."""
    with Loopback(*answers) as server, make_host(server.host, **changes) as host:
        return host.fetch(photo_at(server)), host.sent


def test_a_photo_is_fetched():
    """One GET with an honest name brings the picture, and is counted."""
    with Loopback(PICTURE) as server, make_host(server.host) as host:
        found = host.fetch(photo_at(server))
    assert isinstance(found, PhotoImage)
    assert (found.width, found.height) == (448, 336)
    assert found.image_url.endswith("/photos/1/53012345678_a_z.jpg")
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("GET", "/photos/1/53012345678_a_z.jpg")
    assert asked.headers["User-Agent"] == "terrapair-tests"
    assert (host.sent, host.bytes) == (1, len(JPEG))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(404), "gone"),
        (Answer(410), "gone"),
        (Answer(302, b"", {"Location": "https://s.yimg.com/pw/images/photo_unavailable.png"}),
         "placeholder"),
        (Answer(302, b"", {"Location": "/placeholder/photo_unavailable.png"}), "placeholder"),
        (Answer(301, b"", {"Location": "https://www.flickr.com/"}), "moved"),
        (Answer(302), "moved"),
        (Answer(200, JPEG, {"Content-Type": "image/png"}), "not_jpeg"),
        (Answer(200, JPEG), "not_jpeg"),
        (Answer(200, b"GIF89a", {"Content-Type": "image/jpeg"}), "not_jpeg"),
        (Answer(200, jpeg(500, 374), {"Content-Type": "image/jpeg"}), "wrong_size"),
        (Answer(200, JPEG[:-300], {"Content-Type": "image/jpeg"}), "broken_image"),
    ],
)  # fmt: skip
def test_expected_absences(answer, reason):
    """What cannot be had for good is a value with its reason, after one request."""
    found, tries = fetch(answer)
    assert (found.reason, tries) == (reason, 1)
    assert "53012345678_a_z.jpg" in found.detail


def test_redirects_are_never_followed():
    """A redirect to the same host is not followed either."""
    with Loopback(Answer(302, b"", {"Location": "/other.jpg"}), PICTURE) as server:
        with make_host(server.host) as host:
            assert host.fetch(photo_at(server)).reason == "moved"
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    "first",
    [Answer(429, b"<h1>429</h1>"), Answer(403), Answer(500), Answer(503), Answer(fault="reset"),
     Answer(200, JPEG, {"Content-Type": "image/jpeg"}, sent=len(JPEG) // 2),
     Answer(200, JPEG, {"Content-Type": "image/jpeg"}, sent=len(JPEG) - 1),
     Answer(200, JPEG, {"Content-Type": "image/jpeg"}, sent=0)],
    ids=["429", "403", "500", "503", "reset", "half", "all but one byte", "nothing"],
)  # fmt: skip
def test_what_may_pass_is_tried_again(first):
    """Refusals, failures, broken connections and short bodies are followed by another try."""
    found, tries = fetch(first, PICTURE)
    assert isinstance(found, PhotoImage)
    assert tries == 2


def test_silence_is_tried_again():
    """A host that never answers is given up after the time-out and asked again."""
    found, tries = fetch(Answer(fault="hang"), PICTURE, timeout_s=0.2)
    assert isinstance(found, PhotoImage)
    assert tries == 2


def test_a_body_that_trickles_is_given_up():
    """A file that is not whole by the deadline is asked for again, however busy it looks."""
    ticks = iter(range(0, 10**6, 100))
    with pytest.raises(TroubleRemains, match="not whole after 120 s"):
        fetch(
            Answer(200, JPEG * 100, {"Content-Type": "image/jpeg"}),
            clock=lambda: float(next(ticks)),
            patience=Patience(0.02, 0.001, 0.002),
        )


@pytest.mark.parametrize("status", [429, 403])
def test_refusals_slow_everyone_down(status):
    """A refusal halves the rate of the throttle that all downloads share."""
    throttle = Throttle(10_000, 1, 8)
    fetch(Answer(status), PICTURE, throttle=throttle)
    assert throttle.slowdown == 2


def test_trouble_that_remains_is_no_absence():
    """When the budget is spent the cell fails; the photo is not written off."""
    with pytest.raises(TroubleRemains, match=r"photo host: http.*_z\.jpg: .*status 503"):
        fetch(Answer(503), patience=Patience(0.02, 0.001, 0.002))


@pytest.mark.parametrize("status", [400, 401, 418, 501])
def test_an_unheard_of_status_stops_the_run(status):
    """A status that the host never gave says that the world has changed, not that a photo has."""
    with pytest.raises(SetupError, match=f"HTTP status {status}, which it never did"):
        fetch(Answer(status))


def test_a_huge_file_is_not_read():
    """Reading stops at the limit."""
    found, _ = fetch(Answer(200, JPEG * 40, {"Content-Type": "image/jpeg"}), byte_limit=70_000)
    assert found.reason == "too_many_bytes"


def test_a_foreign_host_is_not_asked():
    """An address outside the allowed hosts makes no request."""
    with Loopback(PICTURE) as server, make_host(".staticflickr.com") as host:
        assert host.fetch(photo_at(server)).reason == "foreign_host"
        assert server.asked == []


def test_sizes_that_will_not_do_are_not_downloaded():
    """Without sizes, or with none that is large enough, no request is made."""
    with Loopback(PICTURE) as server, make_host(server.host) as host:
        assert host.fetch(make_photo(sizes=())).reason == "no_size"
        assert host.fetch(photo_at(server, 640, 223)).reason == "too_small"
        assert server.asked == []


def test_the_rules_decide_what_is_stored():
    """The wanted side and the pixel limit come from the rules."""
    found, _ = fetch(PICTURE, rules=PictureRules(shortest_side_px=240))
    assert (found.width, found.height) == (320, 240)
    found, _ = fetch(PICTURE, rules=PictureRules(pixel_limit=1000))
    assert found.reason == "too_many_pixels"


def sizes(*pairs: tuple[int, int]) -> tuple[PhotoSize, ...]:
    """Returns sizes of (width, height) each."""
    return tuple(PhotoSize("x", f"{width}", width, height) for width, height in pairs)


@pytest.mark.parametrize(
    ("announced", "expected"),
    [
        ([(1024, 768), (800, 600), (640, 480), (500, 375)], 500),
        ([(1024, 683), (800, 534), (640, 427), (500, 333)], 640),
        ([(683, 1024), (427, 640), (333, 500)], 427),
        ([(1024, 200), (500, 98)], 1024),
        ([(500, 336)], 500),
        ([], None),
    ],
)
def test_the_size_that_is_chosen(announced, expected):
    """The smallest whose shortest side reaches 336 px; the largest where none does."""
    chosen = choose_size(make_photo(sizes=sizes(*announced)), 336)
    assert (chosen and chosen.width) == expected


@pytest.mark.parametrize(
    "url",
    ["https://live.staticflickr.com/1/2.jpg", "https://farm66.staticflickr.com/1/2.jpg",
     "https://LIVE.STATICFLICKR.COM/1/2.jpg", "https://a.b.staticflickr.com/x"],
)  # fmt: skip
def test_flickrs_hosts_are_allowed(url):
    """Every host below staticflickr.com is Flickr's."""
    assert is_allowed(url, FLICKR_HOSTS)


@pytest.mark.parametrize(
    "url",
    ["http://live.staticflickr.com/1.jpg", "https://staticflickr.com.evil.org/1.jpg",
     "https://evilstaticflickr.com/1.jpg", "https://live.staticflickr.com@evil.org/1.jpg",
     "https://evil.org\\@live.staticflickr.com/1.jpg", "https://live.staticflickr.com:8443/1.jpg",
     "ftp://live.staticflickr.com/1.jpg", "file:///etc/passwd", "//live.staticflickr.com/1.jpg",
     "https://evil.org/.staticflickr.com", "https://evil.org#.staticflickr.com", "",
     "https://live.staticflickr.com /1.jpg", "https://[live.staticflickr.com/",
     "https://live.staticflickr.com:port/", "http://127.0.0.1/1.jpg",
     "https://staticflickr.com/1.jpg", "https://user:word@live.staticflickr.com/1.jpg",
     "https://ｌｉｖｅ.staticflickr.com/1.jpg", "https://live.staticflickr.com/１.jpg"],
)  # fmt: skip
def test_other_hosts_are_not(url):
    """Look-alikes, other schemes and addresses that parsers read differently are refused."""
    assert not is_allowed(url, FLICKR_HOSTS)


def test_a_loopback_host_is_allowed_with_its_port():
    """On loopback http will do, but only on the port that was named."""
    hosts = frozenset({"127.0.0.1:8123"})
    assert is_allowed("http://127.0.0.1:8123/1.jpg", hosts)
    assert not is_allowed("http://127.0.0.1:8124/1.jpg", hosts)
    assert not is_allowed("http://192.168.0.1:8123/1.jpg", frozenset({"192.168.0.1:8123"}))


def test_the_sandbox_gives_photos(sandbox: Sandbox):
    """Photos that a search announces can be fetched; removed ones are told from the others."""
    throttle = Throttle(10_000, 1, 8)
    patience = Patience(5, 0.1, 1)
    with Flickr(sandbox.flickr_key, sandbox.flickr_secret, url=sandbox.flickr_url,
                throttle=throttle, patience=patience) as flickr:  # fmt: skip
        page = flickr.search(
            PhotoSearch(
                Box(-123, 36.6, -121, 38.6), date(2015, 1, 1), date(2026, 1, 1),
                datetime(2026, 10, 1, tzinfo=UTC), tuple(LICENCES),
            )
        )  # fmt: skip
    sandbox.reset()
    with make_host(sandbox.photo_host, throttle=throttle, patience=patience) as host:
        found = [host.fetch(photo) for photo in page.photos[:60]]
    pictures = [image for image in found if isinstance(image, PhotoImage)]
    assert {absence.reason for absence in found if isinstance(absence, PhotoAbsence)} <= {
        "placeholder", "no_size", "too_small",
    }  # fmt: skip
    assert len(pictures) >= 50
    assert all(min(image.width, image.height) <= 336 for image in pictures)
    assert sandbox.counts()["photo.get"] == host.sent
