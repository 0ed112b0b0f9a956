"""Exports killed by the system, and the memory that they take."""

from __future__ import annotations

import json
import multiprocessing
import random
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.benchmarks.export_run import FORMS, SENSOR, export
from tests.benchmarks.lines import report
from tests.flows.exported import check_record, contents

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.runs import Run

pytestmark = pytest.mark.benchmark

KILLS = 5
"""Of each form: 20 in all."""

COPIES = (4, 16)
"""Of the dataset: what memory is compared at."""

LONGEST_S = 120.0


@pytest.fixture(scope="module")
def root(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of one cell, with the chips of the shipped size."""
    root = tmp_path_factory.mktemp("exports") / "dataset"
    run.build(root, regions=("bay",), cells=1)
    return root


@pytest.fixture(scope="module")
def processes() -> Any:
    """Makes processes that have imported what an export needs, and done nothing else."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.benchmarks.export_run"])
    return context


@pytest.mark.parametrize("form", FORMS)
def test_killed_at_random_instants(form: str, root: Path, processes: Any, tmp_path: Path) -> None:
    """SIGKILL, again and again; the last to run ends with the bytes of one never killed."""
    whole, chance = tmp_path / "whole", random.Random(f"{form}-7")

    def leg(target: Path, share: float = 1.0) -> bool:
        """Exports; kills when that share of the files that were left is there, or a bit later.

        Returns:
            Whether it came to its end before.
        """
        process = processes.Process(target=export, args=(form, str(root), str(target)))
        before = len(files(target))
        wanted = before + share * (total - before)
        deadline = time.monotonic() + LONGEST_S
        process.start()
        while process.is_alive() and (share == 1 or len(files(target)) < wanted):
            assert time.monotonic() < deadline
            process.join(0.002)
        process.join(chance.uniform(0, 0.05))
        process.kill()
        process.join(LONGEST_S)
        assert process.exitcode in {0, -signal.SIGKILL}
        return bool(process.exitcode == 0)

    total = 0
    assert leg(whole)
    total = len(files(whole))
    kills, differing, at, targets = 0, set(), [], 0
    while kills < KILLS:
        target, targets = tmp_path / f"killed-{targets}", targets + 1
        while kills < KILLS and not leg(target, chance.random()):
            kills += 1
            at.append(round(len(files(target)) / total, 2))
        assert leg(target)
        check_record(target)
        found, expected = contents(target), contents(whole)
        differing |= {
            (target.name, path)
            for path in found.keys() | expected.keys()
            if found.get(path) != expected.get(path)
        }
        shutil.rmtree(target)
    report(
        f"export_killed_differing_files_{form}", len(differing), "files", "0", kills=kills,
        exports=targets, files=total, share_of_files_there_when_killed=at,
    )  # fmt: skip
    assert not differing


def files(folder: Path) -> list[Path]:
    """Returns the files of an export that stay."""
    return [
        path for path in folder.rglob("*")
        if path.is_file() and "unfinished" not in path.parts and "#" not in path.name
    ]  # fmt: skip


def multiply(root: Path, target: Path, times: int) -> None:
    """Copies a dataset's version so often: other cells, chips and photos, and the same bytes."""
    shutil.copytree(root / "manifests", target / "manifests")
    (target / "shards").symlink_to(root / "shards")
    shutil.copy(root / "dataset.json", target)
    version = target / "manifests" / "v0001"
    manifest = json.loads((version / "manifest.json").read_text())

    def cell(name: str, number: int) -> str:
        return f"r{int(name[1:4]) - 10 * number:03d}{name[4:]}"

    for product in ("chips", "pairs", "photos"):
        for path in version.glob(f"{product}/*.parquet"):
            table = pq.read_table(path)
            with pq.ParquetWriter(path, table.schema) as writer:
                for number in range(times):
                    changed = table
                    for name in {"cell", "chip_id", "photo_id"} & set(table.column_names):
                        values = [
                            cell(one, number) if name == "cell" else f"{one}{number}"
                            for one in table[name].to_pylist()
                        ]
                        at = table.schema.get_field_index(name)
                        changed = changed.set_column(
                            at,
                            table.schema.field(at),
                            pa.array(values, table.schema.field(at).type),
                        )
                    for one in pc.unique(changed["cell"]).to_pylist():
                        writer.write_table(changed.filter(pc.equal(changed["cell"], one)))
    manifest["cells"] = {
        cell(name, number): generation
        for name, generation in manifest["cells"].items()
        for number in range(times)
    }
    (version / "manifest.json").write_text(json.dumps(manifest))


def test_export_memory(root: Path, tmp_path: Path) -> None:
    """Prints the most memory that an export of so many chips takes, and of four times as many."""
    sources = [tmp_path / f"{times}-times" for times in COPIES]
    for source, times in zip(sources, COPIES, strict=True):
        source.mkdir()
        multiply(root, source, times)
    found: dict[str, Any] = {}
    for form in FORMS:
        peaks, counts, sizes = [], [], []
        for source in sources:
            output = tmp_path / f"{form}-{source.name}"
            command = [sys.executable, "-m", "tests.benchmarks.export_run", form]
            done = subprocess.run(
                [*command, str(source), str(output)], check=True, capture_output=True, timeout=240
            )
            peaks.append(json.loads(done.stdout.splitlines()[-1])["peak_mib"])
            record = check_record(output)
            counts.append(record["counts"]["samples"])
            sizes.append(sum(one["bytes"] for one in record["files"]) / 1024**2)
            shutil.rmtree(output)
        assert counts[1] * COPIES[0] == counts[0] * COPIES[1]
        found[form] = {
            "ratio": round(peaks[1] / peaks[0], 3), "chips": counts,
            "peak_mib": [round(one) for one in peaks], "written_mib": [round(one) for one in sizes],
        }  # fmt: skip
    report(
        "export_memory", max(one["ratio"] for one in found.values()), "×",
        "about 1: memory at four times as many chips over memory at so many", sensor=SENSOR,
        **found,
    )  # fmt: skip
