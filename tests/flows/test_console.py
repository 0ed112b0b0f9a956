"""What all commands share: the release, and how they end after Ctrl-C."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest

from tests.flows.test_command_line import terrapair

if TYPE_CHECKING:
    from pathlib import Path


def test_the_release_is_told() -> None:
    """As bug reports and scripts ask for it."""
    done = terrapair("--version")
    assert (done.exit_code, done.output) == (0, f"terrapair {version('terrapair')}\n")


@pytest.mark.parametrize(
    ("command", "at", "told"),
    [
        (["verify"], "flows.verification.verification.verify_dataset", "stopped\n"),
        (["catalog"], "flows.inspection.overview.show_overview", "stopped\n"),
        (["report"], "flows.report.writing.write_report", "stopped\n"),
        (
            ["export", "graft", "--output", "out"], "flows.exports.exporting.export_version",
            "stopped; what is finished is kept, run the same command again to go on\n",
        ),
        (
            ["demo"], "flows.demo.run_demo",
            "stopped; what is finished is kept, run the same command again to go on\n",
        ),
    ],
)  # fmt: skip
def test_only_what_goes_on_says_so_after_an_interrupt(
    command: list[str], at: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a command that only looks nothing is kept."""

    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(at, interrupted)
    done = terrapair(*command)
    assert (done.exit_code, done.stderr) == (130, told)
