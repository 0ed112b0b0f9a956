"""What commands show while they work."""

from __future__ import annotations

import logging
from collections import Counter
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from rich.console import Console
from typer.testing import CliRunner

from flows.cells.orders import Summary
from flows.command_line import app
from flows.commands.display import showing
from flows.runs.building import failed
from flows.runs.progress import FlowLog

if TYPE_CHECKING:
    from pathlib import Path

TERMINAL = {"TTY_COMPATIBLE": "1", "TERM": "xterm-256color", "COLUMNS": "100"}
"""What tells rich that somebody looks."""


def _shown(steps: list[tuple[str, int, int]], *, terminal: bool) -> str:
    sink = StringIO()
    console = Console(file=sink, force_terminal=terminal, width=100, color_system=None)
    with showing(console) as progress:
        for step in steps:
            progress(*step)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("steps", "seen"),
    [
        ([("rows in [b].csv", done, 7) for done in range(8)], ["rows in [b].csv", "7/7"]),
        ([("cells", 3, 3), ("counting", 0, 0)], ["counting", "0/?"]),
        ([("counting", 0, 0), ("cells", 1, 3)], ["cells", "1/3"]),
    ],
)
def test_the_last_step_is_shown(steps: list[tuple[str, int, int]], seen: list[str]) -> None:
    """However fast steps follow one another; texts are texts, and an unknown whole is none."""
    frames = _shown(steps, terminal=True).rpartition("\n")[0]
    last = frames.rpartition("\x1b[2K")[2]
    assert [one for one in seen if one not in last] == []


def test_nothing_is_shown_where_nobody_looks() -> None:
    """A log gets no bars."""
    assert _shown([("cells", 1, 2)], terminal=False) == ""


def test_the_log_of_a_flow_run_says_why_a_cell_failed(caplog: pytest.LogCaptureFixture) -> None:
    """Prefect's own line says only that its task has come to its end."""
    caplog.set_level(logging.INFO)
    watcher = FlowLog(logging.getLogger("terrapair"))
    watcher.begin(2)
    watcher.step("r001c001", "photos", 3)
    watcher.finish("r001c001", Summary(seen=5, kept=3, cells=Counter(committed=1)))
    watcher.finish("r001c002", failed("r001c002", "Flickr: 100 % silent"))
    none = "0 photos seen, 0 kept, 0 chips"
    assert [(one.levelname, one.message) for one in caplog.records] == [
        ("INFO", "2 cells to do"),
        ("INFO", "cell r001c001 committed (1/2): 5 photos seen, 3 kept, 0 chips"),
        ("WARNING", f"cell r001c002 failed (2/2): {none}: Flickr: 100 % silent"),
    ]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["verify"], ["files checked", "cells checked"]),
        (["sweep"], ["commits read"]),
        (["catalog", "show", "rejects", "--export", "rows.csv"], ["rows in rows.csv"]),
        (["report", "--output", "report", "--pairs", "25"], ["drawing charts", "drawing pictures"]),
        (["export", "geotiff", "--output", "gis", "--sensor", "naip"], ["samples exported"]),
    ],
    ids=lambda given: given[0],
)
def test_long_commands_show_how_far_they_are(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str],
    told: list[str],
) -> None:  # fmt: skip
    """On standard error, in a terminal; what they print stays on standard output."""
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, [*command, "--root", str(built), "--json"], env=TERMINAL)
    assert done.exit_code == 0, done.output
    assert [one for one in told if one not in done.stderr] == []
    assert not any(one in done.stdout for one in told)
