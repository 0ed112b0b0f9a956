"""What Prefect's pages show of a run: seldom, nothing secret, and never in its way."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx
import pytest

from flows.cells.orders import Summary
from flows.runs import artifacts
from flows.runs.artifacts import STEPS, RunProgress, funnel_rows, show_outcome
from flows.runs.run_report import as_json

ARTIFACT = UUID(int=1)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The shares that a lasting server was told, in per cent."""
    shares: list[float] = []

    def create(progress: float, **_: Any) -> UUID:
        shares.append(progress)
        return ARTIFACT

    def update(_artifact: UUID, progress: float, **_: Any) -> None:
        shares.append(progress)

    monkeypatch.setattr(artifacts, "has_lasting_server", lambda: True)
    monkeypatch.setattr(artifacts, "create_progress_artifact", create)
    monkeypatch.setattr(artifacts, "update_progress_artifact", update)
    return shares


@pytest.mark.parametrize(("cells", "times"), [(1, 2), (7, 8), (1000, STEPS + 1)])
def test_progress_is_told_a_few_times_and_to_the_end(
    told: list[float], cells: int, times: int
) -> None:
    """It grows from 0 to 100, in no more steps than there may be, however many cells there are."""
    progress = RunProgress(cells)
    for number in range(cells):
        progress.finish(f"cell{number}")
    assert told == sorted(set(told))
    assert (told[0], told[-1], len(told)) == (0, 100, times)


def test_a_server_that_went_away_is_not_asked_again(
    told: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run goes on, and is not held up at every cell."""
    asked = []

    def fail(*_: Any, **__: Any) -> None:
        asked.append(1)
        raise httpx.ConnectError("nobody there")

    monkeypatch.setattr(artifacts, "update_progress_artifact", fail)
    progress = RunProgress(10)
    for number in range(10):
        progress.finish(f"cell{number}")
    assert (len(asked), told) == (1, [0])
    monkeypatch.setattr(artifacts, "create_progress_artifact", fail)
    RunProgress(10).finish("cell0")
    assert len(asked) == 2


def test_a_run_with_a_temporary_server_tells_nothing(
    told: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody could look at it afterwards."""
    monkeypatch.setattr(artifacts, "has_lasting_server", lambda: False)
    RunProgress(1).finish("cell0")
    show_outcome({})
    assert told == []


def test_the_table_is_the_outcome() -> None:
    """Each count of the outcome is a row, once; what could not be counted is none."""
    summary = Summary(seen=7, screened=5, kept=3, paired=2, flickr_calls=4)
    summary.cells["committed"] = 2
    summary.reasons["judge: indoor"] = 2
    rows = funnel_rows(as_json(summary, None, new=False, root="dataset"))
    assert {"part": "cells", "what": "committed", "count": 2} in rows
    assert {"part": "photos", "what": "seen", "count": 7} in rows
    assert {"part": "left out", "what": "judge: indoor", "count": 2} in rows
    assert {"part": "requests", "what": "flickr", "count": 4} in rows
    assert len({(row["part"], row["what"]) for row in rows}) == len(rows)
    assert all(isinstance(row["count"], int) for row in rows)
