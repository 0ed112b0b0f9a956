"""As much of S3's protocol as the storage uses, in memory and on loopback."""

from __future__ import annotations

import hashlib
import re
import threading
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

DENIED = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"


class ObjectServer:
    """A server of one bucket; a conditional PUT is decided under a lock, as S3 does."""

    def __init__(self, *, refusing: bool = False) -> None:
        self.objects: dict[str, bytes] = {}
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None: ...

            def _send(self, status: int, body: bytes = b"", **headers: str) -> None:
                self.send_response(status)
                headers.setdefault("Content_Length", str(len(body)))
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def _key(self) -> str:
                return unquote(urlsplit(self.path).path).removeprefix("/bucket/")

            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if refusing:
                    return self._send(403, DENIED)
                with outer._lock:
                    if self.headers.get("If-None-Match") == "*" and self._key() in outer.objects:
                        return self._send(412, b"<Error><Code>PreconditionFailed</Code></Error>")
                    outer.objects[self._key()] = body
                return self._send(200, ETag=_etag(body))

            def do_DELETE(self) -> None:
                with outer._lock:
                    outer.objects.pop(self._key(), None)
                self._send(204)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                keys = re.findall(r"<Key>(.*?)</Key>", body)
                with outer._lock:
                    for key in keys:
                        outer.objects.pop(unquote(key), None)
                deleted = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
                self._send(200, f"<DeleteResult>{deleted}</DeleteResult>".encode())

            def do_GET(self) -> None:
                if refusing:
                    return self._send(403, DENIED)
                query = parse_qs(urlsplit(self.path).query)
                if "list-type" in query:
                    return self._send(200, outer._listing(query.get("prefix", [""])[0]))
                data = outer.objects.get(self._key())
                if data is None:
                    return self._send(404, b"<Error><Code>NoSuchKey</Code></Error>")
                headers = {"ETag": _etag(data), "Last_Modified": formatdate(0, usegmt=True)}
                match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
                if match is None:
                    return self._send(200, data, Content_Length=str(len(data)), **headers)
                first = int(match[1])
                if first >= len(data):
                    return self._send(416, b"<Error><Code>InvalidRange</Code></Error>")
                part = data[first : int(match[2]) + 1 if match[2] else None]
                headers["Content_Range"] = f"bytes {first}-{first + len(part) - 1}/{len(data)}"
                return self._send(206, part, **headers)

            do_HEAD = do_GET  # noqa: N815 (the name that the library calls)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def options(self) -> dict[str, str]:
        """Settings under which obstore asks this server for everything."""
        return {
            "endpoint": f"http://127.0.0.1:{self._server.server_address[1]}",
            "access_key_id": "key",
            "secret_access_key": "secret",
            "region": "us-east-1",
        }

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _listing(self, prefix: str) -> bytes:
        with self._lock:
            found = sorted((k, v) for k, v in self.objects.items() if k.startswith(prefix))
        entries = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>1970-01-01T00:00:00.000Z"
            f"</LastModified><ETag>{_etag(data)}</ETag><Size>{len(data)}</Size></Contents>"
            for key, data in reversed(found)
        )
        return (
            f"<ListBucketResult><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(found)}</KeyCount>"
            f"<IsTruncated>false</IsTruncated>{entries}</ListBucketResult>"
        ).encode()


def _etag(data: bytes) -> str:
    return f'"{hashlib.md5(data).hexdigest()}"'
