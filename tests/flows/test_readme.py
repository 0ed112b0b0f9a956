"""The README says what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from flows.command_line import app

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", sorted(get_command(app).commands))
def test_every_command_stands_in_the_readme(command: str) -> None:
    """A command that nobody is told of is not there."""
    assert f"`terrapair {command}" in README


def test_links_of_the_readme_lead_somewhere() -> None:
    """Files that it links to exist."""
    for target in ("docs/decisions", "CHANGELOG.md", "docs/demo-pairs.png"):
        assert f"({target})" in README.replace(f"![{target}]", "")
        assert (ROOT / target).exists()


def test_settings_of_the_readme_exist() -> None:
    """Variables that it names are read, by the settings or by prefect.yaml."""
    from flows.settings import PREFIX, Settings

    deployed = set(re.findall(r"\$(\w+)", (ROOT / "prefect.yaml").read_text(encoding="utf-8")))

    words = {word.strip("`=…,.)(").split("=")[0] for word in README.split()}
    named = {word for word in words if word.startswith(PREFIX)}
    assert len(named) >= 4
    assert named <= {PREFIX + name.upper() for name in Settings.model_fields} | deployed
