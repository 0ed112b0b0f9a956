"""An S3 server on loopback, moto's, that can be told to refuse or to be away for a while."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Self

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class S3Server:
    """The server; one bucket for each of them.

    Attributes:
        judge: Chooses the status of a request by its method and path; None for the real answer.
        asked: Method and path of every request.
        heeds_conditions: Whether it honours `If-None-Match`.
    """

    _made = 0

    def __init__(self) -> None:
        """Makes the server; it answers from `with` on."""
        S3Server._made += 1
        self.bucket = f"bucket-{S3Server._made}"  # moto's buckets are those of the process
        self.judge: Callable[[str, str], int | None] = lambda _method, _path: None
        self.asked: list[tuple[str, str]] = []
        self.heeds_conditions = True
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead obstore here."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._server.server_port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "made-up-id",
            "AWS_SECRET_ACCESS_KEY": "made-up-secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    @property
    def options(self) -> dict[str, str]:
        """The same, by obstore's names."""
        names = {"AWS_ENDPOINT_URL": "endpoint", "AWS_ACCESS_KEY_ID": "access_key_id",
                 "AWS_SECRET_ACCESS_KEY": "secret_access_key",
                 "AWS_DEFAULT_REGION": "region"}  # fmt: skip
        return {names[one]: text for one, text in self.environment.items() if one in names}

    def __enter__(self) -> Self:
        """Begins to answer, and makes the bucket."""
        import httpx

        self._thread.start()
        bucket = f"{self.environment['AWS_ENDPOINT_URL']}/{self.bucket}"
        try:
            # The first request loads moto's S3, which takes its time where others work as well.
            httpx.put(bucket, timeout=60).raise_for_status()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Ends."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        self.asked.append((method, path))
        status = self.judge(method, path)
        if not self.heeds_conditions:
            environ.pop("HTTP_IF_NONE_MATCH", None)
        if status is None:
            answer: Iterable[bytes] = self._moto(environ, start)
            return answer
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        code = {403: "AccessDenied", 503: "SlowDown"}[status]
        start(f"{status} {code}", [("Content-Type", "application/xml")])
        return [f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()]
