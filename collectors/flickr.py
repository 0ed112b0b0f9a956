"""Flickr's search: one signed request for a page, and a walk over the pages of a search.

The only module that imports flickrapi. Of that library the signing and sending is used, nothing
else: its `walk` methods do not work on this Python, and its parsers hide what was answered.
"""

from __future__ import annotations

import logging
import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar

import flickrapi
import requests

from collectors.flickr_answers import (
    ExcessiveOffset,
    FlickrRefusal,
    SearchPage,
    parse_licences,
    parse_page,
    read_answer,
    refused_key,
)
from collectors.flickr_requests import (
    GEO_PAGE,
    PAGE_CAP,
    RESULT_CAP,
    SPLIT_ABOVE,
    PhotoSearch,
)
from collectors.flickr_rows import SERVICE, UnreadableRow
from collectors.http_client import HttpClient
from collectors.licences import differences
from collectors.transport import (
    SetupError,
    TransientTrouble,
    is_transient,
    network_trouble,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from collectors.transport import Patience, Throttle

__all__ = [
    "GEO_PAGE", "PAGE_CAP", "RESULT_CAP", "SPLIT_ABOVE", "Flickr", "FlickrRefusal", "PhotoSearch",
    "SearchPage", "UnreadableRow",
]  # fmt: skip

Result = TypeVar("Result")

_QUIETED: Final = {
    "flickrapi": logging.CRITICAL,  # logs the bodies of failures as errors
    "oauthlib": logging.WARNING,  # logs the key with every request at DEBUG
    "requests_oauthlib": logging.WARNING,  # likewise
}


class Flickr(HttpClient):
    """A client of Flickr's API for one key; `sent` is what Flickr counts against it.

    Attributes:
        url: Address of the REST endpoint.
    """

    def __init__(
        self,
        key: str,
        secret: str,
        *,
        url: str,
        throttle: Throttle,
        patience: Patience,
        timeout_s: float = 20,
        user_agent: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Creates a client; nothing is sent yet.

        Args:
            key: API key.
            secret: The key's secret.
            url: Address of the REST endpoint, such as `https://api.flickr.com/services/rest/`.
            throttle: Shared by everything in this process that uses the key.
            patience: For transient trouble.
            timeout_s: Longest silence of the service, seconds.
            user_agent: What this program calls itself.
            sleep: Waits the given seconds between tries.

        Raises:
            SetupError: If the key or its secret is empty.
        """
        if not key or not secret:
            raise SetupError(
                SERVICE, "no API key, or no secret of it.", "Keys are issued to Pro accounts."
            )
        super().__init__(
            SERVICE, throttle=throttle, patience=patience, user_agent=user_agent, sleep=sleep
        )
        self.session.max_redirects = 0  # a redirected POST would arrive unsigned, as a GET
        self.url = url
        self._key = key
        self._secret = secret
        self._timeout_s = timeout_s
        for name, level in _QUIETED.items():
            logging.getLogger(name).setLevel(level)

    def __repr__(self) -> str:
        return f"Flickr(url={self.url!r})"

    def search(self, wanted: PhotoSearch, page: int = 1) -> SearchPage:
        """Asks for one page of the photos taken in a box and a window of time.

        Flickr's boxes are closed; photos on the far edge belong to the neighbour and are left out.

        Args:
            wanted: What is searched for.
            page: 1 to `PAGE_CAP`.

        Returns:
            The page. It is empty and `exhausted` where Flickr says that there is nothing.

        Raises:
            ValueError: If nothing is asked for, or a page that is never served.
            FlickrRefusal: If Flickr does not understand the request.
            TroubleRemains: If Flickr was not to be reached within the patience.
            SetupError: If the key is refused, the address is wrong, or a licence is unknown.
        """
        if not 1 <= page <= PAGE_CAP:
            raise ValueError(f"Flickr serves pages 1 to {PAGE_CAP} of a search, not {page}")
        arguments = wanted.arguments() | {"page": str(page)}
        try:
            found = self.ask("flickr.photos.search", arguments, parse_page)
        except ExcessiveOffset:
            return SearchPage((), (), (), 0, 0, page, GEO_PAGE, exhausted=True)
        box = wanted.box
        held = tuple(photo for photo in found.photos if box.holds(photo.lon, photo.lat))
        return replace(found, photos=held, page=page)

    def search_all(self, wanted: PhotoSearch, max_pages: int = PAGE_CAP) -> Iterator[SearchPage]:
        """Walks the pages of a search.

        Yields:
            Pages without the photos that came before, until the last page announced, a page that
            brings nothing new, `max_pages`, or the end of what Flickr serves.

        Raises:
            ValueError, FlickrRefusal, TroubleRemains, SetupError: As `search` does.
        """
        seen: set[str] = set()
        for number in range(1, min(max_pages, PAGE_CAP) + 1):
            page = self.search(wanted, number)
            yield _without(page, seen)
            if page.exhausted or seen.issuperset(page.ids) or number >= page.pages:
                return
            seen.update(page.ids)

    def check(self) -> None:
        """Sees with one call whether the key works and the licences mean what they meant.

        Raises:
            SetupError: If the key is refused, or Flickr's list of licences has changed.
            TroubleRemains: If Flickr was not to be reached within the patience.
        """
        listed = self.ask("flickr.photos.licenses.getInfo", {}, parse_licences)
        if found := differences(listed):
            raise SetupError(
                SERVICE,
                f"its licences have changed: {'; '.join(found)}.",
                "Bring collectors/licences.py up to date before collecting.",
            )

    def ask(
        self, method: str, arguments: dict[str, str], read: Callable[[dict[str, Any]], Result]
    ) -> Result:
        """Calls a method of the API within the limit, again where trouble passes.

        Args:
            method: Its name, such as `flickr.photos.getInfo`.
            arguments: Its arguments.
            read: Reads the answer.

        Raises:
            FlickrRefusal: If Flickr answers with a code that is the caller's to understand.
            TroubleRemains: If Flickr was not to be reached within the patience.
            SetupError: If the key is refused, the address is wrong, or a licence is unknown.
        """
        return self.send(method, lambda: read(read_answer(self._call(method, arguments))))

    def _call(self, method: str, arguments: dict[str, str]) -> bytes:
        """Sends one signed request and returns the body of an answer with status 200."""
        client = flickrapi.FlickrAPI(
            self._key, self._secret, format="json", store_token=False, timeout=self._timeout_s
        )  # a new one each time: it is not made for threads, and holds no connection itself
        client.REST_URL = self.url
        client.flickr_oauth.session = self.session
        try:
            with network_trouble(SERVICE, method):
                body: bytes = client.do_flickr_call(method, **arguments)
        except flickrapi.FlickrError as error:
            raise self._trouble(error) from None  # its text is all that it knows
        except requests.exceptions.RequestException as error:
            raise SetupError(
                SERVICE, f"{self.url} cannot be asked ({error}).", "Check the address."
            ) from error
        return body

    def _trouble(self, error: flickrapi.FlickrError) -> Exception:
        """Returns what a status other than 200 means; the library tells it in words alone."""
        match = re.search(r"Status code (\d{3})", str(error))
        if match is None:
            return FlickrRefusal(0, str(error))
        status = int(match[1])
        if status == requests.codes.too_many_requests:
            self.throttle.ease()
        if is_transient(status):
            return TransientTrouble(SERVICE, f"HTTP status {status}", status)
        if status == requests.codes.unauthorized:
            return refused_key(f"HTTP status {status}")
        if status == requests.codes.bad_request:
            return FlickrRefusal(status, "HTTP status 400")
        return SetupError(
            SERVICE, f"{self.url} answers with HTTP status {status}.", "Check the address."
        )


def _without(page: SearchPage, seen: set[str]) -> SearchPage:
    """Returns a page without the photos that came before, and without repeats in itself."""
    once = {photo.photo_id: photo for photo in page.photos if photo.photo_id not in seen}
    unreadable = tuple(row for row in page.unreadable if row.photo_id not in seen)
    return replace(page, photos=tuple(once.values()), unreadable=unreadable)
