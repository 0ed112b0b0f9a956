"""The whole sandbox on a free port of this machine, in a thread, and raw calls of Flickr's API."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import httpx
import uvicorn
from oauthlib.oauth1 import Client

from collectors.sandbox.connections import Connections
from collectors.sandbox.server import DEFAULT_KEY, DEFAULT_SECRET, Options, make_application
from collectors.sandbox.service_account import ServiceAccount

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FORM = "application/x-www-form-urlencoded"
SEARCH = {"method": "flickr.photos.search", "format": "json", "nojsoncallback": "1"}
BOX = {"bbox": "-123,37,-121,39", "min_taken_date": "2015-01-01"}
"""A box of some 2,000 photos with a limiting argument."""


class Reply(NamedTuple):
    """What came back over the socket."""

    status: int
    headers: dict[str, str]
    body: bytes


class Whole(NamedTuple):
    """A running sandbox."""

    url: str
    account: ServiceAccount
    client: httpx.Client

    @property
    def rest(self) -> str:
        """The address of Flickr's API."""
        return f"{self.url}/services/rest/"

    def sign(
        self,
        form: Mapping[str, str],
        *,
        key: str = DEFAULT_KEY,
        secret: str = DEFAULT_SECRET,
        address: str = "",
        **options: Any,
    ) -> tuple[dict[str, str], str]:
        """Gives the headers and the body of a signed POST, made by oauthlib."""
        client = Client(key, client_secret=secret, **options)
        _, headers, body = client.sign(
            address or self.rest, "POST", urlencode(form), {"Content-Type": FORM}
        )
        return headers, body

    def call(self, form: Mapping[str, str], **options: Any) -> httpx.Response:
        """Sends a signed call."""
        headers, body = self.sign(form, **options)
        return self.client.post(self.rest, content=body, headers=headers)

    def search(self, **changes: str) -> dict[str, Any]:
        """The content of the answer to a search, with some arguments changed or ("") left out."""
        form = {name: value for name, value in (SEARCH | BOX | changes).items() if value}
        answer: dict[str, Any] = self.call(form).json()
        return answer["photos"] if answer["stat"] == "ok" else answer

    def get(self, address: str) -> httpx.Response:
        """One file, without following where it leads."""
        return self.client.get(address)

    def exchange(
        self, method: str, path: str, body: str | None = None, headers: Mapping[str, str] = {}
    ) -> Reply:
        """One request on a connection of its own; errors of the connection are Python's own."""
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=10)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            named = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, named, answer.read())
        finally:
            connection.close()

    def post_plan(self, plan: object) -> None:
        """Says what is to go wrong from now on."""
        answer = self.client.post(f"{self.url}/_sandbox/faults", json=plan)
        assert answer.status_code == 204, answer.text

    def faults_done(self) -> dict[str, int]:
        """How often each fault happened."""
        done: dict[str, int] = self.client.get(f"{self.url}/_sandbox/faults").json()
        return done

    def token(self) -> dict[str, str]:
        """The header of a call of Earth Engine that is allowed."""
        return {"authorization": f"Bearer {self.account.issue_token(time.time())}"}


@contextmanager
def running(options: Options) -> Iterator[Whole]:
    """Runs the whole sandbox until the block ends."""
    connections = Connections()
    config = uvicorn.Config(
        app="", http=connections.protocol(), log_level="warning", ws="none", date_header=False,
        proxy_headers=False, host="127.0.0.1", port=0,
    )  # fmt: skip
    listener = config.bind_socket()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    account = ServiceAccount.create(project="sandbox", token_uri=f"{url}/token")
    config.app = make_application(options, url, account, connections)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    with httpx.Client(headers={"connection": "close"}, timeout=30, verify=False) as client:
        yield Whole(url, account, client)
    server.should_exit = True
    thread.join()
