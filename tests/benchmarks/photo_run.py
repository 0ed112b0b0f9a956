"""One measured download of a list of photos in a process of its own.

`python -m tests.benchmarks.photo_run LIST THREADS` prints a line of JSON. The list has a line of
JSON for each photo: address, width, height. Photos are fetched, checked, resized and stored as a
build does it: by several cells at a time that share the threads, in batches of the size of a
build's, each of which becomes a shard.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final
from urllib.parse import urlsplit

from PIL import Image

from collectors.photo_files import PhotoHost
from collectors.records import PhotoImage, PhotoSize
from collectors.resampling import reduce_picture
from collectors.storage import open_store
from collectors.transport import Patience, Throttle
from flows.cells.batches import Batches, Piece
from flows.cells.photo_stage import PHOTO_BATCH
from flows.cells.services import Services
from tests.collectors.photos import make_photo

CELLS: Final = 4
"""Cells in work at the same time, as in a build (`TERRAPAIR_CELLS_AT_ONCE`)."""


def main() -> None:
    """Fetches the photos of the list and stores them."""
    rows = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
    threads = int(sys.argv[2])
    reduce_picture(Image.new("RGB", (2, 2)), 1, 1)  # a build has loaded PyTorch by then
    photos = [
        make_photo(photo_id=f"{number:011d}", sizes=(PhotoSize("z", *row),))
        for number, row in enumerate(rows)
    ]
    host = PhotoHost(
        throttle=Throttle(1e6, 1.0, threads), patience=Patience(60, 0.1, 1), user_agent="terrapair",
        allowed_hosts=frozenset({urlsplit(rows[0][0]).netloc}),
    )  # fmt: skip
    none: Any = SimpleNamespace()
    with tempfile.TemporaryDirectory() as folder, host:
        store = open_store(folder)
        services = Services(
            store, none, none, host, none, none, "", ThreadPoolExecutor(threads), none
        )
        started, before = time.perf_counter(), time.process_time()

        def collect(cell: int) -> int:
            """Takes every CELLS-th batch, one after the other."""
            batches, kept = Batches(store, f"cell-{cell}", (), "key"), 0
            for start in range(cell * PHOTO_BATCH, len(photos), CELLS * PHOTO_BATCH):
                batch = photos[start : start + PHOTO_BATCH]

                def work(batch: Any = batch) -> list[Piece]:
                    found = services.in_order(services.photo_pool, host.fetch, batch)
                    assert all(isinstance(one, PhotoImage) for one in found), found
                    return [
                        Piece(photo.photo_id, {}, (f"{photo.photo_id}.jpg", one.jpeg))
                        for photo, one in zip(batch, found, strict=True)
                    ]

                kept += len(batches.run([photo.photo_id for photo in batch], work))
            return kept

        with ThreadPoolExecutor(CELLS) as cells:
            kept = sum(cells.map(collect, range(CELLS)))
        seconds, cpu = time.perf_counter() - started, time.process_time() - before
        services.photo_pool.shutdown()
    sys.stdout.write(json.dumps({
        "photos": kept, "seconds": seconds, "cpu_seconds": cpu, "requests": host.sent,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
