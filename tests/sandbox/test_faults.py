"""Each fault happens on the wire as it is described, at each service in its own words."""

from __future__ import annotations

import io
import json
import socket
import time
import xml.etree.ElementTree as ET
from email.utils import parsedate_to_datetime
from http.client import IncompleteRead
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from PIL import Image, ImageFile

from collectors.sandbox import Sandbox, SandboxError
from collectors.sandbox.fault_plans import parse_plan
from collectors.sandbox.faults import FaultKind
from collectors.sandbox.people import People, PhotoQuery
from collectors.sandbox.server import Options
from tests import plain_http
from tests.sandbox.whole_sandbox import BOX, SEARCH, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.sandbox.whole_sandbox import Reply, Whole

PHOTO = next(
    photo
    for photo in People(0).search(PhotoQuery(-123, 37, -121, 39), 0, 50)[1]
    if not photo.removed and not photo.video and photo.size("z")
)
FILE = f"/photos/65535/{PHOTO.photo_id}_{PHOTO.secret}_z.jpg"
ALGORITHMS = "/v1/projects/sandbox/algorithms"
TOO_MANY = (
    b"<html><body><h1>429 Too Many Requests</h1>\n"
    b"You have sent too many requests in a given amount of time.\n</body></html>\n"
)


@pytest.fixture(scope="module")
def shared_service() -> Iterator[Whole]:
    """The whole sandbox."""
    with running(Options(seed=0)) as whole:
        yield whole


@pytest.fixture
def service(shared_service: Whole) -> Iterator[Whole]:
    """The whole sandbox, without faults before and after."""
    yield shared_service
    shared_service.post_plan([])


def ask_photo(service: Whole) -> Reply:
    """One file."""
    return service.exchange("GET", FILE)


def ask_flickr(service: Whole, **changes: str) -> Reply:
    """One signed search."""
    headers, body = service.sign(SEARCH | BOX | changes)
    return service.exchange("POST", "/services/rest/", body, headers)


def ask_engine(service: Whole) -> Reply:
    """Earth Engine's list of functions."""
    return service.exchange("GET", ALGORITHMS, headers=service.token())


def ask_token(service: Whole) -> Reply:
    """A token, with an assertion that is none."""
    return service.exchange("POST", "/token", "assertion=x")


ASKING: dict[str, Callable[[Whole], Reply]] = {
    "photo": ask_photo, "flickr": ask_flickr, "ee.algorithms": ask_engine, "ee.token": ask_token,
}  # fmt: skip


def google(code: int, status: str, message: str) -> Callable[[bytes], None]:
    """Looks at an error of Earth Engine."""

    def look(body: bytes) -> None:
        error = json.loads(body)["error"]
        assert (error["code"], error["status"]) == (code, status)
        assert message in error["message"]

    return look


def same(expected: bytes) -> Callable[[bytes], None]:
    """Looks for certain bytes."""

    def look(body: bytes) -> None:
        assert body == expected

    return look


def page(text: str) -> Callable[[bytes], None]:
    """Looks for a page of HTML that holds a text."""

    def look(body: bytes) -> None:
        assert body.lower().startswith((b"<html>", b"<!doctype html>"))
        assert body.endswith(b"</html>\n")
        assert text in body.decode()

    return look


def failure(code: int, message: str) -> Callable[[bytes], None]:
    """Looks at a failure of Flickr as JSON."""

    def look(body: bytes) -> None:
        assert json.loads(body) == {"stat": "fail", "code": code, "message": message}

    return look


def oauth(error: str) -> Callable[[bytes], None]:
    """Looks at an error of Google's token service."""

    def look(body: bytes) -> None:
        assert json.loads(body)["error"] == error

    return look


