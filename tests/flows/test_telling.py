"""What a run tells of itself: answers of the services, a line of JSON for each cell."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from collectors.transport import SetupError
from flows.runs.run_report import show
from flows.runs.running import RunFailedError
from tests.flows.small_worlds import build_one_cell, small_run

if TYPE_CHECKING:
    from pathlib import Path

    from collectors.sandbox import Sandbox
    from tests.flows.runs import Run

PLAN = [
    {"fault": "too_many_requests", "where": "flickr.search", "first": 1},
    {"fault": "unavailable", "where": "flickr.search", "first": 2},
    {"fault": "cut_off", "where": "photo.get", "first": 2},
    {"fault": "reset", "where": "photo.get", "after": 4, "first": 1},
    {"fault": "server_error", "status": 500, "where": "ee.get_pixels", "first": 1},
    {"fault": "html", "where": "ee.features", "first": 1},
]


@pytest.fixture(scope="module")
def small(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Builds of one small cell."""
    return small_run(sandbox, tmp_path_factory.mktemp("telling"))


@pytest.fixture(scope="module")
def told(small: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A run with some trouble: outcome, record, log, and the sandbox's own counts."""
    root = tmp_path_factory.mktemp("told") / "dataset"
    log = root.parent / "cells.jsonl"
    small.sandbox.reset()
    small.sandbox.faults(PLAN)
    try:
        outcome = build_one_cell(small, root, settings={"log_json": str(log)})
        counts = small.sandbox.counts()
    finally:
        small.sandbox.faults([])
    (record,) = root.glob("runs/*.json")
    return {
        "outcome": outcome,
        "counts": counts,
        "record": json.loads(record.read_text()),
        "log": [json.loads(line) for line in log.read_text().splitlines()],
    }


def test_answers_are_those_that_the_sandbox_gave(told: dict[str, Any]) -> None:
    """Each try is there once, under what became of it, and nothing else."""
    answers, counts = told["outcome"]["answers"], told["counts"]
    flickr, photos, engine = (answers[name] for name in ("Flickr", "photo host", "Earth Engine"))
    waits = {"retries", "waited_s"}
    assert {**flickr, "answered": 0, "waited_s": 0} == {
        "answered": 0, "429": 1, "503": 2, "retries": 3, "waited_s": 0,
    }  # fmt: skip
    assert {**photos, "answered": 0, "waited_s": 0} == {
        "answered": 0, "connection": 1, "cut_off": 2, "retries": 3, "waited_s": 0,
    }  # fmt: skip
    assert {name: engine[name] for name in ("500", "unusable", "retries")} == {
        "500": 1, "unusable": 1, "retries": 2,
    }  # fmt: skip
    tries = {
        name: sum(count for how, count in one.items() if how not in waits)
        for name, one in answers.items()
    }
    assert tries["Flickr"] == counts["flickr.search"]
    assert tries["photo host"] == counts["photo.get"]
    asked = counts["ee.features"] + counts["ee.get_pixels"]
    assert tries["Earth Engine"] - asked in {0, 1}  # the process may be connected already


def test_the_record_of_the_run_has_them(told: dict[str, Any]) -> None:
    """What `--json` prints lies under `runs/`, and work is counted apart from tries."""
    assert told["record"] == told["outcome"]
    work = told["outcome"]["work"]
    assert work["searches"] == told["outcome"]["answers"]["Flickr"]["answered"]
    assert work["photos_downloaded"] == told["outcome"]["answers"]["photo host"]["answered"]
    assert 0 < work["chips_fetched"] <= told["outcome"]["requests"]["earth_engine_pixels"]


def test_a_cell_is_a_line_of_json(told: dict[str, Any]) -> None:
    """Time, how it ended, counts and reasons; a line for the run comes last."""
    cell, run = told["log"]
    outcome = told["outcome"]
    assert (cell["event"], cell["ended"], cell["trouble"]) == ("cell", "committed", None)
    assert cell["cell"].startswith("r")
    assert cell["at"].endswith("+00:00")
    assert 0 < cell["seconds"] < 600
    assert cell["photos"]["seen"] == outcome["funnel"]["seen"] > 0
    assert cell["photos"]["kept"] == outcome["funnel"]["outdoor"] > 0
    assert cell["chips"] == outcome["chips"]
    assert cell["reasons"] == outcome["reasons"]
    assert (run["event"], run["answers"]) == ("run", outcome["answers"])


def test_trouble_is_a_line_of_the_summary_and_none_is_not(told: dict[str, Any]) -> None:
    """Whoever looks at the table sees that services were slow, and only then."""

    def shown(outcome: dict[str, Any]) -> str:
        file = io.StringIO()
        show(Console(file=file, width=300), outcome)
        return file.getvalue()

    outcome = told["outcome"]
    assert "photo host: connection 1, cut_off 2 (3 tried again after" in shown(outcome)
    calm = {name: {"answered": 3, "refused": 1} for name in outcome["answers"]}
    assert "tried again" not in shown(outcome | {"answers": calm})


def test_a_second_run_adds_its_lines(small: Run, tmp_path: Path) -> None:
    """The file grows; a cell that failed says why, one that is finished is in the run's count."""
    log = tmp_path / "cells.jsonl"
    small.sandbox.faults([{"fault": "unavailable", "where": "photo.get"}])
    try:
        with pytest.raises(RunFailedError):
            build_one_cell(
                small, tmp_path / "d", settings={"log_json": str(log), "patience_seconds": 0.2}
            )
    finally:
        small.sandbox.faults([])
    build_one_cell(small, tmp_path / "d", settings={"log_json": str(log)})
    build_one_cell(small, tmp_path / "d", settings={"log_json": str(log)})
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    cells = [line for line in lines if line["event"] == "cell"]
    assert [cell["ended"] for cell in cells] == ["failed", "committed"]
    assert "HTTP status 503" in cells[0]["trouble"]
    assert cells[1]["work"]["searches"] == 0  # what the failed run had learnt is not asked again
    runs = [line["cells"] for line in lines if line["event"] == "run"]
    assert runs == [{"failed": 1}, {"committed": 1}, {"unchanged": 1}]


def test_a_log_that_cannot_be_written_is_said_before_work_begins(
    small: Run, tmp_path: Path
) -> None:
    """The variable, the path and what to do."""
    with pytest.raises(SetupError, match=r"TERRAPAIR_LOG_JSON: .*nowhere.*cannot be written"):
        build_one_cell(
            small, tmp_path / "d", settings={"log_json": str(tmp_path / "nowhere" / "x.jsonl")}
        )
    assert not (tmp_path / "d").exists()


def test_the_log_can_go_to_standard_error(
    small: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`stderr` is a word of its own; no file of that name is made."""
    build_one_cell(small, tmp_path / "d", settings={"log_json": "stderr"})
    events = [
        json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()
        if line.startswith("{")
    ]  # fmt: skip
    assert events == ["cell", "run"]
