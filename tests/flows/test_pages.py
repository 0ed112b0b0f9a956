"""The pages of the docs do what they say, and no command is without one."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING

import pytest
from typer.main import get_command

from flows.command_line import app
from tests.flows.pages import ROOT, Terminal, masked, renewed, steps_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

FIRST_REGION = ROOT / "docs" / "your-first-region.md"
NEW_SENSOR = ROOT / "docs" / "new-sensor.md"
COMMANDS = ROOT / "docs" / "commands.md"


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weights: Path) -> Iterator[Terminal]:
    """A reader's terminal; the filter is the one that `terrapair sandbox` would fit there."""
    terminal = Terminal(tmp_path / "home", monkeypatch)
    for folder in ("first-region", "new-sensor"):
        (tmp_path / "home" / folder).mkdir()
        shutil.copy(weights, tmp_path / "home" / folder / "sandbox-weights.pth.tar")
    yield terminal
    terminal.close()


def follow(reader: Terminal, page: Path) -> list[tuple[str, str, str]]:
    """Does what a page says; gives what was typed, what it says that comes, and what came."""
    text = page.read_text(encoding="utf-8")
    done = [(step, reader.run(step)) for step in steps_of(text) if not step.why_not]
    if os.environ.get("TERRAPAIR_RENEW_PAGES"):  # for whoever changes what a command prints
        commands = [one for one in done if not one[0].file]
        page.write_text(renewed(text, commands), encoding="utf-8")
    return [(step.typed, masked(step.printed), masked(printed)) for step, printed in done]


def test_the_first_region_comes_as_its_page_says(reader: Terminal) -> None:
    """Each command, typed in an empty folder, prints what the page shows."""
    for typed, said, came in follow(reader, FIRST_REGION):
        assert came == said, typed


def test_a_new_sensor_comes_as_its_page_says(reader: Terminal) -> None:
    """The block that the page shows is all that it takes."""
    for typed, said, came in follow(reader, NEW_SENSOR):
        assert came == said, typed


@pytest.mark.benchmark
def test_all_other_commands_print_what_their_page_says(reader: Terminal) -> None:
    """It goes on where the first page ends, in the same folder."""
    for page in (FIRST_REGION, COMMANDS):
        for typed, said, came in follow(reader, page):
            assert came == said, typed


def leaves_of(group: Any, words: tuple[str, ...] = ()) -> Iterator[str]:
    """Yields what is typed for each command, `catalog` among them, which does something alone."""
    commands = getattr(group, "commands", {})
    if words and (not commands or group.invoke_without_command):
        yield " ".join(words)
    for name, one in commands.items():
        yield from leaves_of(one, (*words, name))


LEAVES = sorted(leaves_of(get_command(app)))


def leaf_of(typed: str) -> str | None:
    """Returns the command that a line calls, the longest that fits; None if it is none of ours."""
    fitting = [leaf for leaf in LEAVES if f"{typed} ".startswith(f"terrapair {leaf} ")]
    return max(fitting, key=len, default=None)


@pytest.mark.parametrize("leaf", LEAVES)
def test_every_command_is_shown_with_what_it_prints(leaf: str) -> None:
    """A command without a line in the docs, and what it prints below, is not ready."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    shown = {
        leaf_of(step.typed)
        for page in pages
        for step in steps_of(page.read_text(encoding="utf-8"))
        if step.printed.strip()
    }
    assert leaf in shown, (
        f"`terrapair {leaf}` has no docs: put a block of code with the line"
        f" `$ terrapair {leaf} …`, and what it prints below, into docs/commands.md"
    )


def test_pages_link_to_what_is_there() -> None:
    """Files that the pages name exist."""
    for page in (FIRST_REGION, NEW_SENSOR, COMMANDS):
        for target in re.findall(r"\]\((?!https:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), (page, target)
