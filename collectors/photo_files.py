"""Photos from the photo host: which size to take, the download, and what stands in its way.

Every use of a photo's address is checked against the hosts that are allowed, and redirects are
never followed: Flickr's host redirects what was removed to a placeholder picture.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import urlsplit

import requests

from collectors.cores import CORES
from collectors.http_client import HttpClient
from collectors.photo_pictures import PictureRules, prepare
from collectors.records import PhotoAbsence
from collectors.transport import (
    SetupError,
    TransientTrouble,
    is_transient,
    network_trouble,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import Response

    from collectors.records import Photo, PhotoImage, PhotoSize
    from collectors.transport import Patience, Throttle

FLICKR_HOSTS: Final = frozenset({".staticflickr.com"})
"""Hosts of Flickr's photo files; a leading dot stands for every host below."""

SERVICE: Final = "photo host"
BYTE_LIMIT: Final = 16 * 2**20
"""Largest file that is read, in bytes; a JPEG of 1024 px has a few hundred thousand."""

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_GONE: Final = frozenset({404, 410, 451})
_REFUSING: Final = frozenset({403, 429})
"""429 asks for patience; 403 is how content networks shut an address out, for a missing photo
Flickr's host answers 404. Neither says anything about the photo."""

_PLACEHOLDER: Final = "photo_unavailable"
"""Part of the path that removed photos are redirected to, whatever the host."""

_CHUNK: Final = 64 * 1024

_Content: TypeAlias = bytes | PhotoAbsence


class PhotoHost(HttpClient):
    """A client of the photo host."""

    def __init__(
        self,
        *,
        throttle: Throttle,
        patience: Patience,
        user_agent: str,
        allowed_hosts: frozenset[str] = FLICKR_HOSTS,
        rules: PictureRules | None = None,
        byte_limit: int = BYTE_LIMIT,
        timeout_s: float = 20,
        deadline_s: float = 120,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Creates a client; nothing is sent yet.

        Args:
            throttle: Shared by everything in this process that asks the host.
            patience: For transient trouble.
            user_agent: What this program calls itself, with an address for complaints.
            allowed_hosts: Names of hosts that may be asked, with `:port` where it is not the usual
                one; `.example.org` stands for all hosts below `example.org`.
            rules: What is stored; by default `PictureRules()`.
            byte_limit: Largest file that is read.
            timeout_s: Longest silence of the host, seconds.
            deadline_s: Longest time for one file, seconds.
            sleep: Waits the given seconds between tries.
            clock: Seconds, growing.
        """
        super().__init__(
            SERVICE, throttle=throttle, patience=patience, user_agent=user_agent, sleep=sleep
        )
        self._allowed_hosts = allowed_hosts
        self._rules = rules or PictureRules()
        self._byte_limit = byte_limit
        self._timeout_s = timeout_s
        self._deadline_s = deadline_s
        self._clock = clock
        self._receiving = threading.Lock()
        self._bytes = 0

    @property
    def bytes(self) -> int:
        """Bytes of the files received whole so far."""
        return self._bytes

    def fetch(self, photo: Photo) -> PhotoImage | PhotoAbsence:
        """Downloads a photo in the smallest size that will do, and prepares it for storage.

        Returns:
            The picture; or why there is none, for good.

        Raises:
            TroubleRemains: If the host was not to be reached within the patience.
            SetupError: If the host answers with a status that this program does not know.
        """
        size = choose_size(photo, self._rules.shortest_side_px)
        if size is None:
            return PhotoAbsence("no_size", "Flickr announces no size up to 1024 px")
        if min(size.width, size.height) < self._rules.minimum_side_px:
            return PhotoAbsence("too_small", f"at most {size.width} × {size.height} px")
        if not is_allowed(size.url, self._allowed_hosts):
            return PhotoAbsence("foreign_host", size.url)
        found = self.send(size.url, lambda: self._try(size.url))
        if isinstance(found, PhotoAbsence):
            return found
        with CORES:
            return prepare(found, size, self._rules)

    def _try(self, url: str) -> _Content:
        """Makes one request for one file."""
        with network_trouble(SERVICE, url):
            try:
                with self.session.get(
                    url, stream=True, allow_redirects=False, timeout=self._timeout_s
                ) as response:
                    return self._content(url, response)
            except requests.exceptions.InvalidURL as error:
                return PhotoAbsence("foreign_host", f"{url}: {error}")

    def _content(self, url: str, response: Response) -> _Content:
        if response.status_code != requests.codes.ok:
            return self._absence(url, response)
        kind = response.headers.get("Content-Type", "").split(";")[0].strip().lower()
        if kind != "image/jpeg":
            return PhotoAbsence("not_jpeg", f"{url} is {kind or 'of no stated type'}")
        return self._body(url, response)

    def _absence(self, url: str, response: Response) -> PhotoAbsence:
        """Reads an answer without a file: returns an absence or raises."""
        status = response.status_code
        if status in _REFUSING:
            self.throttle.ease()
        if status in _REFUSING or is_transient(status):
            raise TransientTrouble(SERVICE, f"{url}: HTTP status {status}", status)
        if status in _GONE:
            return PhotoAbsence("gone", f"{url}: HTTP status {status}")
        if 300 <= status < 400:
            target = response.headers.get("Location", "")
            reason = "placeholder" if _PLACEHOLDER in urlsplit(target).path else "moved"
            return PhotoAbsence(reason, f"{url}: redirected to {target!r:.300}")
        raise SetupError(
            SERVICE,
            f"{url} answers with HTTP status {status}, which it never did.",
            "Open the address in a browser; the host may want something new.",
        )

    def _body(self, url: str, response: Response) -> _Content:
        """Reads a body; one that is shorter than announced raises inside `network_trouble`."""
        started = self._clock()
        data = bytearray()
        for chunk in response.iter_content(_CHUNK):
            data += chunk
            if len(data) > self._byte_limit:
                return PhotoAbsence("too_many_bytes", f"{url}: over {self._byte_limit} bytes")
            if self._clock() - started > self._deadline_s:
                raise TransientTrouble(SERVICE, f"{url}: not whole after {self._deadline_s} s")
        with self._receiving:
            self._bytes += len(data)
        return bytes(data)


def choose_size(photo: Photo, shortest_side_px: int) -> PhotoSize | None:
    """Returns the smallest announced size whose shortest side is long enough, else the largest.

    Args:
        photo: The photo; its sizes are sorted largest first.
        shortest_side_px: Length that the shortest side should have.
    """
    enough = [size for size in photo.sizes if min(size.width, size.height) >= shortest_side_px]
    return enough[-1] if enough else next(iter(photo.sizes), None)


def is_allowed(url: str, hosts: frozenset[str]) -> bool:
    """Says whether an address may be asked: a known host, and https unless on loopback.

    Args:
        url: The address.
        hosts: `host`, `host:port`, or `.domain` for all hosts below a domain.
    """
    if not url.isascii() or any(character.isspace() or character == "\\" for character in url):
        return False  # read differently by different parsers
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if "@" in parts.netloc or not (
        parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    ):
        return False
    if port is not None:
        return f"{host}:{port}" in hosts
    domains = (host[dot:] for dot, character in enumerate(host) if character == ".")
    return host in hosts or any(domain in hosts for domain in domains)
