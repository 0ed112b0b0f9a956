"""The photo service on loopback: `flickr.photos.search` and the host of the files.

Answers are JSON with status 200, failures too. What a stricter sandbox would add (a limit of calls,
keys that expire, broken bodies) belongs at the start of `_Service.call` and `_Service.serve_file`.
"""

from __future__ import annotations

import io
import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from collectors.sandbox.chance import hash_keys
from collectors.sandbox.flickr_arguments import RefusalError, parse_search
from collectors.sandbox.flickr_rows import SERVER, make_row
from collectors.sandbox.flickr_signature import Signature, SignatureCheck
from collectors.sandbox.people import BoxTooLargeError
from collectors.sandbox.photo_records import SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from collectors.sandbox.people import People
    from collectors.sandbox.pictures import Pictures

# The method's own page: at most the first 4,000 results are returned for any given search.
MOST_RESULTS: Final = 4000
_FILE: Final = re.compile(r"(?P<id>.+)_(?P<secret>[0-9a-f]{10})(?:_(?P<suffix>[a-z]))?\.jpg")
_PLACEHOLDER: Final = "/placeholder/photo_unavailable.png"
_ALL_RIGHTS_RESERVED: Final = (
    "https://www.flickrhelp.com/hc/en-us/articles/"
    "10710266545556-Using-Flickr-images-shared-by-other-members"
)
_CREATIVE_COMMONS: Final = "https://creativecommons.org"

# Number, name and address of each licence in the order of the service, as of June 2025.
LICENCES: Final = (
    (0, "All Rights Reserved", _ALL_RIGHTS_RESERVED),
    (4, "CC BY 2.0", f"{_CREATIVE_COMMONS}/licenses/by/2.0/"),
    (6, "CC BY-ND 2.0", f"{_CREATIVE_COMMONS}/licenses/by-nd/2.0/"),
    (3, "CC BY-NC-ND 2.0", f"{_CREATIVE_COMMONS}/licenses/by-nc-nd/2.0/"),
    (2, "CC BY-NC 2.0", f"{_CREATIVE_COMMONS}/licenses/by-nc/2.0/"),
    (1, "CC BY-NC-SA 2.0", f"{_CREATIVE_COMMONS}/licenses/by-nc-sa/2.0/"),
    (5, "CC BY-SA 2.0", f"{_CREATIVE_COMMONS}/licenses/by-sa/2.0/"),
    (7, "No known copyright restrictions", "https://www.flickr.com/commons/usage/"),
    (8, "United States Government Work", "https://www.usa.gov/government-copyright"),
    (9, "Public Domain Dedication (CC0)", f"{_CREATIVE_COMMONS}/publicdomain/zero/1.0/"),
    (10, "Public Domain Mark", f"{_CREATIVE_COMMONS}/publicdomain/mark/1.0/"),
    (11, "CC BY 4.0", f"{_CREATIVE_COMMONS}/licenses/by/4.0/"),
    (12, "CC BY-SA 4.0", f"{_CREATIVE_COMMONS}/licenses/by-sa/4.0/"),
    (13, "CC BY-ND 4.0", f"{_CREATIVE_COMMONS}/licenses/by-nd/4.0/"),
    (14, "CC BY-NC 4.0", f"{_CREATIVE_COMMONS}/licenses/by-nc/4.0/"),
    (15, "CC BY-NC-SA 4.0", f"{_CREATIVE_COMMONS}/licenses/by-nc-sa/4.0/"),
    (16, "CC BY-NC-ND 4.0", f"{_CREATIVE_COMMONS}/licenses/by-nc-nd/4.0/"),
)  # fmt: skip

BeyondLimit = Literal["repeat", "refuse"]


def routes(
    people: People,
    pictures: Pictures,
    *,
    base_url: Callable[[], str],
    key: str,
    secret: str,
    meter: Callable[[str], None],
    beyond_limit: BeyondLimit = "repeat",
) -> list[Route]:
    """Gives the routes of the photo service and of its file host.

    Args:
        people: the photos.
        pictures: paints them.
        base_url: gives scheme, host and port of the photo host, once it is known.
        key: the API key that is valid.
        secret: its secret.
        meter: called once for each request with "flickr.search", "flickr.licenses", "flickr.other"
            or "photo.get".
        beyond_limit: what comes after the first 4,000 results: the last page again and again, or
            the failure with code 20. The service has been seen to do both.

    Returns:
        Routes for a Starlette application.
    """
    service = _Service(
        people=people,
        pictures=pictures,
        base_url=base_url,
        signature=SignatureCheck(key, secret),
        meter=meter,
        beyond_limit=beyond_limit,
    )
    return [
        Route("/services/rest/", service.call, methods=["GET", "POST"]),
        Route("/photos/{server}/{name}", service.serve_file, methods=["GET"]),
        Route(_PLACEHOLDER, _serve_placeholder, methods=["GET"]),
    ]