HTML, JSON, XML = "text/html", "application/json", "text/xml"
SORRY = "Sorry, the Flickr API service is not currently available."
# (fault, service): status, content type, a look at the body
ANSWERS: dict[tuple[str, str], tuple[int, str, Callable[[bytes], None]]] = {
    ('{"fault": "too_many_requests"}', "photo"): (429, HTML, same(TOO_MANY)),
    ('{"fault": "too_many_requests"}', "flickr"): (429, HTML, same(TOO_MANY)),
    ('{"fault": "too_many_requests"}', "ee.algorithms"): (
        429, JSON, google(429, "RESOURCE_EXHAUSTED", "Too Many Requests"),
    ),
    ('{"fault": "too_many_requests"}', "ee.token"): (429, JSON, oauth("rate_limit_exceeded")),
    ('{"fault": "server_error"}', "photo"): (500, HTML, page("500 Server Error")),
    ('{"fault": "server_error", "status": 502}', "flickr"): (502, HTML, page("502 Server Error")),
    ('{"fault": "server_error"}', "ee.algorithms"): (
        500, JSON, google(500, "INTERNAL", "An internal error has occurred"),
    ),
    ('{"fault": "server_error", "status": 504}', "ee.algorithms"): (
        504, JSON, google(504, "DEADLINE_EXCEEDED", "An internal error has occurred"),
    ),
    ('{"fault": "server_error"}', "ee.token"): (500, JSON, oauth("internal_failure")),
    ('{"fault": "unavailable"}', "photo"): (503, HTML, page("503 Service Temporarily")),
    ('{"fault": "unavailable"}', "flickr"): (503, HTML, page("503 Service Temporarily")),
    ('{"fault": "unavailable"}', "ee.algorithms"): (503, HTML, page("503 Service Temporarily")),
    ('{"fault": "html"}', "photo"): (200, HTML, page("maintenance")),
    ('{"fault": "html"}', "flickr"): (200, HTML, page("maintenance")),
    ('{"fault": "html"}', "ee.algorithms"): (200, HTML, page("maintenance")),
    ('{"fault": "token_refused"}', "ee.algorithms"): (
        401, JSON, google(401, "UNAUTHENTICATED", "invalid authentication credentials"),
    ),
    ('{"fault": "token_refused"}', "ee.token"): (401, JSON, oauth("invalid_client")),
    ('{"fault": "key_expired"}', "flickr"): (
        200, JSON, failure(100, "Invalid API Key (Key has expired)"),
    ),
    ('{"fault": "wrong_body"}', "flickr"): (
        200, XML, same(f'{{"stat":"fail","message":"{SORRY}","code":201}},'.encode()),
    ),
    ('{"fault": "failure"}', "flickr"): (
        200, JSON, failure(105, "Service currently unavailable"),
    ),
    ('{"fault": "failure", "code": 10}', "flickr"): (
        200, JSON, failure(10, "Sorry, the Flickr search API is not currently available."),
    ),
    ('{"fault": "failure", "code": 0}', "flickr"): (200, JSON, failure(0, SORRY)),
}  # fmt: skip
# These are looked at one by one below.
BY_HAND = {
    FaultKind.TRUNCATED, FaultKind.CUT_OFF, FaultKind.HANG, FaultKind.RESET, FaultKind.SLOW_DRIP,
    FaultKind.QUOTA_GONE, FaultKind.CLOCK_SKEW,
}  # fmt: skip


def test_every_fault_is_looked_at() -> None:
    """No kind is left out of this module."""
    in_table = {FaultKind(json.loads(fault)["fault"]) for fault, _ in ANSWERS}
    assert in_table | BY_HAND == set(FaultKind)
    assert not in_table & BY_HAND


@pytest.mark.parametrize(("fault", "asked"), list(ANSWERS))
def test_an_answer_in_place_of_the_real_one(service: Whole, fault: str, asked: str) -> None:
    """Status, content type and body are the service's own; the request after it is answered."""
    status, content_type, look = ANSWERS[fault, asked]
    good = ASKING[asked](service)
    service.post_plan([{**json.loads(fault), "where": asked, "first": 1}])
    answer = ASKING[asked](service)
    assert answer.status == status
    assert answer.headers["content-type"].partition(";")[0] == content_type
    assert int(answer.headers["content-length"]) == len(answer.body)
    look(answer.body)
    assert ASKING[asked](service).body[:1_000] == good.body[:1_000]


