"""Runs the commands of a page of the docs as a reader types them, and compares what they print.

In blocks of code, a line that begins with `$ ` is typed, lines that begin with `> ` go on
with it, and what stands below is what it prints. A block below a comment `<!-- not run: why -->`
is left alone. A block marked `yaml` below a comment `<!-- in FILE -->` takes the place of the
top-level keys of the same names in that file, as a reader's editor would put it there; below
`<!-- under KEY in FILE -->` it goes to the end of what that top-level key holds.

Bash runs everything but plain commands of terrapair, which run in this process for the sake of
time, with the environment and the folder that bash has come to.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from typer.testing import CliRunner

from flows.command_line import app

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

ROOT: Final = Path(__file__).resolve().parents[2]

HOME: Final = "/home/you"
"""What pages call the reader's own folder."""

MASK: Final = (
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
    (re.compile(r"[0-9a-f]{16,64}|\b[0-9a-f]{8}(?=-sandbox)"), "HEX"),  # checksums, and names
    (re.compile(r"\b20\d{6}T\d{6,12}"), "TIME"),  # names of runs
    (re.compile(r"20\d\d-\d\d-\d\dT[\d:]+\.\d{6}\+00:00"), "TIME"),  # when a search was made
    (re.compile(r"Earth Engine, 20\d\d-\d\d"), "Earth Engine, MONTH"),
    (re.compile(r"\b\d+(\.\d+)?e-\d\d\b|\b0\.000\d+\b"), "SCORE"),  # of the filter fitted here
    (re.compile(r"│ judge +│ outdoors +│ [\d.]+ +│"), "│ judge │ outdoors │ SCORE │"),
    (re.compile(r"│ +\d{5,} │$", re.MULTILINE), "│ BYTES │"),  # of tables that hold such things
    # Pictures and pixels are painted by floating-point functions, which differ by a bit between
    # kinds of processors, and so do the sizes of their files.
    (re.compile(r"^size +\d+ *$", re.MULTILINE), "size BYTES"),
    (re.compile(r"/vsisubfile/\d+_\d+,"), "/vsisubfile/BYTES,"),
)
"""All in which what is printed may differ from the page."""

