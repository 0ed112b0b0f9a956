"""A proxy on loopback before a real service, which breaks chosen requests on their way."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from tests.collectors.loopback import handler_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from http.server import BaseHTTPRequestHandler


@dataclass(frozen=True)
class Fault:
    """What happens to a request instead of its answer.

    Attributes:
        status: HTTP status of the answer.
        body: Body of the answer; None for the real answer's.
        sent: Share of the body that is really sent.
        reset: Whether the connection is reset without an answer.
        content_type: Content type of the answer.
    """

    status: int = 200
    body: bytes | None = None
    sent: float = 1.0
    reset: bool = False
    content_type: str = "text/html"


class FaultProxy:
    """The proxy.

    Attributes:
        faults: Used up one by one, by requests whose path contains `only`.
        only: Part of the path of the requests that faults are for.
        judge: Chooses a fault by a request's body, for as long as it is set.
        bodies: Path and body of all requests that came.
    """

    def __init__(self, upstream: str) -> None:
        """Stands before the service at an address."""
        self.faults: list[Fault] = []
        self.only = ""
        self.judge: Callable[[bytes], Fault | None] | None = None
        self.bodies: list[tuple[str, bytes]] = []
        self._upstream = urlsplit(upstream).netloc
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(self._pass_on))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def clear(self) -> None:
        """Lets everything through again."""
        self.faults, self.only, self.judge, self.bodies = [], "", None, []

    def _fault_for(self, path: str, body: bytes) -> Fault | None:
        with self._lock:
            self.bodies.append((path, body))
            if self.only not in path:
                return None
            if self.judge is not None:
                return self.judge(body)
            return self.faults.pop(0) if self.faults else None

    def _pass_on(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        fault = self._fault_for(handler.path, body)
        if fault is not None and fault.reset:
            linger = struct.pack("ii", 1, 0)  # closing sends a reset instead of an end
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            handler.close_connection = True
            return
        if fault is not None and fault.body is not None:
            status, answer, kind = fault.status, fault.body, fault.content_type
        else:
            status, answer, kind = self._ask(handler, body)
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(answer)))
        handler.end_headers()
        if fault is not None and fault.sent < 1:
            answer = answer[: int(len(answer) * fault.sent)]
            handler.close_connection = True
        handler.wfile.write(answer)

    def _ask(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes, str]:
        """Returns the real service's status, body and content type."""
        connection = http.client.HTTPConnection(self._upstream, timeout=60)
        headers = {
            name: value for name, value in handler.headers.items()
            if name.lower() not in {"host", "connection", "accept-encoding"}
        }  # fmt: skip
        try:
            connection.request(handler.command, handler.path, body or None, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers.get("Content-Type", "")
        finally:
            connection.close()
