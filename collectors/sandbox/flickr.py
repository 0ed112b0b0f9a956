"""The photo service on loopback: `flickr.photos.search` and what else a search needs.

Failures come with status 200, as on the service. What is stricter here than there: a call must be
signed (the service takes an `api_key` in the open as well), and an argument that the sandbox does
not know is refused (the service passes over it), so that no mistake goes unnoticed.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import parse_qsl, quote

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Route

from collectors.sandbox.chance import hash_keys
from collectors.sandbox.flickr_arguments import RefusalError, parse_search
from collectors.sandbox.flickr_bodies import parse_format, write_answer, write_failure
from collectors.sandbox.flickr_info import tell_of_photo
from collectors.sandbox.flickr_licences import LICENCES, list_licences
from collectors.sandbox.flickr_rows import make_row
from collectors.sandbox.flickr_signature import Signature, SignatureCheck
from collectors.sandbox.people import BoxTooLargeError
from collectors.sandbox.photo_host import PhotoHost
from collectors.sandbox.request_kinds import FLICKR_METHODS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.types import Scope

    from collectors.sandbox.people import People
    from collectors.sandbox.pictures import Pictures

__all__ = ["LICENCES", "MOST_RESULTS", "BeyondLimit", "routes"]

# The method's own page: at most the first 4,000 results are returned for any given search.
MOST_RESULTS: Final = 4000

BeyondLimit = Literal["repeat", "refuse"]

# What a signature that is not taken is answered with, status 401 (OAuth Problem Reporting; seen of
# the service for the signature).
_PROBLEMS: Final = {
    Signature.WRONG: "signature_invalid",
    Signature.STALE: "timestamp_refused",
    Signature.REPLAYED: "nonce_used",
}
_KEY_REASONS: Final = {
    Signature.NO_KEY: "Key has invalid format",
    Signature.UNKNOWN_KEY: "Key not found",
}


def routes(
    people: People,
    pictures: Pictures,
    *,
    base_url: Callable[[], str],
    key: str,
    secret: str,
    meter: Callable[[str], None],
    beyond_limit: BeyondLimit = "repeat",
    awkward: float = 0.0,
    now: Callable[[], float] = time.time,
    close: Callable[[Scope], None] = lambda _: None,
) -> list[Route]:
    """Gives the routes of the photo service and of its file host.

    Args:
        people: the photos.
        pictures: paints them.
        base_url: gives scheme, host and port of the photo host, once it is known.
        key: the API key that is valid.
        secret: its secret.
        meter: called once for each request with "flickr.search", "flickr.info",
            "flickr.licenses", "flickr.other" or "photo.get".
        beyond_limit: what comes after the first 4,000 results: the last page again and again, or
            the failure with code 20. The service has been seen to do both.
        awkward: share of the photos whose file is awkward, 0..1.
        now: gives the seconds since 1970, for signatures.
        close: closes the connection of a request; without it the server does, and complains.

    Returns:
        Routes for a Starlette application.
    """
    service = _Service(people, base_url, SignatureCheck(key, secret, now), meter, beyond_limit)
    host = PhotoHost(people, pictures, base_url, meter, awkward, close)
    return [
        Route("/services/rest/", service.call, methods=["GET", "POST"]),
        *host.routes(),
    ]


class _Service:
    def __init__(
        self,
        people: People,
        base_url: Callable[[], str],
        signature: SignatureCheck,
        meter: Callable[[str], None],
        beyond_limit: BeyondLimit,
    ) -> None:
        self._people = people
        self._base_url = base_url
        self._signature = signature
        self._meter = meter
        self._beyond_limit = beyond_limit
        self._methods: dict[str, Callable[[Mapping[str, str]], dict[str, Any]]] = {
            "flickr.photos.search": self._search,
            "flickr.photos.getInfo": lambda arguments: tell_of_photo(people, arguments),
            "flickr.photos.licenses.getInfo": lambda _: list_licences(),
            "flickr.test.echo": _echo,
        }

    async def call(self, request: Request) -> Response:
        """Answers one call of a method."""
        form = (await request.body()).decode("utf-8", errors="replace")
        arguments = dict(request.query_params) | dict(parse_qsl(form, keep_blank_values=True))
        method = arguments.get("method", "")
        self._meter(FLICKR_METHODS.get(method, "flickr.other"))
        wanted = parse_format(arguments)
        seen = self._look_at_signature(request, form)
        if problem := _PROBLEMS.get(seen):
            text = f"oauth_problem={problem}"
            if seen is Signature.WRONG:
                text += f"&debug_sbs={request.method}&{quote(str(request.url), safe='')}"
            return Response(text, 401, media_type="text/plain")
        try:
            if reason := _KEY_REASONS.get(seen):
                raise RefusalError(100, f"Invalid API Key ({reason})")
            if not wanted.known:
                raise RefusalError(111, f'Format "{wanted.name}" not found')
            if method not in self._methods:
                raise RefusalError(112, f'Method "{method}" not found')
            content = await run_in_threadpool(self._methods[method], arguments)
            body, content_type = write_answer(content, wanted)
        except RefusalError as refusal:
            body, content_type = write_failure(refusal.code, refusal.message, wanted)
        return Response(body, headers={"content-type": content_type})

    def _look_at_signature(self, request: Request, form: str) -> Signature:
        headers = {
            name: request.headers[name]
            for name in ("Authorization", "Content-Type")
            if name in request.headers
        }
        return self._signature.check(str(request.url), request.method, form, headers)

    def _search(self, arguments: Mapping[str, str]) -> dict[str, Any]:
        search = parse_search(arguments, self._people.now)
        page, size = search.page, search.per_page
        last_page = -(-MOST_RESULTS // size)
        if page > last_page and self._beyond_limit == "refuse":
            raise RefusalError(20, "Excessive photo offset in search")
        start = (min(page, last_page) - 1) * size
        stop = min(start + size, MOST_RESULTS)
        try:
            total, photos = (
                (0, []) if search.query is None else self._people.search(search.query, start, stop)
            )
        except BoxTooLargeError as error:
            raise RefusalError(18, f"Illogical arguments ({error})") from error
        base_url = self._base_url()
        pages = -(-total // size)
        # Both counts come as numbers or as texts.
        as_text = hash_keys("counts", arguments.get("bbox", ""), total) & 3
        return {
            "photos": {
                "page": page,
                "pages": str(pages) if as_text & 1 else pages,
                "perpage": size,
                "total": str(total) if as_text & 2 else total,
                "photo": [make_row(photo, search.extras, base_url) for photo in photos],
            }
        }


def _echo(arguments: Mapping[str, str]) -> dict[str, Any]:
    return {name: {"_content": value} for name, value in arguments.items() if name != "api_key"}