_BLOCK: Final = re.compile(
    r"(?:<!-- (?P<note>[^>]*) -->\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
_TYPED: Final = re.compile(r"^\$ (?P<line>.*(?:\n> .*)*)$", re.MULTILINE)
_SHELL: Final = set("|&;<>$`*(){}~\n")
"""What makes a line bash's business."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a reader does.

    Attributes:
        typed: The command; for an edit, the text.
        printed: What the page says that it prints.
        file: The file that is edited; empty for a command.
        key: The top-level key that an edit adds to; empty where it takes the place of keys.
        start: Where the printed text begins in the page.
        end: Where it ends.
        why_not: Why it is not run; empty if it is.
    """

    typed: str
    printed: str
    file: str = ""
    key: str = ""
    start: int = 0
    end: int = 0
    why_not: str = ""


def steps_of(page: str) -> Iterator[Step]:
    """Yields what a page tells its reader to do, in its order."""
    for block in _BLOCK.finditer(page):
        note = block["note"] or ""
        under, _, file = note.partition("in ")
        if block["kind"] == "yaml" and file and (not under or under.startswith("under ")):
            key = under.removeprefix("under ").strip()
            yield Step(block["text"], "", file=file, key=key)
        typed = list(_TYPED.finditer(block["text"]))
        if not typed:
            continue
        ends = [one.start() for one in typed[1:]] + [len(block["text"])]
        for one, end in zip(typed, ends, strict=True):
            start = min(one.end() + 1, end)
            yield Step(
                one["line"].replace("\n> ", "\n"), block["text"][start:end],
                start=block.start("text") + start, end=block.start("text") + end,
                why_not=note.removeprefix("not run: ") if note.startswith("not run: ") else "",
            )  # fmt: skip


def masked(text: str) -> str:
    """Returns a text without what may differ, and without blanks at the ends of lines."""
    for pattern, name in MASK:
        text = pattern.sub(name, text)
    return "\n".join(line.rstrip() for line in text.rstrip().splitlines())


def edit(path: Path, text: str) -> None:
    """Puts top-level keys of a YAML file in place of those of the same name."""
    document = path.read_text(encoding="utf-8")
    for name, block in re.findall(r"^((\w+):\n(?:[ #].*\n|\n)*)", text, re.MULTILINE):
        old = re.compile(rf"^{block}:\n(?:[ #].*\n|\n)*", re.MULTILINE)
        document, found = old.subn(lambda _match, new=name: f"{new}\n", document)  # type: ignore[misc]
        assert found == 1, f"{path} has no block {block}"
    path.write_text(document, encoding="utf-8")


def add(path: Path, key: str, text: str) -> None:
    """Puts lines at the end of what a top-level key of a YAML file holds."""
    document = path.read_text(encoding="utf-8")
    held = re.compile(rf"^{key}:\n(?:[ #].*\n|\n)*?(?=\n*(?:#.*\n)*\w)", re.MULTILINE)
    document, found = held.subn(lambda match: f"{match[0]}\n{text}", document, count=1)
    assert found == 1, f"{path} has no block {key}"
    path.write_text(document, encoding="utf-8")


@dataclass(slots=True)
class Terminal:
    """A terminal of bash, in a home of its own with a checkout in it.

    Attributes:
        home: The reader's home; `~/terrapair` in it is this checkout.
        monkeypatch: Moves this process to where bash is, for the commands that run in it.
    """

    home: Path
    monkeypatch: pytest.MonkeyPatch
    _bash: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        programs = self.home / ".local" / "bin"
        programs.mkdir(parents=True)
        (self.home / "terrapair").symlink_to(ROOT)
        shim = programs / "terrapair"
        shim.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m flows "$@"\n')
        shim.chmod(0o755)
        self._bash = subprocess.Popen(
            ["bash", "--norc", "--noprofile"], cwd=self.home, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={"HOME": str(self.home), "PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin",
                 "LANG": "C.UTF-8", "XDG_CACHE_HOME": str(self.home / ".cache"),
                 "XDG_CONFIG_HOME": str(self.home / ".config")},
        )  # fmt: skip

    def close(self) -> None:
        """Ends bash and what it started."""
        self._bash.communicate(b"kill $(jobs -p) 2>/dev/null; wait\n")

    def bash(self, line: str) -> str:
        """Types a line and returns what it prints."""
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        self._bash.stdin.write(f"{line}\nprintf '\\0'\n".encode())
        self._bash.stdin.flush()
        printed = bytearray()  # byte by byte: what follows the mark is another command's
        while (byte := self._bash.stdout.read(1)) != b"\0":
            assert byte, f"bash ended with {line}: {printed.decode()}"
            printed += byte
        return printed.decode()

    def run(self, step: Step) -> str:
        """Does what a page says and returns what is printed, as the page would have it."""
        folder = Path(self.bash("pwd").strip())
        if step.file:
            if step.key:
                add(folder / step.file, step.key, step.typed)
            else:
                edit(folder / step.file, step.typed)
            return ""
        if step.typed.startswith("terrapair ") and not _SHELL & set(step.typed):
            printed = self._terrapair(shlex.split(step.typed)[1:], folder)
        else:
            printed = self.bash(step.typed)
        return printed.replace(str(self.home), HOME).replace(str(ROOT), f"{HOME}/terrapair")

    def _terrapair(self, words: list[str], folder: Path) -> str:
        pairs = (one.partition("=") for one in self.bash("env -0 | tr '\\0' '\\1'").split("\1"))
        environment: dict[str, Any] = {name: value for name, _, value in pairs if name}
        self.monkeypatch.chdir(folder)
        self.monkeypatch.setattr("flows.command_line._run_with_prefect", _run_without_prefect)
        return CliRunner().invoke(app, words, env=environment, prog_name="terrapair").output


def _run_without_prefect(task: Any, around: Any) -> dict[str, Any]:
    from flows.runs.running import SURROUNDINGS, run_task

    around.watcher.line("starting Prefect")
    token = SURROUNDINGS.set(around)
    try:
        return run_task(task)
    finally:
        SURROUNDINGS.reset(token)


def renewed(page: str, outputs: list[tuple[Step, str]]) -> str:
    """Returns a page with what was printed in place of what it says."""
    for step, printed in sorted(outputs, key=lambda one: -one[0].start):
        lines = "".join(f"{line.rstrip()}\n" for line in printed.rstrip().splitlines())
        page = page[: step.start] + lines + page[step.end :]
    return page
