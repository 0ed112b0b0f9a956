"""The host of the photos' files on loopback; in an awkward world, with all that it answers."""

from __future__ import annotations

import io
import re
import threading
from functools import cache
from typing import TYPE_CHECKING, Final

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from collectors.sandbox.awkward import AwkwardFile, awkward_file
from collectors.sandbox.awkward_files import make_awkward
from collectors.sandbox.connections import wait_for_end
from collectors.sandbox.fault_answers import TOO_MANY_HTML
from collectors.sandbox.flickr_rows import server_of
from collectors.sandbox.photo_records import SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from collectors.sandbox.people import People
    from collectors.sandbox.photo_records import Photo
    from collectors.sandbox.pictures import Pictures

_FILE: Final = re.compile(r"(?P<id>.+)_(?P<secret>[0-9a-f]{10})(?:_(?P<suffix>[a-z]))?\.jpg")
_PLACEHOLDER: Final = "/placeholder/photo_unavailable.png"
_PASSING: Final = frozenset({AwkwardFile.BUSY, AwkwardFile.CUT_OFF})


class PhotoHost:
    """The photo host.

    Args:
        people: the photos.
        pictures: paints them.
        base_url: gives the host's own scheme, name and port.
        meter: called once for each file that is asked for.
        awkward: share of the photos whose file is awkward, 0..1.
        close: closes the connection of a request.
    """

    def __init__(
        self,
        people: People,
        pictures: Pictures,
        base_url: Callable[[], str],
        meter: Callable[[str], None],
        awkward: float,
        close: Callable[[Scope], None],
    ) -> None:
        self._people = people
        self._pictures = pictures
        self._base_url = base_url
        self._meter = meter
        self._awkward = awkward
        self._close = close
        self._lock = threading.Lock()
        self._asked: set[str] = set()

    def routes(self) -> list[Route]:
        """Gives the host's routes."""
        return [
            Route("/photos/{server}/{name}", self.serve_file, methods=["GET"]),
            Route("/photos/{path:path}", self._miss, methods=["GET"]),
            Route(_PLACEHOLDER, _serve_placeholder, methods=["GET"]),
        ]

    def serve_file(self, request: Request) -> Response:
        """Answers with one of a photo's files."""
        self._meter("photo.get")
        name = request.path_params["name"]
        parts = _FILE.fullmatch(name)
        photo = None if parts is None else self._people.find(parts["id"])
        if parts is None or photo is None or request.path_params["server"] != server_of(photo):
            return _not_found()
        suffix = parts["suffix"] or ""
        if suffix not in SUFFIXES or parts["secret"] != photo.secret_of(suffix):
            return _not_found()
        if not photo.size(suffix):
            return _not_found()
        awkward = awkward_file(photo.photo_id, self._awkward)
        hidden = photo.removed or photo.photo_id in self._people.changes.hidden
        if hidden or awkward is AwkwardFile.PLACEHOLDER:
            return RedirectResponse(self._base_url() + _PLACEHOLDER, status_code=302)
        if awkward is None or (awkward in _PASSING and not self._is_first(name)):
            return Response(self._pictures.jpeg(photo, suffix), media_type="image/jpeg")
        return self._answer_awkwardly(awkward, photo, suffix)

    def _miss(self, request: Request) -> Response:  # noqa: ARG002
        self._meter("photo.get")
        return _not_found()

    def _answer_awkwardly(self, awkward: AwkwardFile, photo: Photo, suffix: str) -> Response:
        if awkward is AwkwardFile.GONE:
            return _not_found()
        if awkward is AwkwardFile.BUSY:
            return Response(TOO_MANY_HTML, 429, headers={"content-type": "text/html"})
        jpeg = self._pictures.jpeg(photo, suffix)
        if awkward is AwkwardFile.CUT_OFF:
            return _ShortResponse(jpeg, self._close)
        body, content_type = make_awkward(awkward, jpeg)
        return Response(body, headers={"content-type": content_type})

    def _is_first(self, name: str) -> bool:
        with self._lock:
            first = name not in self._asked
            self._asked.add(name)
        return first


class _ShortResponse(Response):
    """A JPEG of which half is sent before the connection ends."""

    def __init__(self, jpeg: bytes, close: Callable[[Scope], None]) -> None:
        super().__init__(jpeg, media_type="image/jpeg")
        self._close = close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = self.raw_headers
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        half = bytes(self.body[: len(self.body) // 2])
        await send({"type": "http.response.body", "body": half, "more_body": True})
        self._close(scope)
        await wait_for_end(receive, 1.0)


def _not_found() -> Response:
    return Response(b"", status_code=404, media_type="text/html")


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
