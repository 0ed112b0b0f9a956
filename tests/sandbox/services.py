"""The Earth Engine stand-in on a free port of this machine, and raw requests to it."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import uvicorn
from starlette.applications import Starlette

from collectors.sandbox.earth_engine import routes
from collectors.sandbox.limits import REAL_LIMITS
from collectors.sandbox.service_account import ServiceAccount
from tests import plain_http

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from collectors.sandbox.answer_cache import AnswerCache
    from collectors.sandbox.limits import Limits
    from collectors.sandbox.scenes import SceneWorld

PROJECT = "sandbox"
PUBLIC = "projects/earthengine-public/assets"


class Service(NamedTuple):
    """A running service."""

    url: str
    account: ServiceAccount
    world: SceneWorld

    def send(
        self, method: str, path: str, body: object = None, *, token: str | None = "valid"
    ) -> httpx.Response:
        """Sends a request without the client library; `path` is what follows /v1/."""
        headers = {"content-type": "application/json"}
        if token == "valid":
            token = self.account.issue_token(time.time())
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        content = None if body is None else json.dumps(body)
        address = f"{self.url}/v1/{path}"
        return plain_http.request(method, address, content=content, headers=headers, timeout=60)

    def compute(self, expression: dict[str, Any]) -> httpx.Response:
        """Sends value:compute."""
        return self.send("POST", f"projects/{PROJECT}/value:compute", {"expression": expression})

    def pixels(self, asset_id: str, body: dict[str, Any]) -> httpx.Response:
        """Sends getPixels."""
        return self.send("POST", f"{PUBLIC}/{asset_id}:getPixels", body)


@contextmanager
def running(
    world: SceneWorld,
    *,
    limits: Limits = REAL_LIMITS,
    now: Callable[[], float] = time.time,
    prerendered: bool = False,
    kept: AnswerCache | None = None,
) -> Iterator[Service]:
    """Runs the routes over a world until the block ends."""
    server = uvicorn.Server(
        uvicorn.Config(Starlette(), host="127.0.0.1", port=0, log_level="warning", ws="none")
    )
    socket = server.config.bind_socket()
    url = f"http://127.0.0.1:{socket.getsockname()[1]}"
    account = ServiceAccount.create(project=PROJECT, token_uri=f"{url}/token")
    server.config.app = Starlette(
        routes=routes(
            world,
            project=PROJECT,
            meter=lambda _: None,
            now=now,
            account=account,
            limits=limits,
            prerendered=prerendered,
            kept=kept,
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    yield Service(url, account, world)
    server.should_exit = True
    thread.join()


def message_of(response: httpx.Response, status: int) -> str:
    """The message of a refusal, after a look at its form."""
    assert response.status_code == status, response.text[:500]
    error = response.json()["error"]
    assert error["code"] == status
    assert isinstance(error["status"], str)
    text = error["message"]
    assert isinstance(text, str)
    return text
