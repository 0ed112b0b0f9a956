"""Exports killed by the system."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.benchmarks.lines import report
from tests.flows.exported import check_record, contents

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.runs import Run

pytestmark = pytest.mark.benchmark


def command(root: Path, target: Path, *more: str) -> list[str]:
    """Returns the command that exports GeoTIFFs."""
    return [sys.executable, "-m", "flows", "export", "geotiff", "--root", str(root),
            "--output", str(target), "--split", "val", *more]  # fmt: skip


def test_a_process_killed_by_the_system_is_gone_on_with(run: Run, tmp_path: Path) -> None:
    """SIGKILL at two instants; the same command ends with the bytes of one never killed."""
    root, target, whole = tmp_path / "dataset", tmp_path / "target", tmp_path / "whole"
    run.build(root)
    subprocess.run(command(root, whole), check=True, stdout=subprocess.DEVNULL)
    total = len(list(whole.glob("*/*/*.tif")))
    for share in (0.2, 0.8):
        with subprocess.Popen(command(root, target), stdout=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + 240
            while len(list(target.glob("*/*/*.tif"))) < share * total:
                assert time.monotonic() < deadline
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.05)
                    pytest.fail("it ended before it could be killed")
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
        assert not (target / "export.json").exists()
    left = next(target.glob("*/*/*.tif"))
    shutil.copy(left, left.with_name(f"{left.name}#1"))  # as obstore leaves it
    done = subprocess.run(command(root, target, "--json"), check=True, capture_output=True)
    different = {
        path for path, data in contents(target).items() if data != contents(whole).get(path)
    }
    assert contents(target).keys() == contents(whole).keys()
    check_record(target)
    report("export_killed_differing_files", len(different), "files", "0", kills=2,
           files=json.loads(done.stdout)["files"] + 1)  # fmt: skip
    assert not different
