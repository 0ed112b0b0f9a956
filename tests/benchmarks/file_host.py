"""A photo host of given files: kept in memory, sent at once, nothing looked at but the path.

`python -m tests.benchmarks.file_host FOLDER` prints its port and serves until its input ends.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path


class FileHost(asyncio.Protocol):
    """One connection."""

    answers: dict[bytes, bytes]
    """Path of a request → the whole answer."""

    def __init__(self) -> None:
        self._waiting = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the connection."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answers each request that is whole."""
        assert self._transport is not None
        self._waiting += data
        while b"\r\n\r\n" in self._waiting:
            head, self._waiting = self._waiting.split(b"\r\n\r\n", 1)
            self._transport.write(self.answers[head.split(b" ", 2)[1]])
            if b"connection: close" in head.lower():
                self._transport.close()


def answers(folder: Path) -> dict[bytes, bytes]:
    """Returns the answer for each file of a folder."""
    found = {}
    for path in folder.glob("*.jpg"):
        body = path.read_bytes()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n"
        found[f"/{path.name}".encode()] = head.encode() + body
    return found


async def serve(folder: Path) -> None:
    """Serves until standard input ends."""
    FileHost.answers = answers(folder)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(FileHost, "127.0.0.1", 0, backlog=256)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.buffer.read)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
