"""Lets the faults of a plan happen: stands before the whole application."""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from collectors.sandbox.clock import SKEW_S, read_clock
from collectors.sandbox.compute_meter import QUOTA_HEADER, RESTRICTED
from collectors.sandbox.connections import wait_for_end
from collectors.sandbox.fault_answers import make_answer
from collectors.sandbox.faults import FaultKind
from collectors.sandbox.flickr_bodies import Format, parse_format
from collectors.sandbox.request_kinds import kind_of_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from collectors.sandbox.connections import Connections
    from collectors.sandbox.faults import Fault, Faults
    from collectors.sandbox.traffic import Traffic

_PIECES: Final = 20
_SPOILT: Final = frozenset({FaultKind.TRUNCATED, FaultKind.CUT_OFF, FaultKind.SLOW_DRIP})


class FaultLayer:
    """ASGI middleware that lets faults happen, and adds latency.

    Args:
        application: the services.
        faults: draws what goes wrong.
        meter: called with the kind of each request that is answered here and not by a service.
        traffic: sees when requests come and go.
        connections: those of the server.
    """

    def __init__(
        self,
        application: ASGIApp,
        faults: Faults,
        meter: Callable[[str], None],
        traffic: Traffic,
        connections: Connections,
    ) -> None:
        self._application = application
        self._faults = faults
        self._meter = meter
        self._traffic = traffic
        self._connections = connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, or lets the application do it."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        send = _dated(send)
        query = scope["query_string"].decode("latin-1")
        arguments: dict[str, str] = {}
        body = b""
        if not scope["path"].startswith("/_sandbox/"):
            body = await _read_body(receive)
            receive = _replay(body, receive)
            if scope["path"] == "/services/rest/":
                form = body.decode("utf-8", "replace")
                arguments = dict(parse_qsl(query)) | dict(parse_qsl(form))
        kind = kind_of_request(scope["method"], scope["path"], arguments.get("method", ""))
        if kind is None:
            await self._application(scope, receive, send)
            return
        with self._traffic.inside(kind):
            await asyncio.sleep(self._faults.latency_s(kind))
            fault = self._faults.draw(
                kind, lambda: f"{scope['path']}?{query}\n{body.decode('utf-8', 'replace')}"
            )
            if fault is None:
                await self._application(scope, receive, send)
            elif fault.fault in _SPOILT:
                await self._spoil(fault, scope, receive, send)
            else:
                await self._happen(fault, kind, parse_format(arguments), scope, receive, send)

    async def _happen(
        self,
        fault: Fault,
        kind: str,
        form: Format,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        """Lets a fault happen that needs no real answer, or does not touch its body."""
        if fault.fault is FaultKind.CLOCK_SKEW:
            SKEW_S.set(fault.duration_s)
            await self._application(scope, receive, send)
            return
        if fault.fault is FaultKind.QUOTA_GONE:
            await self._application(scope, receive, _restricted(send))
            return
        self._meter(kind)
        answer = make_answer(fault, kind, form)
        if answer is not None:
            await _send_whole(
                send, answer.status, [(b"content-type", answer.content_type.encode())], answer.body
            )
            return
        if fault.fault is FaultKind.HANG:
            await wait_for_end(receive, fault.duration_s)
        self._connections.reset(scope)
        await wait_for_end(receive, 1.0)

    async def _spoil(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the real answer, but not as it should be."""
        start, body = await _capture(self._application, scope, receive)
        sent = body[: int(len(body) * fault.share)]
        if fault.fault is FaultKind.TRUNCATED:
            headers = [one for one in start["headers"] if one[0].lower() != b"content-length"]
            await _send_whole(send, start["status"], headers, sent)
        elif fault.fault is FaultKind.CUT_OFF:
            await send(start)
            await send({"type": "http.response.body", "body": sent, "more_body": True})
            self._connections.close(scope)
            await wait_for_end(receive, 1.0)
        else:
            await send(start)
            size = -(-len(body) // _PIECES) or 1
            for first in range(0, len(body), size):
                await asyncio.sleep(fault.duration_s / _PIECES)
                piece = body[first : first + size]
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


async def _read_body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Gives the body that was read already once more, then what comes after it."""
    waiting = [body]

    async def again() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return again


async def _capture(application: ASGIApp, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
    start: Message = {}
    parts: list[bytes] = []

    async def keep(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            parts.append(message.get("body", b""))

    await application(scope, receive, keep)
    return start, b"".join(parts)


async def _send_whole(
    send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


def _dated(send: Send) -> Send:
    """Adds the date by the sandbox's clock, which a fault may have set wrong."""
    return _with_header(send, lambda: (b"date", formatdate(read_clock(), usegmt=True).encode()))


def _restricted(send: Send) -> Send:
    return _with_header(send, lambda: (QUOTA_HEADER.encode(), RESTRICTED.encode()))


def _with_header(send: Send, make: Callable[[], tuple[bytes, bytes]]) -> Send:
    async def add(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers: list[Any] = [*message.get("headers", ()), make()]
            message = {**message, "headers": headers}
        await send(message)

    return add
