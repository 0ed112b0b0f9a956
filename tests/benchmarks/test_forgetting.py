"""What a forgetting costs, and that it may be stopped anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.benchmarks.lines import report
from tests.flows.forgetting_sweep import ForgettingSweep

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.runs import Run

pytestmark = pytest.mark.benchmark


def test_crash_at_every_operation(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before and after every single one; what comes of it is what comes of no crash."""
    sweep = ForgettingSweep.of(run, tmp_path, monkeypatch)
    for at in range(1, len(sweep.operations) + 1):
        for after in (False, True):
            sweep.crash(at, after=after)
    crashes = 2 * len(sweep.operations)
    report("forget_crashes", crashes, "crashes", "each ends as if there had been none")
