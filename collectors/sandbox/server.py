"""Both services, the weights and the counters as one application on one port of this machine."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio.to_thread
import uvicorn
from starlette.applications import Starlette
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from collectors.sandbox import earth_engine, flickr
from collectors.sandbox.answer_cache import AnswerCache
from collectors.sandbox.clock import read_clock
from collectors.sandbox.connections import Connections
from collectors.sandbox.controls import FaultChanger, Meter, change_photos, reset
from collectors.sandbox.fault_layer import FaultLayer
from collectors.sandbox.faults import FaultPlan, Faults
from collectors.sandbox.landcover import Landcover
from collectors.sandbox.limits import REAL_LIMITS, Limits
from collectors.sandbox.people import People
from collectors.sandbox.pictures import Pictures
from collectors.sandbox.scenes import SceneWorld
from collectors.sandbox.service_account import ServiceAccount
from collectors.sandbox.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.requests import Request
    from starlette.types import ASGIApp

HOST: Final = "127.0.0.1"
PROJECT: Final = "sandbox"
DEFAULT_KEY: Final = "0123456789abcdef0123456789abcdef"
DEFAULT_SECRET: Final = "0123456789abcdef"
# As many as Earth Engine serves at once for one project.
_THREADS: Final = 40
_GRACE_SECONDS: Final = 2
_NO_NAMES: Final = frozenset({"", ".", ".."})


@dataclass(frozen=True, slots=True)
class Options:
    """What the sandbox is started with.

    Attributes:
        seed: of the world.
        photos: a file of photos in place of the made-up ones.
        scenes: a file or folder of scenes in place of the made-up ones.
        weights: a file or folder that is served; it may come to be after the start.
        port: 0 for any free one.
        key: the photo service's API key, letters and digits.
        secret: its secret.
        beyond_limit: what a search answers after its first 4,000 results.
        limits: what Earth Engine refuses.
        awkward: share of photos with an awkward file, of awkward titles, and of flooded places.
        plan: what is to go wrong.
        prerendered: whether Earth Engine's pixels are made beforehand and show no place.
        keep_bytes: of photos' files and of pixels that are kept on disk once they were made.
    """

    seed: int = 0
    photos: Path | None = None
    scenes: Path | None = None
    weights: Path | None = None
    port: int = 0
    key: str = field(default=DEFAULT_KEY, repr=False)
    secret: str = field(default=DEFAULT_SECRET, repr=False)
    beyond_limit: flickr.BeyondLimit = "repeat"
    limits: Limits = REAL_LIMITS
    awkward: float = 0.0
    plan: FaultPlan = field(default_factory=FaultPlan)
    prerendered: bool = False
    keep_bytes: int = 0


def make_application(
    options: Options, url: str, account: ServiceAccount, connections: Connections
) -> ASGIApp:
    """Puts the services together.

    Args:
        options: what the sandbox is started with.
        url: scheme, host and port at which it will be reached.
        account: the account that Earth Engine knows.
        connections: those of the server that will serve the application.

    Returns:
        The application.

    Raises:
        ValueError: when a file of photos or scenes cannot be used.
        FileNotFoundError: when there is none.
    """
    meter = Meter()
    traffic = Traffic(time.monotonic)
    faults = Faults(options.plan, time.monotonic)
    landcover = Landcover(options.seed)
    kept = AnswerCache(options.keep_bytes)
    people = People(options.seed, options.photos, awkward=options.awkward)
    world = SceneWorld(options.seed, landcover, options.scenes)
    routes: list[BaseRoute] = [
        *flickr.routes(
            people,
            Pictures(options.seed, landcover, kept),
            base_url=lambda: url,
            key=options.key,
            secret=options.secret,
            meter=meter.count,
            beyond_limit=options.beyond_limit,
            awkward=options.awkward,
            now=read_clock,
            close=connections.close,
        ),
        Route("/_sandbox/health", lambda _: JSONResponse({"status": "ok"})),
        Route("/_sandbox/counts", lambda _: JSONResponse(meter.read())),
        Route("/_sandbox/traffic", traffic.answer),
        Route("/_sandbox/reset", partial(reset, meter, traffic), methods=["POST"]),
        Route("/_sandbox/faults", lambda _: JSONResponse(faults.done()), methods=["GET"]),
        Route(
            "/_sandbox/faults",
            FaultChanger(faults, options.plan.latency_s).change,
            methods=["POST"],
        ),
        Route("/_sandbox/photos", partial(change_photos, people), methods=["POST"]),
        Route("/weights/{name}", lambda request: _serve_weights(options.weights, request)),
        *earth_engine.routes(
            world,
            project=PROJECT,
            meter=meter.count,
            now=read_clock,
            account=account,
            limits=options.limits,
            prerendered=options.prerendered,
            kept=kept,
        ),
    ]
    services = Starlette(routes=routes, lifespan=_widen_thread_pool)
    return FaultLayer(services, faults, meter.count, traffic, connections)


def announce(options: Options, url: str, account: ServiceAccount) -> dict[str, Any]:
    """Gives what whoever started the sandbox has to know.

    Args:
        options: what it was started with.
        url: scheme, host and port.
        account: the account that Earth Engine knows.

    Returns:
        Plain values, for JSON.
    """
    weights = options.weights
    name = "" if weights is None or weights.is_dir() or not weights.suffix else weights.name
    return {
        "url": url,
        "flickr_url": f"{url}/services/rest/",
        "photo_host": url.removeprefix("http://"),
        "earth_engine_url": url,
        "project": PROJECT,
        "flickr_key": options.key,
        "flickr_secret": options.secret,
        "service_account": account.document(),
        "weights_url": f"{url}/weights/{name}",
    }


def serve(options: Options, *, with_parent: bool = False) -> None:
    """Serves until it is told to stop; writes one line of JSON to stdout when it is ready.

    Args:
        options: what the sandbox is started with.
        with_parent: whether to end when stdin is closed, as it is when the parent has died.

    Raises:
        OSError: when the port is in use.
        ValueError: when a file of photos or scenes cannot be used.
        FileNotFoundError: when there is none.
    """
    listener = _listen(options.port)
    url = f"http://{HOST}:{listener.getsockname()[1]}"
    account = ServiceAccount.create(project=PROJECT, token_uri=f"{url}/token")
    connections = Connections()
    config = uvicorn.Config(
        make_application(options, url, account, connections),
        http=connections.protocol(),
        proxy_headers=False,
        date_header=False,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    server = _AnnouncingServer(config, json.dumps(announce(options, url, account)))
    if with_parent:
        threading.Thread(target=_end_with_parent, args=(server,), daemon=True).start()
    server.run(sockets=[listener])


class _AnnouncingServer(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, line: str) -> None:
        super().__init__(config)
        self._line = line

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            sys.stdout.write(self._line + "\n")
            sys.stdout.flush()


def _listen(port: int) -> socket.socket:
    # asyncio switches Nagle's algorithm off only where the protocol is named; with it, every answer
    # on a kept connection waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise OSError(
            error.errno,
            f"cannot listen on {HOST}:{port} ({error.strerror}); "
            "choose another --port, or 0 for any free one",
        ) from error
    listener.listen(128)
    return listener


def _end_with_parent(server: uvicorn.Server) -> None:
    # Reading ends when the other end is closed, by stop() or by the parent's death.
    while sys.stdin.buffer.read(1024):
        pass
    server.should_exit = True
    time.sleep(2 * _GRACE_SECONDS)
    os._exit(1)


@asynccontextmanager
async def _widen_thread_pool(application: Starlette) -> AsyncIterator[None]:  # noqa: ARG001
    anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
    yield


def _serve_weights(weights: Path | None, request: Request) -> Response:
    """Serves the file, or a file of the folder; in parts, too, when asked for a range."""
    name = request.path_params["name"]
    if weights is None or name in _NO_NAMES or "\\" in name or "\0" in name:
        return Response(status_code=404)
    path = weights / name if weights.is_dir() else weights
    if path.name != name or not path.is_file():
        return Response(status_code=404)
    return FileResponse(path, media_type="application/octet-stream")
