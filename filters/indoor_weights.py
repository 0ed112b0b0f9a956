"""The indoor filter's weights: read from a file, or fetched on first use."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import requests
from filelock import FileLock

from filters.indoor_checkpoint import WeightsError, read_checkpoint
from filters.indoor_scores import Scoring

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from torchvision.models import ResNet

__all__ = ["Weights", "WeightsError", "WeightsUnreachableError", "fetch", "load"]

_CHUNK_BYTES: Final = 1 << 14
"""Written at a time; what arrived of a chunk when the connection is cut is lost."""


class WeightsUnreachableError(WeightsError):
    """The weights could not be fetched now; what has arrived is kept, and a later try goes on."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A network that is ready for inference.

    Attributes:
        network: ResNet18 in eval mode, on the CPU.
        sha256: Hex digest of the file it was read from.
        scoring: What its outputs mean.
        training: How it was trained, where its file says so.
    """

    network: ResNet
    sha256: str
    scoring: Scoring = field(default_factory=Scoring)
    training: Mapping[str, Any] = field(default_factory=dict)


def load(path: Path, *, sha256: str | None) -> Weights:
    """Reads a checkpoint; nothing in the file can run code.

    Args:
        path: The file.
        sha256: The hex digest that the file must have; None to take any.

    Raises:
        WeightsError: If the file is missing, is not the one expected, is not a checkpoint (cut
            off, a web page, a pickle of other things) or holds another network.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        msg = (
            f"cannot read the indoor weights at {path}: {error.strerror}. "
            "Give the path of a ResNet18 Places365 checkpoint."
        )
        raise WeightsError(msg) from error
    digest = hashlib.sha256(data).hexdigest()
    _check_digest(digest, sha256, str(path))
    network, scoring, training = read_checkpoint(data, path)
    return Weights(network, digest, scoring, training)


def _check_digest(found: str, expected: str | None, where: str) -> None:
    if expected is not None and found != expected.lower():
        msg = (
            f"the indoor weights at {where} have changed: their SHA-256 is {found}, expected is "
            f"{expected}. Delete the file if it was damaged; if the new weights are wanted, set "
            "the new digest."
        )
        raise WeightsError(msg)


def fetch(
    url: str,
    cache_dir: Path,
    *,
    sha256: str | None,
    session: requests.Session | None = None,
    timeout_s: float = 30.0,
    on_progress: Callable[[int, int | None], None] | None = None,
) -> Path:
    """Returns the cached file of an address, downloaded on first use.

    One process downloads while others wait. A connection that is cut is taken up where it ended
    as long as each try brings something new; after that, and after a crash, the next call goes on.

    Args:
        url: Address of the checkpoint, http or https.
        cache_dir: Folder of the cache; made if it is missing.
        sha256: The hex digest that the file must have; None to take any.
        session: What makes the requests.
        timeout_s: Longest silence of the server in seconds.
        on_progress: Called with the bytes that are there and the size of the whole, if known.

    Raises:
        WeightsUnreachableError: If the server cannot be reached, is busy or cuts the connection.
        WeightsError: If the address is wrong, the answer is no file, or the digest differs.
    """
    target = cache_path(url, cache_dir)
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{target}.lock")
        lock.acquire()
    except OSError as error:
        msg = f"cannot write to the cache {cache_dir}: {error}. Choose a folder that is writable."
        raise WeightsError(msg) from error
    try:
        if target.exists():
            if sha256 is None or _digest_of(target) == sha256.lower():
                return target
            target.unlink()
        download = _Download(url, target, session or requests.Session(), timeout_s, on_progress)
        download.run()
        try:
            _check_digest(_digest_of(download.part), sha256, url)
        except WeightsError:
            download.forget()
            raise
        download.part.replace(target)
        download.tag.unlink(missing_ok=True)
        return target
    finally:
        lock.release()


def cache_path(url: str, cache_dir: Path) -> Path:
    """Returns where `fetch` keeps the file of an address, whether it is there yet or not.

    Raises:
        WeightsError: If this is no address of a file.
    """
    return cache_dir / _cache_name(url)


