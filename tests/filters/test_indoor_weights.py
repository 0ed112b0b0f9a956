"""Reading and fetching the indoor network's weights."""

from __future__ import annotations

import hashlib
import pickle
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
import torch

from filters.indoor_weights import WeightsError, WeightsUnreachableError, fetch, load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_the_public_format_is_read(checkpoint_file: Path, checkpoint: dict[str, dict]) -> None:
    """Old layout, prefixed names and no batch counters: every tensor arrives, and the digest."""
    weights = load(checkpoint_file, sha256=None)
    assert weights.sha256 == hashlib.sha256(checkpoint_file.read_bytes()).hexdigest()
    assert not weights.network.training
    loaded = weights.network.state_dict()
    for name, tensor in checkpoint["state_dict"].items():
        assert torch.equal(loaded[name.removeprefix("module.")], tensor)


def test_the_new_layout_without_prefix_is_read(checkpoint: dict[str, dict], tmp_path: Path) -> None:
    """A checkpoint that was saved today and from a plain network is as good."""
    plain = {
        name.removeprefix("module."): value for name, value in checkpoint["state_dict"].items()
    }
    path = tmp_path / "new.pth"
    torch.save({"arch": "resnet18", "state_dict": plain}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    network = load(path, sha256=digest.upper()).network
    assert torch.equal(network.state_dict()["fc.weight"], plain["fc.weight"])


class Harmful:
    """Something that a pickle may hold and that no checkpoint should."""

    def __reduce__(self) -> tuple:
        """Would run code when it is read carelessly."""
        return (print, ("harm done",))


def changed(checkpoint: dict, **changes: object) -> dict:
    """Returns a checkpoint with some entries replaced."""
    return {**checkpoint, **changes}


def without_tensor(checkpoint: dict, name: str, tensor: object = None) -> dict:
    """Returns a checkpoint with one tensor replaced, or taken out."""
    state = {key: value for key, value in checkpoint["state_dict"].items() if key != name}
    return changed(checkpoint, state_dict=state if tensor is None else {**state, name: tensor})


@pytest.mark.parametrize("old_layout", [True, False])
@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda good: changed(good, arch="resnet50"), "architecture is 'resnet50'"),
        (lambda good: good["state_dict"], "architecture is None"),
        (lambda _: {"arch": "resnet18"}, "no 'state_dict'"),
        (lambda good: changed(good, state_dict={"a": 1}), "'a' in its 'state_dict'"),
        (lambda good: without_tensor(good, "module.conv1.weight"), "conv1.weight"),
        (lambda good: without_tensor(good, "module.extra", torch.zeros(1)), "extra"),
        (lambda good: without_tensor(good, "module.fc.bias", torch.zeros(1000)), "1000"),
        (
            lambda good: without_tensor(good, "module.bn1.bias", torch.full((64,), torch.nan)),
            "not finite",
        ),
        (lambda _: torch.zeros(3), "holds a Tensor"),
        (lambda good: changed(good, harm=Harmful()), "no PyTorch checkpoint of plain tensors"),
    ],
)
def test_other_checkpoints_are_refused_with_the_reason(
    make, why: str, old_layout: bool, checkpoint: dict, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """The message names the file, the fault and the remedy; nothing in the file is run."""
    path = tmp_path / "other.pth"
    torch.save(make(checkpoint), path, _use_new_zipfile_serialization=not old_layout)
    with pytest.raises(WeightsError) as caught:
        load(path, sha256=None)
    assert why in str(caught.value)
    assert str(path) in str(caught.value)
    assert "Name another checkpoint" in str(caught.value)
    assert "weights_only" not in str(caught.value)
    assert "harm" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "cut off"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\n <html>", "web page"),
        (b"not a checkpoint", "cut off"),
        (b"\x80\x02}", "cut off"),
        (pickle.dumps({"arch": "resnet18"}, protocol=2), "cut off"),
        (b"PK\x03\x04" + b"\0" * 99, "cut off"),
    ],
)
def test_bytes_that_are_no_checkpoint_are_refused(content: bytes, why: str, tmp_path: Path) -> None:
    """Whatever a server may have sent instead ends in one kind of error."""
    path = tmp_path / "weights.pth.tar"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=why):
        load(path, sha256=None)