def test_429_of_the_photo_host_has_117_bytes() -> None:
    """As reported of it."""
    assert len(TOO_MANY) == 117


def test_a_failure_comes_in_the_format_that_was_asked_for(service: Whole) -> None:
    """As XML where nothing else was asked for, in a call of a function where JSON alone was."""
    service.post_plan([{"fault": "key_expired"}])
    root = ET.fromstring(ask_flickr(service, format="rest").body)
    assert root[0].attrib == {"code": "100", "msg": "Invalid API Key (Key has expired)"}
    wrapped = ask_flickr(service, nojsoncallback="0").body
    assert wrapped.startswith(b'jsonFlickrApi({"stat":"fail","code":100,')


def test_a_truncated_answer_looks_whole(service: Whole) -> None:
    """The header agrees with what is sent, and the body breaks off."""
    whole = {name: ASKING[name](service).body for name in ("photo", "flickr", "ee.algorithms")}
    service.post_plan([{"fault": "truncated", "share": 0.25}])
    for name, body in whole.items():
        answer = ASKING[name](service)
        assert answer.status == 200
        assert answer.body == body[: len(body) // 4]
        assert answer.headers["content-length"] == str(len(body) // 4)
        if name == "photo":
            with pytest.raises(OSError, match="truncated"):
                Image.open(io.BytesIO(answer.body)).load()
        else:
            with pytest.raises(json.JSONDecodeError):
                json.loads(answer.body)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


@pytest.mark.parametrize("asked", ["photo", "flickr", "ee.algorithms"])
def test_an_answer_cut_off_announces_more_than_comes(service: Whole, asked: str) -> None:
    """The header tells the whole length, and the connection ends before."""
    whole = ASKING[asked](service).body
    service.post_plan([{"fault": "cut_off", "share": 0.5}])
    with pytest.raises(IncompleteRead) as caught:
        ASKING[asked](service)
    assert caught.value.partial == whole[: len(whole) // 2]
    assert caught.value.expected == len(whole) - len(whole) // 2


@pytest.mark.parametrize("asked", list(ASKING))
def test_a_reset_is_one_to_the_operating_system(service: Whole, asked: str) -> None:
    """No byte comes, and the client's system reports a reset, not an end."""
    service.post_plan([{"fault": "reset"}])
    with pytest.raises(ConnectionResetError):
        ASKING[asked](service)
    service.post_plan([])
    assert ASKING[asked](service).body


def test_a_hang_ends_in_a_reset(service: Whole) -> None:
    """Nothing comes for the time given; then the connection is reset."""
    service.post_plan([{"fault": "hang", "seconds": 0.2}])
    start = time.monotonic()
    with pytest.raises(ConnectionResetError):
        ask_photo(service)
    assert time.monotonic() - start >= 0.2


def test_a_hang_outlasts_a_client_s_patience(service: Whole) -> None:
    """A client with a time limit gives up by itself; other requests are answered meanwhile."""
    service.post_plan([{"fault": "hang", "where": "photo"}])
    address = urlsplit(service.url)
    with socket.create_connection((address.hostname or "", address.port or 0), 0.2) as plain:
        plain.sendall(f"GET {FILE} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
        assert ask_flickr(service).status == 200
        with pytest.raises(TimeoutError):
            plain.recv(1)


def test_a_slow_drip_comes_whole_in_pieces(service: Whole) -> None:
    """All of the real answer, in many pieces, over the time given."""
    whole = ask_photo(service).body
    service.post_plan([{"fault": "slow_drip", "seconds": 0.4}])
    address = urlsplit(service.url)
    start = time.monotonic()
    pieces = []
    with socket.create_connection((address.hostname or "", address.port or 0), 10) as plain:
        request = f"GET {FILE} HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: close\r\n\r\n"
        plain.sendall(request.encode())
        while piece := plain.recv(1 << 20):
            pieces.append(piece)
    assert time.monotonic() - start >= 0.4
    assert b"".join(pieces).partition(b"\r\n\r\n")[2] == whole
    assert len(pieces) > 3


def test_a_used_up_quota_is_a_header_of_the_real_answer(service: Whole) -> None:
    """The answer is as ever; the header of a restricted project is there."""
    header = "x-earth-engine-quota-status"
    good = ask_engine(service)
    assert header not in good.headers
    service.post_plan([{"fault": "quota_gone"}])
    answer = ask_engine(service)
    assert (answer.status, answer.body) == (200, good.body)
    assert "parallelism_restricted=true" in answer.headers[header]


def off_by_s(answer: Reply) -> float:
    """How fast the clock of an answer is."""
    return parsedate_to_datetime(answer.headers["date"]).timestamp() - time.time()


@pytest.mark.parametrize("seconds", [3_600, -3_600])
def test_a_wrong_clock_refuses_a_right_signature(service: Whole, seconds: int) -> None:
    """The date is wrong, the time of the call is refused, and one by the wrong clock is taken."""
    assert abs(off_by_s(ask_flickr(service))) < 60
    service.post_plan([{"fault": "clock_skew", "where": "flickr", "seconds": seconds}])
    refused = ask_flickr(service)
    assert off_by_s(refused) == pytest.approx(seconds, abs=60)
    assert (refused.status, refused.body) == (401, b"oauth_problem=timestamp_refused")
    moment = str(int(parsedate_to_datetime(refused.headers["date"]).timestamp()))
    headers, body = service.sign(SEARCH | BOX, timestamp=moment)
    taken = service.exchange("POST", "/services/rest/", body, headers)
    assert json.loads(taken.body)["stat"] == "ok"
    assert abs(off_by_s(ask_photo(service))) < 60


def test_a_wrong_clock_ends_a_token(service: Whole) -> None:
    """A token of this minute has expired for a clock that is two hours fast, for that request."""
    service.post_plan([{"fault": "clock_skew", "where": "ee", "seconds": 7_200, "first": 1}])
    assert [ask_engine(service).status for _ in range(2)] == [401, 200]


def test_faults_are_counted_and_so_are_their_requests(service: Whole) -> None:
    """By fault and kind; the request counts as one of its kind, whatever it meets."""

    def counts() -> dict[str, int]:
        return dict(json.loads(service.exchange("GET", "/_sandbox/counts").body))

    before = counts()
    service.post_plan([{"fault": "html", "where": "photo", "every": 2},
                       {"fault": "truncated", "where": "flickr"}])  # fmt: skip
    statuses = [ask_photo(service).headers["content-type"] for _ in range(4)]
    ask_flickr(service)
    assert statuses == ["image/jpeg", "text/html; charset=utf-8"] * 2
    assert service.faults_done() == {"html photo.get": 2, "truncated flickr.search": 1}
    after = counts()
    assert after["photo.get"] - before.get("photo.get", 0) == 4
    assert after["flickr.search"] - before.get("flickr.search", 0) == 1


def test_a_try_again_passes(service: Whole) -> None:
    """With first_tries each file fails once, and each search although it is signed anew."""
    service.post_plan([{"fault": "unavailable", "first_tries": 1}])
    assert [ask_photo(service).status for _ in range(3)] == [503, 200, 200]
    assert service.exchange("GET", FILE.replace("_z", "_m")).status == 503
    assert [ask_flickr(service).status for _ in range(2)] == [503, 200]
    assert [ask_flickr(service, page="2").status for _ in range(2)] == [503, 200]


def test_match_reads_the_form(service: Whole) -> None:
    """A text of the form, as it is sent, chooses the searches that fail."""
    service.post_plan([{"fault": "unavailable", "where": "flickr", "match": "&page=3"}])
    statuses = [ask_flickr(service, page=page).status for page in ("2", "3", "4")]
    assert statuses == [200, 503, 200]


def test_a_wrong_plan_changes_nothing(service: Whole) -> None:
    """The plan in force stays, and the answer names the line."""
    service.post_plan([{"fault": "unavailable"}])
    for text, message in (('[{"fault": "reset"}, {"fault": "x"}]', "fault 1: 'x' is none of"),
                          ("[{", "Expecting"), ("\xff", "can't decode")):  # fmt: skip
        answer = service.exchange("POST", "/_sandbox/faults", text)
        assert answer.status == 400
        assert message in json.loads(answer.body)["error"]
    assert ask_photo(service).status == 503


def test_the_sandbox_s_own_addresses_meet_no_faults(service: Whole) -> None:
    """However bad the plan, it can be taken back."""
    service.post_plan([{"fault": "reset"}])
    for path in ("/_sandbox/health", "/_sandbox/counts", "/_sandbox/faults", "/_sandbox/eecu"):
        assert service.exchange("GET", path).status == 200
    service.post_plan([])
    assert ask_photo(service).status == 200


def test_a_failing_run_can_be_run_again(service: Whole) -> None:
    """The same plan and the same requests in another order meet the same faults."""
    plan: dict[str, Any] = {"seed": 3, "faults": [{"fault": "unavailable", "probability": 0.5}]}
    paths = [
        FILE.replace("_z", ending) for ending in ("_z", "_m", "_n", "_t", "_q", "_s", "", "_c")
    ]
    runs = []
    for order in (paths * 2, paths[::-1] * 2, paths * 2):
        plan["seed"] = 4 if len(runs) == 2 else 3
        service.post_plan(plan)
        met: dict[str, list[int]] = {}
        for path in order:
            met.setdefault(path, []).append(service.exchange("GET", path).status)
        runs.append(met)
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]
    assert {status for statuses in runs[0].values() for status in statuses} == {200, 503}


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox of its own process with a plan and latency from its start."""
    file: Path = tmp_path_factory.mktemp("plan") / "plan.json"
    file.write_text(
        '{"latency": {"flickr": 0.1}, "faults": [{"fault": "reset", "where": "photo"}]}'
    )
    with Sandbox(seed=0, faults=file, latency_s={"weights": 0.25}) as sandbox:
        yield sandbox


def get(sandbox: Sandbox, path: str) -> tuple[int, float]:
    """Status and seconds of one request."""
    start = time.monotonic()
    status = plain_http.get(sandbox.url + path, timeout=10).status_code
    return status, time.monotonic() - start


def test_a_plan_from_a_file_and_one_while_it_runs(slow: Sandbox) -> None:
    """The file counts from the start, the plan sent later from then on; a wrong one is refused."""
    import httpx

    with pytest.raises(httpx.ReadError):
        get(slow, FILE)
    assert slow.faults_done() == {"reset photo.get": 1}
    with pytest.raises(SandboxError, match="fault 0: unknown evry"):
        slow.faults([{"fault": "reset", "evry": 2}])
    slow.faults([{"fault": "server_error", "status": 502, "where": "photo", "first": 1}])
    assert slow.faults_done() == {}
    assert [get(slow, FILE)[0] for _ in range(2)] == [502, 200]
    assert slow.faults_done() == {"server_error photo.get": 1}


def test_latency_is_added_to_the_service_it_is_meant_for(slow: Sandbox) -> None:
    """From the command line and from the file, until a plan says otherwise."""
    slow.faults([])
    assert get(slow, "/weights/none")[1] >= 0.25
    assert get(slow, "/services/rest/")[1] >= 0.1
    slow.faults({"latency": {"weights": 0.0}})
    quick = min(get(slow, "/weights/none")[1] for _ in range(5))
    assert quick < 0.25


def test_plans_of_the_tests_are_plans() -> None:
    """What this module posts is understood by the parser that files go through."""
    assert len(parse_plan([json.loads(fault) for fault, _ in ANSWERS]).faults) == len(ANSWERS)
