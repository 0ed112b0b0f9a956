"""Stopped at any operation of its storage and started again, a build ends as one never stopped."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from tests.flows.power_cuts import CrashSweep

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.flows.runs import Run


def test_a_crash_at_any_kind_of_operation_changes_nothing(
    run: Run, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before or after one of each kind; `make bench NAME=crash` does so at every single one."""
    sweep = CrashSweep(run, tiny, tmp_path, monkeypatch, regions=("bay",), cells=1)
    kinds = sorted(set(sweep.operations))
    assert {"create", "delete", "list", "read", "read_range", "replace"} <= set(kinds)
    chance = random.Random(3)
    for number, kind in enumerate(kinds):
        numbers = [at for at, name in enumerate(sweep.operations, start=1) if name == kind]
        sweep.crash(chance.choice(numbers), after=number % 2 == 1)
    # The commit itself: what it names is written, and the way to it still lies there.
    commit = max(at for at, name in enumerate(sweep.operations, start=1) if name == "create") - 1
    for after in (False, True):
        sweep.crash(commit, after=after)
