"""Looking at a dataset of a million photos, and publishing it.

A large dataset is made first, which takes minutes; TERRAPAIR_LARGE_DATASET names one that is there
(`python -m tests.benchmarks.large_dataset ROOT --publish`).
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from rich.console import Console

from flows.inspection.chip_story import show_chip
from flows.inspection.occurrences import find_occurrences
from flows.inspection.overview import show_overview
from flows.inspection.photo_story import show_photo
from flows.inspection.rows_view import Shape, show_rows
from flows.inspection.selection import Selection, area_of_box
from flows.inspection.version_query import open_version
from tests.benchmarks.large_dataset import make_large_dataset
from tests.benchmarks.lines import report
from tests.flows.runs import SHIPPED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.benchmark

PHOTOS: Final = 1_000_000
ROOT: Final = Path(__file__).resolve().parents[2]
BOX: Final = (7.0, 45.0, 8.0, 46.0)
ROUNDS: Final = 3

PUBLISH: Final = """
import json, resource, sys, time
from pathlib import Path
from collectors.storage import open_store
from flows.catalogue.catalogue import load_catalogue
from flows.publishing.publish import publish
from tests.benchmarks.placement_run import peak_gb
begun = time.perf_counter()
version, _ = publish(open_store(sys.argv[1]), load_catalogue(Path(sys.argv[2])), 0)
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"seconds": time.perf_counter() - begun, "peak_gib": peak_gb(),
                  "cpu_seconds": used.ru_utime + used.ru_stime,
                  "rows": {one: version.rows(one) for one in version.manifest["tables"]}}))
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A dataset of a million photos, published in a process of its own, which is measured."""
    there = os.environ.get("TERRAPAIR_LARGE_DATASET")
    if there is not None:
        yield there
        return
    root = tmp_path_factory.mktemp("large") / "dataset"
    make_large_dataset(root, photos=PHOTOS)
    done = subprocess.run(
        [sys.executable, "-c", PUBLISH, str(root), str(SHIPPED)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    report(
        "publish_peak_gb_1m", round(found["peak_gib"] * 2**30 / 1e9, 2), "GB", "under 2",
        seconds=round(found["seconds"]), cpu_seconds=round(found["cpu_seconds"]),
        rows=found["rows"],
    )  # fmt: skip
    yield str(root)


def timed(what: Callable[[Console], None]) -> dict[str, float]:
    """Returns the seconds of the first and of the best of some rounds."""
    seconds = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        what(Console(file=io.StringIO(), width=100))
        seconds.append(time.perf_counter() - begun)
    return {"first": round(seconds[0], 3), "best": round(min(seconds), 3)}


def whole_command(*arguments: str) -> float:
    """Returns the seconds of a command from its start, with Python and its imports."""
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "flows", *arguments], cwd=ROOT, capture_output=True, check=True
    )
    return round(time.perf_counter() - begun, 2)


def nothing_but_python() -> float:
    """Returns the seconds of `--version`-like work: Python, and what every command imports."""
    begun = time.perf_counter()
    code = "import flows.command_line, flows.inspection.photo_story, flows.inspection.overview"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    return round(time.perf_counter() - begun, 2)


def test_catalog(large: str) -> None:
    """Regions, versions and shards."""
    found = timed(lambda console: show_overview(console, large, SHIPPED, as_json=False))
    report(
        "catalog_seconds_1m", found["best"], "s", "under 1", **found,
        whole_command_s=whole_command("catalog", "--root", large), imports_s=nothing_but_python(),
    )  # fmt: skip


def test_box_query(large: str) -> None:
    """Rows in a box of one by one degree, of each product, by --bbox and by --where."""
    where = f"lon BETWEEN {BOX[0]} AND {BOX[2]} AND lat BETWEEN {BOX[1]} AND {BOX[3]}"
    asked = {
        "where": Selection("photos", where=where),
        **{
            product: Selection(product, areas=(area_of_box(*BOX),))
            for product in ("photos", "rejects", "chips", "pairs")
        },
    }
    found = {
        name: timed(lambda console, one=one: show_rows(console, large, one, Shape(), as_json=False))
        for name, one in asked.items()
    }
    report(
        "box_query_seconds_1m", max(one["best"] for one in found.values()), "s", "under 2",
        **found, imports_s=nothing_but_python(),
        whole_command_s=whole_command(
            "catalog", "show", "photos", "--root", large, "--where", where
        ),
    )  # fmt: skip


def test_photo_story(large: str) -> None:
    """A kept photo, a rejected one and a chip; and all of one owner, for comparison."""
    with open_version(large) as (_, base):
        kept, owner = base.execute(
            "SELECT photo_id, owner FROM photos LIMIT 1 OFFSET 500000"
        ).fetchall()[0]
        (rejected,) = base.execute(
            "SELECT photo_id FROM rejects LIMIT 1 OFFSET 5000000"
        ).fetchall()[0]
        (chip,) = base.execute(
            "SELECT chip_id FROM chips WHERE outcome = 'kept' LIMIT 1 OFFSET 150000"
        ).fetchall()[0]  # fmt: skip
    found = {
        "kept": timed(lambda console: show_photo(console, large, kept, None, as_json=False)),
        "rejected": timed(
            lambda console: show_photo(console, large, rejected, None, as_json=False)
        ),
    }
    more = {
        "chip": timed(lambda console: show_chip(console, large, chip, None, as_json=False)),
        "owner_in_all_versions": timed(lambda _: find_occurrences(large, "owner", owner)),
    }  # fmt: skip
    report(
        "photo_story_seconds_1m", max(one["best"] for one in found.values()), "s", "under 1",
        **found, **more, imports_s=nothing_but_python(),
        whole_command_s=whole_command("catalog", "photo", kept, "--root", large),
    )  # fmt: skip
