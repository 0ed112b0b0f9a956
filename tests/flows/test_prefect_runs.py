"""What whoever gives the command sees when Prefect's server does not answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from collectors.transport import SetupError
from flows import prefect_flows
from flows.prefect_runs import run_with_prefect
from flows.prefect_surroundings import settle_prefect
from flows.runs.building import SilentWatcher
from flows.runs.running import SURROUNDINGS, RunFailedError, Surroundings, Task
from flows.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOBODY = httpx.ConnectError("nobody there")


class Lines(SilentWatcher):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def line(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Any, list[str]]]:
    """Runs a flow that comes to an outcome, or to none, and then ends with an error."""
    # Set here, so that what the command sets for Prefect is undone with it.
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    for name in ("LOGGING_LEVEL", "LOGGING_INTERNAL_LEVEL", "LOGGING_TO_API_ENABLED"):
        monkeypatch.setenv(f"PREFECT_{name}", "CRITICAL" if "LEVEL" in name else "false")

    def run_one(error: Exception, outcome: dict[str, Any] | None) -> tuple[Any, list[str]]:
        def flow(**_: Any) -> None:
            around = SURROUNDINGS.get()
            assert around is not None
            around.outcome = outcome
            raise error

        monkeypatch.setattr(prefect_flows, "build", flow)
        lines = Lines()
        return run_with_prefect(
            Task("build", "d"), Surroundings(read_settings(), lines)
        ), lines.said

    return run_one


@pytest.mark.parametrize(
    "error", [NOBODY, RuntimeError("Failed to reach API at http://127.0.0.1:9/api/")], ids=repr
)
def test_a_server_that_is_not_there_is_said(error: Exception, run: Callable[..., Any]) -> None:
    """The run does not begin; the remedy names the variable."""
    with pytest.raises(SetupError, match="the server at PREFECT_API_URL runs"):
        run(error, None)


def test_a_run_that_is_done_needs_no_server(run: Callable[..., Any]) -> None:
    """The outcome is there, and a line says what is missing."""
    outcome, said = run(NOBODY, {"cells": {"committed": 2}})
    assert outcome == {"cells": {"committed": 2}}
    assert "Prefect's server went away (ConnectError)" in said[-1]


def test_cells_that_failed_are_told_without_a_server_too(run: Callable[..., Any]) -> None:
    """A server that went away does not make a run look better than it was."""
    with pytest.raises(RunFailedError, match="1 cell failed"):
        run(NOBODY, {"cells": {"committed": 1, "failed": 1}})


def test_other_trouble_comes_out_as_it_is(run: Callable[..., Any]) -> None:
    """Nothing else is taken for a server that is away."""
    with pytest.raises(RuntimeError, match="made up"):
        run(RuntimeError("made up"), None)


def test_a_home_that_cannot_be_written_is_said_before_the_server_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its server would die for minutes, with a traceback each time; one that answers needs none."""
    (tmp_path / "file").write_text("")
    home = tmp_path / "file" / "prefect"
    monkeypatch.setattr("os.environ", {"PREFECT_HOME": str(home)})
    with pytest.raises(SetupError, match="Set PREFECT_HOME to a folder that can") as caught:
        settle_prefect()
    assert str(home) in str(caught.value)
    monkeypatch.setattr(
        "os.environ", {"PREFECT_HOME": str(home), "PREFECT_API_URL": "http://127.0.0.1:9/api"}
    )
    settle_prefect()
