"""Stopped at any operation of its storage and run again, a forgetting ends as one never stopped."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from tests.flows.forgetting_sweep import ForgettingSweep

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.flows.runs import Run


def test_a_crash_at_any_kind_of_operation_changes_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before or after one of each kind, and of those that change something several."""
    sweep = ForgettingSweep.of(run, tmp_path, monkeypatch)
    chance = random.Random(7)
    writes = [at for at, name in enumerate(sweep.operations, start=1) if name == "create"]
    deletes = [at for at, name in enumerate(sweep.operations, start=1) if name == "delete"]
    assert len(writes) >= 10
    assert len(deletes) >= 8
    chosen = [*chance.sample(writes, 3), *chance.sample(deletes, 2)]
    for kind in sorted({"read", "list", "read_range", "exists"} & set(sweep.operations)):
        numbers = [at for at, name in enumerate(sweep.operations, start=1) if name == kind]
        chosen.append(chance.choice(numbers))
    for number, at in enumerate(chosen):
        sweep.crash(at, after=number % 2 == 0)
