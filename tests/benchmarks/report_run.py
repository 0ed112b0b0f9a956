"""Writes a report in a process of its own, and prints how long it took and what memory it had."""

from __future__ import annotations

import hashlib
import json
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.report import writing
from flows.report.pictures import draw
from tests.benchmarks.placement_run import peak_gb

if TYPE_CHECKING:
    from collections.abc import Callable

    from collectors.storage import Store
    from flows.report.pictures import Picture


def draw_whatever_lies_there(store: Store, picture: Picture) -> bytes:
    """Draws a picture of a generated dataset, whose shards all hold the same bytes."""
    data = store.read_range(picture.shard, picture.offset, picture.size)
    return draw(store, replace(picture, sha256=hashlib.sha256(data).hexdigest()))


def main(root: str, output: str) -> None:
    """Writes the report and prints a line of JSON, with the second at which each part began."""
    begun = time.monotonic()
    began: dict[str, float] = {}

    def tell(what: str, _done: int, _of: int) -> None:
        began.setdefault(what, round(time.monotonic() - begun, 1))

    replaced: Callable[..., Any] = draw_whatever_lies_there
    writing.draw = replaced
    written = writing.write_report(root, Path(output), version=None, pairs=240, progress=tell)
    seconds = time.monotonic() - begun
    used = resource.getrusage(resource.RUSAGE_SELF)
    sys.stdout.write(json.dumps({
        "seconds": seconds, "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_gb": peak_gb() * 2**30 / 1e9, "began": began, **written.as_json(),
    }))  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