class _Service:
    def __init__(
        self,
        *,
        people: People,
        pictures: Pictures,
        base_url: Callable[[], str],
        signature: SignatureCheck,
        meter: Callable[[str], None],
        beyond_limit: BeyondLimit,
    ) -> None:
        self._people = people
        self._pictures = pictures
        self._base_url = base_url
        self._signature = signature
        self._meter = meter
        self._beyond_limit = beyond_limit
        self._methods: dict[str, tuple[str, Callable[[Mapping[str, str]], dict[str, Any]]]] = {
            "flickr.photos.search": ("flickr.search", self._search),
            "flickr.photos.licenses.getInfo": ("flickr.licenses", _list_licences),
            "flickr.test.echo": ("flickr.other", _echo),
        }

    async def call(self, request: Request) -> Response:
        """Answers one call of a method."""
        form = (await request.body()).decode("utf-8", errors="replace")
        arguments = dict(request.query_params) | dict(parse_qsl(form, keep_blank_values=True))
        kind, answer = self._methods.get(arguments.get("method", ""), ("flickr.other", None))
        self._meter(kind)
        try:
            self._check(request, form, arguments)
            if answer is None:
                raise RefusalError(112, f'Method "{arguments.get("method", "")}" not found')
            content = await run_in_threadpool(answer, arguments) | {"stat": "ok"}
        except RefusalError as refusal:
            content = {"stat": "fail", "code": refusal.code, "message": refusal.message}
        text = json.dumps(content, separators=(",", ":"))
        if arguments.get("nojsoncallback") != "1":
            return Response(f"jsonFlickrApi({text})", media_type="text/javascript")
        return Response(text, media_type="application/json")

    def _check(self, request: Request, form: str, arguments: Mapping[str, str]) -> None:
        headers = {
            name: request.headers[name]
            for name in ("Authorization", "Content-Type")
            if name in request.headers
        }
        seen = self._signature.check(str(request.url), request.method, form, headers)
        if seen is Signature.UNKNOWN_KEY:
            raise RefusalError(100, "Invalid API Key (Key has invalid format)")
        if seen is Signature.WRONG:
            raise RefusalError(96, "Invalid signature")
        if arguments.get("format") != "json":
            # The default is XML, which the sandbox does not write.
            raise RefusalError(111, f'Format "{arguments.get("format", "rest")}" not found')

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

    def serve_file(self, request: Request) -> Response:
        """Answers with one of a photo's files."""
        self._meter("photo.get")
        parts = _FILE.fullmatch(request.path_params["name"])
        photo = None if parts is None else self._people.find(parts["id"])
        if parts is None or photo is None or request.path_params["server"] != SERVER:
            return _not_found()
        suffix = parts["suffix"] or ""
        if parts["secret"] != photo.secret or suffix not in SUFFIXES or not photo.size(suffix):
            return _not_found()
        if photo.removed:
            return RedirectResponse(self._base_url() + _PLACEHOLDER, status_code=302)
        return Response(self._pictures.jpeg(photo, suffix), media_type="image/jpeg")


def _not_found() -> Response:
    return Response(b"", status_code=404, media_type="text/html")


def _list_licences(arguments: Mapping[str, str]) -> dict[str, Any]:  # noqa: ARG001
    return {
        "licenses": {
            "license": [
                {"id": str(number), "name": name, "url": url} for number, name, url in LICENCES
            ]
        }
    }


def _echo(arguments: Mapping[str, str]) -> dict[str, Any]:
    return {name: {"_content": value} for name, value in arguments.items() if name != "api_key"}


def _serve_placeholder(request: Request) -> Response:  # noqa: ARG001
    return Response(_paint_placeholder(), media_type="image/png")


@cache
def _paint_placeholder() -> bytes:
    """Paints what is shown in place of a removed photo: 500 x 374 pixels, as on the service."""
    from PIL import Image, ImageDraw  # noqa: PLC0415 - only needed for a removed photo

    image = Image.new("RGB", (500, 374), (243, 245, 246))
    ImageDraw.Draw(image).text((140, 180), "This photo is no longer available", (90, 90, 90))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