def _cache_name(url: str) -> str:
    """Returns the file's name in the cache: that of the address, made unique by its digest."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        msg = f"{url!r} is not an address of weights: it must begin with http:// or https://"
        raise WeightsError(msg)
    name = re.sub(r"[^A-Za-z0-9._-]", "_", parts.path.rpartition("/")[2]) or "weights"
    return f"{hashlib.sha256(url.encode()).hexdigest()[:8]}-{name}"


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class _Download:
    """One file on its way: what has arrived lies in `part`, and `tag` names its version."""

    url: str
    target: Path
    session: requests.Session
    timeout_s: float
    on_progress: Callable[[int, int | None], None] | None

    @property
    def part(self) -> Path:
        return self.target.with_name(self.target.name + ".part")

    @property
    def tag(self) -> Path:
        """Holds the ETag or date of the version that `part` belongs to."""
        return self.target.with_name(self.target.name + ".tag")

    def forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self.tag.unlink(missing_ok=True)

    def run(self) -> None:
        """Downloads the whole, going on after a cut as long as that gets further than before."""
        furthest = -1
        while True:
            try:
                self._receive()
            except requests.RequestException as error:
                arrived = self._arrived()
                if arrived <= furthest or arrived == 0:
                    msg = (
                        f"cannot fetch the indoor weights from {self.url}: {error}. Check the "
                        "connection and start again; what has arrived is kept. Or download the "
                        "file by hand and give its path."
                    )
                    raise WeightsUnreachableError(msg) from error
                furthest = arrived
            else:
                return

    def _arrived(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _receive(self) -> None:
        """Makes one request and writes what comes.

        Raises:
            requests.RequestException: If the connection is refused or cut.
        """
        headers = {"Accept-Encoding": "identity"}
        if not self.tag.exists():
            self.forget()
        elif self._arrived():
            headers["Range"] = f"bytes={self._arrived()}-"
            headers["If-Range"] = self.tag.read_text()
        with self.session.get(
            self.url, headers=headers, stream=True, timeout=self.timeout_s
        ) as answer:
            begin, size = self._place_of(answer)
            if begin == 0:
                self.forget()
                self._remember_version(answer)
            arrived = begin
            with self.part.open("ab") as file:
                for chunk in answer.iter_content(_CHUNK_BYTES):
                    if arrived == 0 and chunk.lstrip()[:1] == b"<":
                        raise self._no_file("answered with a web page")
                    file.write(chunk)
                    arrived += len(chunk)
                    if self.on_progress is not None:
                        self.on_progress(arrived, size)
        if arrived == 0:
            raise self._no_file("answered with an empty file")
        if size is not None and arrived < size:
            msg = f"cut off after {arrived} of {size} bytes"
            raise requests.ConnectionError(msg)

    def _place_of(self, answer: requests.Response) -> tuple[int, int | None]:
        """Returns where in the file the answer begins and the size of the whole, if known."""
        status = answer.status_code
        if status == requests.codes.too_many_requests or status >= requests.codes.server_error:
            msg = f"the server answered with status {status}"
            raise requests.ConnectionError(msg)
        if status == requests.codes.requested_range_not_satisfiable:
            self.forget()
            msg = "what had arrived is longer than the file"
            raise requests.ConnectionError(msg)
        if status == requests.codes.partial_content:
            span = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", answer.headers.get("Content-Range", ""))
            if span is None or int(span[1]) != self._arrived():
                raise self._no_file("answered with another part of the file than was asked for")
            return int(span[1]), int(span[2])
        if status != requests.codes.ok:
            raise self._no_file(f"answered with status {status}")
        if "html" in answer.headers.get("Content-Type", ""):
            raise self._no_file("answered with a web page")
        size = answer.headers.get("Content-Length", "")
        return 0, int(size) if size.isdigit() else None

    def _remember_version(self, answer: requests.Response) -> None:
        """Notes the version, because a file may only be continued with parts of the same one."""
        tag = answer.headers.get("ETag", "")
        # RFC 9110, 13.1.5: a weak tag may not be used to ask for a range.
        tag = answer.headers.get("Last-Modified", "") if tag.startswith("W/") or not tag else tag
        if tag:
            self.tag.write_text(tag)

    def _no_file(self, what: str) -> WeightsError:
        self.forget()
        return WeightsError(
            f"{self.url} {what}, not with indoor weights. Correct the address, or download the "
            "checkpoint by hand and give its path."
        )
