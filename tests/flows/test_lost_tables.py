"""A version whose table file is gone or torn: every command says so, and whom to ask for more."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from collectors.storage import open_store
from flows.products.versions import published_version
from tests.flows.test_command_line import terrapair

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = [
    ["search", "snow"], ["catalog", "show", "chips"], ["catalog", "chip", "one"],
    ["catalog", "find", "--photo", "1"], ["report", "--output", "out"],
    ["render", "--output", "out", "--all"], ["export", "geotiff", "--output", "out"],
]  # fmt: skip


@pytest.mark.parametrize("torn", [False, True], ids=["lost", "torn"])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_version_without_a_table_file_is_said(
    command: list[str], torn: bool, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the cache of a search nor the program is to blame."""
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "d"
    shutil.copytree(built, root)
    (file,) = published_version(open_store(str(root))).files("chips")
    if torn:
        (root / file).write_bytes((root / file).read_bytes()[:1000])
    else:
        (root / file).unlink()
    done = terrapair(*command, "--root", str(root), TERRAPAIR_SEARCH_CACHE=str(tmp_path / "cache"))
    assert done.exit_code == 1, done.output
    told = "a table of v0001 cannot be read (" if torn else f"v0001 lacks its table file {file}. "
    assert f"{root}: {told}" in done.output
    assert "`terrapair verify` says what else is damaged" in done.output