@pytest.mark.parametrize("old_layout", [True, False])
@pytest.mark.parametrize("share", [0.0001, 0.01, 0.3, 0.97, 0.9999])
def test_a_cut_off_file_is_refused(
    share: float, old_layout: bool, checkpoint: dict, tmp_path: Path
) -> None:
    """Wherever the file ends too early, in names or in numbers."""
    path = tmp_path / "cut.pth"
    torch.save(checkpoint, path, _use_new_zipfile_serialization=not old_layout)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(WeightsError, match="cut off"):
        load(path, sha256=None)


def test_a_missing_file_and_a_changed_one_are_refused(
    checkpoint_file: Path, tmp_path: Path
) -> None:
    """Both digests stand in the message, so that the right one can be set."""
    with pytest.raises(WeightsError, match="No such file"):
        load(tmp_path / "none.pth", sha256=None)
    with pytest.raises(WeightsError, match="have changed") as caught:
        load(checkpoint_file, sha256="f" * 64)
    digest = hashlib.sha256(checkpoint_file.read_bytes()).hexdigest()
    assert digest in str(caught.value)
    assert "f" * 64 in str(caught.value)


BODY = bytes(range(256)) * 4096
PIECE = 1 << 14
DIGEST = hashlib.sha256(BODY).hexdigest()


class Host:
    """A web server of one file, with faults on demand."""

    def __init__(self) -> None:
        """Starts with a server that does everything right."""
        self.body = BODY
        self.status = 200
        self.content_type = "application/octet-stream"
        self.version: str | None = '"v1"'
        self.cut_after: list[int] = []
        self.ranges = True
        self.requests: list[str | None] = []
        self.url = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answers a GET, honouring Range and If-Range, as far as the faults allow."""
        asked = handler.headers.get("Range")
        self.requests.append(asked)
        first = 0
        same = handler.headers.get("If-Range") == self.version
        if asked and same and self.ranges and self.status == 200:
            first = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
            handler.send_response(206)
            size = len(self.body)
            handler.send_header("Content-Range", f"bytes {first}-{size - 1}/{size}")
        else:
            handler.send_response(self.status)
        handler.send_header("Content-Type", self.content_type)
        handler.send_header("Content-Length", str(len(self.body) - first))
        if self.version:
            handler.send_header("ETag", self.version)
        handler.end_headers()
        rest = self.body[first:]
        if self.cut_after:
            rest = rest[: self.cut_after.pop(0)]
            handler.close_connection = True
        handler.wfile.write(rest)


class Server(ThreadingHTTPServer):
    """Says nothing when a client has seen enough and hangs up."""

    def handle_error(self, *about: object) -> None:
        """Reports all other errors."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(*about)


@pytest.fixture
def host() -> Iterator[Host]:
    """A running host on loopback."""
    one = Host()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            one.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    one.url = f"http://127.0.0.1:{server.server_address[1]}/models/small.pth.tar"
    yield one
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_file_is_fetched_once(host: Host, tmp_path: Path) -> None:
    """The second call finds the file; progress ends at the whole size; nothing else is left."""
    seen: list[tuple[int, int | None]] = []
    path = fetch(
        host.url, tmp_path / "cache", sha256=DIGEST, on_progress=lambda *now: seen.append(now)
    )
    assert path.read_bytes() == BODY
    assert path.name.endswith("-small.pth.tar")
    assert seen[-1] == (len(BODY), len(BODY))
    assert seen == sorted(seen)
    assert fetch(host.url, tmp_path / "cache", sha256=DIGEST) == path
    assert fetch(host.url, tmp_path / "cache", sha256=None) == path
    assert host.requests == [None]
    assert {file.name for file in path.parent.iterdir()} <= {path.name, f"{path.name}.lock"}


def test_a_cut_is_taken_up_where_it_ended(host: Host, tmp_path: Path) -> None:
    """Two cuts cost two more requests, each for the rest only."""
    host.cut_after = [18 * PIECE, 12 * PIECE]
    path = fetch(host.url, tmp_path, sha256=DIGEST)
    assert path.read_bytes() == BODY
    assert host.requests == [None, f"bytes={18 * PIECE}-", f"bytes={30 * PIECE}-"]


def test_a_later_call_goes_on_after_trouble(host: Host, tmp_path: Path) -> None:
    """When a try brings nothing new the call gives up; what arrived serves the next call."""
    host.cut_after = [18 * PIECE, 0]
    with pytest.raises(WeightsUnreachableError, match="start again"):
        fetch(host.url, tmp_path, sha256=DIGEST)
    assert fetch(host.url, tmp_path, sha256=DIGEST).read_bytes() == BODY
    assert host.requests == [None, f"bytes={18 * PIECE}-", f"bytes={18 * PIECE}-"]


