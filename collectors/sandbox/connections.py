"""The open connections of a server, and what can be done to them behind its back."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

# What the balancer before Flickr answers to a request that it cannot read.
BAD_REQUEST: Final = (
    b"<html><body><h1>400 Bad request</h1>\nYour browser sent an invalid request.\n</body></html>\n"
)

if TYPE_CHECKING:
    from starlette.types import Receive, Scope


class Connections:
    """The connections of a server that are open, by the client's address."""

    def __init__(self) -> None:
        self._transports: dict[tuple[str, int], asyncio.Transport] = {}

    def protocol(self) -> type[asyncio.Protocol]:
        """Gives the protocol for `uvicorn.Config(http=…)` that makes connections known here."""
        transports = self._transports

        class KnownProtocol(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                if self.client is not None:
                    transports[self.client] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                if self.client is not None:
                    transports.pop(self.client, None)
                super().connection_lost(exc)

            def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's own words
                headers = [("content-type", "text/html"), ("connection", "close")]
                for event in (
                    h11.Response(status_code=400, headers=headers, reason=b"Bad request"),
                    h11.Data(data=BAD_REQUEST),
                    h11.EndOfMessage(),
                ):
                    self.transport.write(self.conn.send(event) or b"")
                self.transport.close()

        return KnownProtocol

    def close(self, scope: Scope) -> None:
        """Closes the connection of a request once what was written has been sent."""
        if (transport := self._find(scope)) is not None:
            transport.close()

    def reset(self, scope: Scope) -> None:
        """Resets the connection of a request: the client's operating system reports it as such."""
        if (transport := self._find(scope)) is not None:
            # With a lingering time of 0, closing sends RST instead of FIN (socket(7)).
            linger = struct.pack("ii", 1, 0)
            transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, linger
            )
            transport.abort()

    def _find(self, scope: Scope) -> asyncio.Transport | None:
        return self._transports.get(tuple(scope["client"] or ()))


async def wait_for_end(receive: Receive, seconds: float) -> None:
    """Waits until the client of a request has gone.

    Args:
        receive: the request's own.
        seconds: the longest time to wait.
    """

    async def end() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    try:
        await asyncio.wait_for(end(), seconds)
    except TimeoutError:
        return
