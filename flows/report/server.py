"""The report over HTTP on loopback: pages made once, pictures drawn when they are looked at."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from flows.report.pages import SERVED_POLICY, render
from flows.report.pictures import TYPE, PictureError, draw

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from collectors.storage import Store
    from flows.report.album import Album
    from flows.report.findings import Findings
    from flows.report.pictures import Picture

CACHE_BYTES: Final = 128_000_000
"""Bytes of pictures kept in memory; what was looked at longest ago goes first."""

_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}

_HEADERS: Final = {
    "Content-Security-Policy": SERVED_POLICY + "; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    # Another dataset may be served at the same address tomorrow.
    "Cache-Control": "no-store",
}

LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")


class PictureCache:
    """Draws pictures of a report and keeps the last ones; several threads may ask at once."""

    def __init__(
        self, store: Store, pictures: Mapping[str, Picture], limit: int = CACHE_BYTES
    ) -> None:
        """Takes the pictures that there are.

        Args:
            store: The dataset.
            pictures: By name; no other name is ever looked for.
            limit: Bytes to keep.
        """
        self._store, self._pictures, self._limit = store, pictures, limit
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()
        self.size = 0

    def get(self, name: str) -> bytes | None:
        """Returns a picture; None if there is none of that name.

        Raises:
            PictureError: If it cannot be drawn.
        """
        picture = self._pictures.get(name)
        if picture is None:
            return None
        with self._lock:
            if name in self._kept:
                self._kept.move_to_end(name)
                return self._kept[name]
        drawn = draw(self._store, picture)
        with self._lock:
            if name not in self._kept:
                self._kept[name] = drawn
                self.size += len(drawn)
            while self.size > self._limit and self._kept:
                _, gone = self._kept.popitem(last=False)
                self.size -= len(gone)
        return drawn


class OnlyLoopback:
    """Answers requests that name this machine and this port, and no others.

    A page of another site can make its own name lead to 127.0.0.1 (DNS rebinding); the browser
    still says that name.
    """

    def __init__(self, app: ASGIApp, port: int) -> None:
        """Wraps an application that is served on a port."""
        self._app = app
        self._hosts = {f"{name}:{port}".encode() for name in LOOPBACK}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or refuses it."""
        if scope["type"] == "http":
            hosts = [value for name, value in scope["headers"] if name == b"host"]
            if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
                refusal = PlainTextResponse("this report is served to this machine only\n", 421)
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


def make_app(
    findings: Findings, album: Album, store: Store, port: int, *, cache_bytes: int = CACHE_BYTES
) -> OnlyLoopback:
    """Makes the application: it knows the report's names and nothing else.

    Args:
        findings: What the report says.
        album: Its pairs.
        store: The dataset, for pictures.
        port: Where it will be served.
        cache_bytes: Bytes of pictures kept in memory.
    """
    pages = render(findings, album, policy=SERVED_POLICY)
    pictures = PictureCache(store, album.pictures, cache_bytes)

    def answer(request: Request) -> Response:
        name = request.path_params["path"] or "index.html"
        page = pages.get(name)
        if page is not None:
            return _response(page, _TYPES[name.rsplit(".", 1)[1]])
        try:
            picture = pictures.get(name)
        except PictureError as error:
            return _response(f"no picture: {error}\n".encode(), "text/plain; charset=utf-8", 502)
        if picture is None:
            return _response(b"there is no such page\n", "text/plain; charset=utf-8", 404)
        return _response(picture, TYPE)

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET"])])
    return OnlyLoopback(app, port)


def _response(data: bytes, kind: str, status: int = 200) -> Response:
    return Response(data, status, headers={**_HEADERS, "Content-Type": kind})


def serve(app: Any, connection: Any) -> None:
    """Serves an application on a listening socket until the process is interrupted."""
    import uvicorn

    config = uvicorn.Config(
        app, log_level="critical", access_log=False, lifespan="off", server_header=False,
        timeout_graceful_shutdown=3,
    )  # fmt: skip
    try:
        uvicorn.Server(config).run(sockets=[connection])
    except KeyboardInterrupt:
        return
