"""What the sandbox's README says is so: its plans, commands and examples work."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from collectors.sandbox.__main__ import _parse
from collectors.sandbox.awkward import AwkwardFile
from collectors.sandbox.fault_plans import parse_plan
from collectors.sandbox.faults import Fault, FaultKind
from collectors.sandbox.request_kinds import KINDS
from collectors.sandbox.server import Options
from tests.conftest import ROOT
from tests.sandbox.whole_sandbox import running

if TYPE_CHECKING:
    from pathlib import Path

README = (ROOT / "collectors" / "sandbox" / "README.md").read_text("utf-8")


def section(title: str) -> str:
    """What stands under a heading of the second level."""
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def blocks(language: str, text: str = README) -> list[str]:
    """The blocks of code in a language."""
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def named(text: str) -> set[str]:
    """The words that are set as code."""
    return {
        word for code in re.findall(r"`([^`\n]+)`", text) for word in re.findall(r"[\w.-]+", code)
    }


def test_the_plan_shown_is_one() -> None:
    """It is read, and its faults are those that the text before it tells of."""
    (text,) = blocks("json", section("Faults on demand"))
    plan = parse_plan(json.loads(text))
    assert plan.latency_s == {"flickr.search": 0.1}
    assert [fault.fault.value for fault in plan.faults] == ["too_many_requests", "hang", "cut_off"]


def test_the_commands_shown_are_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call of the sandbox has options that there are."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plan.json").write_text(blocks("json", section("Faults on demand"))[0])
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    lines += re.findall(r"`(python -m collectors[^`]+)`", README)
    commands = [shlex.split(line)[3:] for line in lines if line.startswith("python -m collectors")]
    assert len(commands) >= 3
    for command in commands:
        assert _parse(command)


def test_the_requests_shown_are_answered() -> None:
    """The plan is taken, what happened is told, and the empty plan is taken."""
    commands = [shlex.split(line, comments=True)[1:] for line in blocks("sh", section(
        "Faults on demand"))[0].splitlines() if line.startswith("curl")]  # fmt: skip
    assert len(commands) == 3
    with running(Options()) as service:
        for command in commands:
            path = command[-1].removeprefix("http://127.0.0.1:8080")
            body = command[1] if command[0] == "--data" else None
            if body == "@plan.json":
                (body,) = blocks("json", section("Faults on demand"))
            answer = service.exchange("GET" if body is None else "POST", path, body)
            assert answer.status == (200 if body is None else 204)


def test_the_example_for_flickr_runs() -> None:
    """It ends with a picture."""
    (code,) = blocks("python", section("Flickr"))
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)
    picture = names["picture"]
    assert isinstance(picture, bytes)
    assert picture.startswith(b"\xff\xd8")


def test_every_option_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """The options of the command line, and no others."""
    with pytest.raises(SystemExit):
        _parse(["--help"])
    options = set(re.findall(r"(--[a-z-]+)", capsys.readouterr().out)) - {"--help"}
    table = section("Starting it").partition("\n\nEverything")[0]
    assert set(re.findall(r"--[a-z][a-z-]+", table)) == options


def test_every_kind_of_request_fault_and_file_is_told() -> None:
    """None is left out of its table."""
    assert named(section("Starting it")) >= KINDS
    assert named(section("The photo host")) >= set(AwkwardFile)
    faults = section("Faults on demand")
    assert named(faults) >= set(FaultKind)
    assert named(faults) >= {one.name for one in fields(Fault)} - {"fault"}
    listed = re.findall(r"^\| `(\w+)` \|", faults.partition("\n`where` is")[0], flags=re.MULTILINE)
    assert set(listed) - {"fault"} == set(FaultKind)
