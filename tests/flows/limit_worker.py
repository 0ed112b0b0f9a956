"""A process that calls Flickr and Earth Engine as often as its limits let it; started by tests.

Settings come from the environment. It prints `ready`, calls from the line `go` on its standard
input until that ends, gives its slots back, and prints how many calls it made.
"""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

import ee

from collectors.earth_engine import EarthEngine
from collectors.flickr import Flickr
from collectors.transport import TroubleRemains
from flows.limits.limits import open_limits
from flows.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable


def main(wanted: str) -> None:
    """Calls what is wanted: `flickr`, `ee` or both."""
    settings = read_settings()
    limits = open_limits(settings, lambda line: print(line, file=sys.stderr, flush=True))  # noqa: T201
    made: Counter[str] = Counter()
    ended = threading.Event()
    key, secret = settings.flickr_login()
    flickr = Flickr(
        key, secret, url=settings.flickr_url, throttle=limits.flickr, patience=settings.patience
    )
    calls: list[tuple[str, Callable[[], object]]] = []
    if "flickr" in wanted:
        calls += [("flickr", flickr.check)] * 2
    if "ee" in wanted:
        client = EarthEngine.connect(
            project=settings.earth_engine_project_name(),
            credentials=settings.earth_engine_credentials(),
            url=settings.earth_engine_url,
            throttle=limits.earth_engine,
            patience=settings.patience,
        )
        session, number = client._session, ee.Number(1)
        calls += [
            ("ee", lambda: session.send("a number", lambda: ee.data.computeValue(number)))
        ] * settings.earth_engine_connections

    def call(kind: str, one: Callable[[], object]) -> None:
        with suppress(TroubleRemains):
            while not ended.is_set():
                one()
                made[kind] += 1

    print("ready", flush=True)  # noqa: T201
    sys.stdin.readline()
    threads = [threading.Thread(target=call, args=one, daemon=True) for one in calls]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    ended.set()
    limits.close()
    print(json.dumps(made), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1])
