"""Files that other machines are set up from: prefect.yaml and the image of a worker."""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
import sys
import tomllib
from pathlib import Path, PurePosixPath

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "deploy" / "Dockerfile"
IGNORED = ROOT / "deploy" / "Dockerfile.dockerignore"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PREFECT = YAML(typ="safe").load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))


def instructions() -> list[tuple[str, str]]:
    """Returns the instructions of the Dockerfile: name and the rest, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", FILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n", " ", text).splitlines()
    return [
        (name.upper(), rest.strip())
        for name, _, rest in (line.strip().partition(" ") for line in lines if line.strip())
    ]


STEPS = instructions()


def only(name: str) -> str:
    """Returns the last instruction of a name."""
    return [rest for one, rest in STEPS if one == name][-1]


def variables() -> dict[str, str]:
    """Returns the variables that the image sets."""
    return dict(pair.split("=", 1) for pair in shlex.split(only("ENV")))


def copied() -> list[str]:
    """Returns what is copied from the repository."""
    found = []
    for name, rest in STEPS:
        words = shlex.split(rest)
        if name == "COPY" and not words[0].startswith("--from="):
            found += words[:-1]
    return found


def test_the_image_has_only_known_instructions() -> None:
    """Nothing is misspelt, and nothing is fetched by the build but packages."""
    known = {"FROM", "RUN", "COPY", "WORKDIR", "ENV", "USER", "ENTRYPOINT", "CMD"}
    assert {name for name, _ in STEPS} == known
    assert STEPS[0][0] == "FROM"
    stages = [rest.split() for name, rest in STEPS if name == "FROM"]
    named = {words[2] for words in stages if len(words) == 3 and words[1] == "AS"}
    taken = {rest.split()[0].removeprefix("--from=") for name, rest in STEPS
             if name == "COPY" and rest.startswith("--from=")}  # fmt: skip
    assert named == taken == {"packages"}


def test_the_image_has_a_python_that_terrapair_runs_on() -> None:
    """The same in both stages, because the environment is copied, and the one of the lock."""
    images = {rest.split()[0] for name, rest in STEPS if name == "FROM"}
    assert len(images) == 1
    version = Version(images.pop().split(":")[1].split("-")[0])
    assert version in SpecifierSet(PROJECT["requires-python"])
    assert f"--python-version {version}" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_what_the_image_copies_is_there_and_is_all_it_needs() -> None:
    """Each path exists; the rooms, the catalogue and the lock are among them, the tests not."""
    assert [one for one in copied() if not (ROOT / one).exists()] == []
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    rooms = config["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {*rooms, "data_catalog.yaml", "requirements.lock"} <= set(copied())
    assert "tests" not in copied()


def test_only_what_is_copied_is_sent_to_be_built() -> None:
    """The list of exceptions to `*` is what the Dockerfile copies; keys that lie about stay out."""
    lines = IGNORED.read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if line and not line.startswith("#")]
    assert lines[0] == "*"
    assert sorted(line[1:] for line in lines if line.startswith("!")) == sorted(copied())
    shut_out = [line for line in lines[1:] if not line.startswith("!")]
    assert not [one for one in copied() for line in shut_out if fnmatch.fnmatch(one, line)]


def test_packages_are_locked_with_hashes() -> None:
    """No package comes from anywhere but the lock, and pip checks each."""
    installs = [rest for name, rest in STEPS if name == "RUN" and "pip install" in rest]
    assert len(installs) == 1
    words = shlex.split(installs[0])
    assert {"--require-hashes", "--no-deps", "--requirement"} <= set(words)
    assert PurePosixPath(words[words.index("--requirement") + 1]).name == "requirements.lock"


def test_the_image_runs_a_worker_of_the_pool_and_not_as_root() -> None:
    """What it starts is the worker of the pool that prefect.yaml deploys to."""
    user = only("USER")
    assert user not in {"root", "0"}
    assert any(name == "RUN" and "useradd" in rest and user in rest for name, rest in STEPS)
    entry, options = json.loads(only("ENTRYPOINT")), json.loads(only("CMD"))
    assert entry == ["prefect", "worker", "start"]
    assert dict(zip(options[::2], options[1::2], strict=True)) == {
        "--pool": PREFECT["definitions"]["common"]["work_pool"]["name"], "--type": "process",
    }  # fmt: skip


def test_a_run_in_the_image_finds_its_code() -> None:
    """prefect.yaml's pull step goes to the folder that the image names, where the rooms are."""
    home = only("WORKDIR")
    assert variables()["TERRAPAIR_HOME"] == variables()["PYTHONPATH"] == home
    targets = {shlex.split(rest)[-1] for name, rest in STEPS if name == "COPY"}
    assert {"./flows", "./filters", "./collectors", "./"} <= targets
    (step,) = PREFECT["pull"]
    assert step == {
        "prefect.deployments.steps.set_working_directory": {"directory": "{{ $TERRAPAIR_HOME }}"}
    }


def test_no_key_is_in_the_image() -> None:
    """No variable of it is a setting with a key, and no argument of the build can be one."""
    assert not [name for name in variables() if re.search("KEY|SECRET|TOKEN|ACCOUNT", name)]


@pytest.mark.parametrize("deployment", PREFECT["deployments"], ids=lambda one: one["name"])
def test_deployments_say_what_happens_when_they_overlap(deployment: dict) -> None:
    """A build that falls due beside itself is dropped, a backfill waits for the one before."""
    wanted = {"weekly": "CANCEL_NEW", "backfill": "ENQUEUE"}[deployment["name"]]
    assert deployment["concurrency_limit"] == {"limit": 1, "collision_strategy": wanted}


def test_the_image_speaks_of_this_python() -> None:
    """The tests run on the Python of the image, so that what they show holds there."""
    image = only("FROM").split()[0]
    assert image.split(":")[1].startswith(f"{sys.version_info.major}.{sys.version_info.minor}-")
