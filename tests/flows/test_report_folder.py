"""How a report comes to its name, whatever happens beside it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from collectors.transport import SetupError, WrongUse
from flows.report.folder import check_output, report_folder

TOLD = {"version": "v0001"}


def write(output: Path, text: bytes) -> None:
    """Writes a report of one page."""
    with report_folder(output, TOLD) as folder:
        folder.write("index.html", text)


def left_in(folder: Path) -> list[str]:
    """Returns the names of all that lies in a folder."""
    return sorted(one.name for one in folder.iterdir())


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_the_older_report_stays_if_the_swap_stops(
    error: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C comes between the two renames as well as anywhere."""
    output, rename = tmp_path / "report", Path.rename
    write(output, b"old")

    def stopping(path: Path, target: Path) -> Path:
        if path.name == "new":
            raise error
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", stopping)
    with pytest.raises((KeyboardInterrupt, SetupError)):
        write(output, b"new")
    assert (output / "index.html").read_bytes() == b"old"
    assert left_in(tmp_path) == ["report"]


@pytest.mark.parametrize("before", [True, False])
def test_a_report_that_comes_between_is_the_older_one(
    before: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two into one folder at once, both end well, and the last is there."""
    output, rename = tmp_path / "report", Path.rename
    if before:
        write(output, b"old")
    others = [b"other"]

    def overtaken(path: Path, target: Path) -> Path:
        if path.name == "new" and others:
            write(output, others.pop())
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", overtaken)
    write(output, b"new")
    assert others == []
    assert (output / "index.html").read_bytes() == b"new"
    assert left_in(tmp_path) == ["report"]


def test_many_reports_at_once_end_well(tmp_path: Path) -> None:
    """Whole ones, one after the other."""
    output, gate = tmp_path / "report", Barrier(3)

    def work(number: int) -> None:
        gate.wait()
        write(output, str(number).encode())

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(work, range(3)))
    assert (output / "index.html").read_bytes() in {b"0", b"1", b"2"}
    check_output(output)
    assert left_in(tmp_path) == ["report"]


def test_what_is_no_report_has_to_be_named_otherwise(tmp_path: Path) -> None:
    """It is for whoever typed the command to mend."""
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.txt").write_text("mine")
    for taken in (tmp_path / "thesis", tmp_path / "thesis" / "thesis.txt"):
        with pytest.raises(WrongUse, match="nothing was written"):
            write(taken, b"new")
    assert (tmp_path / "thesis" / "thesis.txt").read_text() == "mine"