def test_parts_of_two_versions_are_never_joined(host: Host, tmp_path: Path) -> None:
    """A file that changed between two tries is fetched from its beginning."""
    host.cut_after = [18 * PIECE, 0]
    with pytest.raises(WeightsUnreachableError):
        fetch(host.url, tmp_path, sha256=None)
    host.body, host.version = BODY[::-1], '"v2"'
    assert fetch(host.url, tmp_path, sha256=None).read_bytes() == BODY[::-1]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_server_that_cannot_go_on_ends_the_call(host: Host, tmp_path: Path, ranges: bool) -> None:
    """Without a version or without ranges a cut at the same place twice is the end, not a loop."""
    host.ranges = ranges
    if ranges:
        host.version = None
    host.cut_after = [300_000] * 9
    with pytest.raises(WeightsUnreachableError):
        fetch(host.url, tmp_path, sha256=DIGEST)
    assert len(host.requests) == 2
    host.cut_after = []
    assert fetch(host.url, tmp_path, sha256=DIGEST).read_bytes() == BODY


@pytest.mark.parametrize(
    ("status", "content_type", "body", "why"),
    [
        (404, "text/plain", b"", "status 404"),
        (403, "text/plain", b"no", "status 403"),
        (200, "text/html; charset=utf-8", b"<html>", "web page"),
        (200, "application/octet-stream", b"<html>", "web page"),
        (200, "application/octet-stream", b"", "empty file"),
    ],
)
def test_answers_that_are_no_file_are_refused(
    host: Host, tmp_path: Path, status: int, content_type: str, body: bytes, why: str
) -> None:
    """The message names the address and the remedy, and nothing stays in the cache."""
    host.status, host.content_type, host.body = status, content_type, body
    with pytest.raises(WeightsError, match=why) as caught:
        fetch(host.url, tmp_path, sha256=None)
    assert not isinstance(caught.value, WeightsUnreachableError)
    assert host.url in str(caught.value)
    assert "Correct the address" in str(caught.value)
    assert [file for file in tmp_path.iterdir() if file.suffix != ".lock"] == []


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_trouble_that_may_pass(host: Host, tmp_path: Path, status: int) -> None:
    """It is told apart from a wrong address, because a later run may succeed."""
    host.status = status
    with pytest.raises(WeightsUnreachableError, match=str(status)):
        fetch(host.url, tmp_path, sha256=None)


def test_a_server_that_is_not_there_is_trouble_that_may_pass(tmp_path: Path) -> None:
    """A refused connection says so."""
    with pytest.raises(WeightsUnreachableError, match="Check the connection"):
        fetch("http://127.0.0.1:9/weights.pth", tmp_path, sha256=None)


def test_a_wrong_digest_leaves_nothing_behind(host: Host, tmp_path: Path) -> None:
    """Other bytes than expected are refused, and the next call starts afresh."""
    host.body = BODY[:-1]
    with pytest.raises(WeightsError, match="have changed"):
        fetch(host.url, tmp_path, sha256=DIGEST)
    host.body = BODY
    assert fetch(host.url, tmp_path, sha256=DIGEST).read_bytes() == BODY
    assert host.requests == [None, None]


def test_a_damaged_cached_file_is_fetched_again(host: Host, tmp_path: Path) -> None:
    """The digest is checked on every call."""
    path = fetch(host.url, tmp_path, sha256=DIGEST)
    path.write_bytes(b"damaged")
    assert fetch(host.url, tmp_path, sha256=DIGEST).read_bytes() == BODY


def test_several_threads_fetch_once(host: Host, tmp_path: Path) -> None:
    """While one downloads, the others wait for the file."""
    paths: list[Path] = []
    threads = [
        threading.Thread(target=lambda: paths.append(fetch(host.url, tmp_path, sha256=DIGEST)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(paths) == 4
    assert len(set(paths)) == 1
    assert host.requests == [None]


@pytest.mark.parametrize("url", ["ftp://a/b", "weights.pth", "http:///x"])
def test_an_address_of_another_kind_is_refused(url: str, tmp_path: Path) -> None:
    """Only web addresses are fetched."""
    with pytest.raises(WeightsError, match="http"):
        fetch(url, tmp_path, sha256=None)


def test_a_cache_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """The message names the folder."""
    (tmp_path / "file").write_text("")
    with pytest.raises(WeightsError, match="cannot write to the cache"):
        fetch("http://127.0.0.1:9/x", tmp_path / "file" / "cache", sha256=None)
