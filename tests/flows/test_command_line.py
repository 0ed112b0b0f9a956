"""The command line as a user meets it: help, messages, exit codes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.testing import CliRunner

from flows.command_line import app
from flows.demo import as_environment, sandbox_settings
from flows.settings import PREFIX
from tests.flows.runs import SHIPPED, small_catalogue
from tests.flows.small_worlds import shrink

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.sandbox import Sandbox
    from tests.flows.runs import Run

ROOT = Path(__file__).resolve().parents[2]


def commands_of(group: Any, path: tuple[str, ...] = ()) -> Iterator[list[str]]:
    """Yields what is typed for a group of commands and for each command in it."""
    yield list(path)
    for name, one in getattr(group, "commands", {}).items():
        yield from commands_of(one, (*path, name))


COMMANDS = list(commands_of(typer.main.get_command(app)))


def terrapair(*arguments: str, **environment: str) -> Any:
    """Runs a command in this process."""
    return CliRunner().invoke(app, arguments, env=environment)


def environment_of(sandbox: Sandbox, cache: Path, **changes: str | None) -> dict[str, Any]:
    """Returns the variables that point a run at the sandbox."""
    made = as_environment(sandbox_settings(sandbox) | {"weights_cache": cache})
    return made | {PREFIX + name.upper(): value for name, value in changes.items()}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(command: list[str]) -> None:
    """--help works everywhere, and each command that does something shows how to call it."""
    shown = terrapair(*command, "--help")
    assert shown.exit_code == 0
    if command:
        assert "Example: " in shown.output


def test_help_is_quick() -> None:
    """The heavy libraries are not imported for it."""
    code = "import sys, flows.command_line as c; print([m for m in ('torch', 'prefect', 'ee', 'duckdb', 'geopandas') if m in sys.modules])"  # noqa: E501
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["build", "atlantis"], "there is no region 'atlantis'"),
        (["backfill"], "give one of --region NAME, --bbox W S E N and --geojson FILE"),
        (
            ["backfill", "--region", "bay-area", "--bbox", "0", "0", "1", "1"],
            "give one of --region",
        ),
        (["backfill", "--bbox", "2", "0", "1", "1"], "west (2.0) is east of east (1.0)"),
        (["backfill", "--bbox", "0", "0", "1", "1", "--sensor", "landsat"], "there is no sensor"),
        (["backfill", "--geojson", "nowhere.geojson"], "there is no file nowhere.geojson"),
        (["catalog", "--root", "d", "versions"], "options behind the subcommand"),
        (["plan", "--offline", "--map", "nowhere/m.json"], "there is no folder nowhere"),
        (["render", "--output", "p", "--all", "--limit", "3"], "give chips, or --all, or --limit"),
        (["catalog", "show", "photographs"], "there is no product 'photographs'"),
        (["build", "--catalog", "nowhere.yaml"], "the catalogue cannot be read"),
        (["demo", "--photos", "nowhere.csv"], "there is nothing at nowhere.csv"),
        (["build", "--since", "2022-01-01", "--until", "2021-01-01"], "is empty"),
        (["build", "--cells", "0"], "--cells"),
        (["build", "--since", "yesterday"], "--since"),
        (["frobnicate"], "frobnicate"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_said_and_exits_with_2(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One message, no traceback, and nothing is written."""
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("flows.command_line._run_with_prefect", _run_without_prefect)
    done = terrapair(*arguments)
    assert done.exit_code == 2, done.output
    assert said in " ".join(done.output.split())
    assert "Traceback" not in done.output


def _run_without_prefect(task: Any, around: Any) -> dict[str, Any]:
    from flows.runs.running import SURROUNDINGS, run_task

    token = SURROUNDINGS.set(around)
    try:
        return run_task(task)
    finally:
        SURROUNDINGS.reset(token)


def build(arguments: list[str], environment: dict[str, Any], monkeypatch: Any) -> Any:
    """Runs a build of one cell through the command line, without Prefect's server."""
    monkeypatch.setattr("flows.command_line._run_with_prefect", _run_without_prefect)
    return terrapair("build", "alps", "--cells", "1", *arguments, **environment)


def test_a_build_by_command_and_environment(
    quick: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only variables point it at the services; the table shows the funnel, exit code 0."""
    environment = environment_of(quick.sandbox, quick.cache)
    root = tmp_path / "d"
    done = build(["--root", str(root), "--catalog", str(quick.catalogue)], environment, monkeypatch)
    assert done.exit_code == 0, done.output
    assert "outdoor" in done.output
    assert "published v0001" in done.output
    shown = terrapair("catalog", "--root", str(root), "--catalog", str(quick.catalogue))
    assert "v0001" in shown.output
    counts = re.search(r"splits of the pairs: train \d+, val \d+, test \d+, none \d+", done.output)
    assert counts is not None
    assert counts[0] in shown.output
    shown = terrapair("catalog", "show", "pairs", "--root", str(root), "--limit", "2", "--json")
    assert len(json.loads(shown.output)) == 2 or "of" in shown.output
    assert terrapair("verify", "--root", str(root)).exit_code == 0


SECRETS = ("flickr_key", "flickr_secret", "earth_engine_service_account")

TROUBLES = {
    "wrong key": ({"flickr_key": "abcdefabcdefabcdefabcdefabcdef99"}, "API key"),
    "no key": ({"flickr_key": ""}, "TERRAPAIR_FLICKR_KEY"),
    "no login": ({"earth_engine_service_account": None}, "earthengine authenticate"),
    "no project": ({"earth_engine_project": ""}, "TERRAPAIR_EARTH_ENGINE_PROJECT"),
    "weights gone": ({"weights_url": "http://127.0.0.1:9/none.pth.tar"}, "127.0.0.1:9"),
    "bad number": ({"cells_at_once": "many"}, "TERRAPAIR_CELLS_AT_ONCE"),
    "nobody there": (
        {"flickr_url": "http://127.0.0.1:9/rest/", "patience_seconds": "1"},
        "run the same command again",
    ),
}


@pytest.mark.parametrize("trouble", list(TROUBLES))
def test_trouble_is_said_with_its_remedy_and_exits_with_1(
    trouble: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is wrong and what to do, no traceback, and no key in the output."""
    change, said = TROUBLES[trouble]
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")  # google-auth: do not ask a cloud machine's own host
    environment = environment_of(run.sandbox, run.cache, **change)
    done = build(
        ["--root", str(tmp_path / "d"), "--catalog", str(run.catalogue)], environment, monkeypatch
    )
    output = done.output
    assert done.exit_code == 1, output
    assert said in " ".join(output.split())
    assert "Traceback" not in output
    for name in SECRETS:
        secret = environment[PREFIX + name.upper()]
        assert not secret or secret not in output


def test_a_root_that_cannot_be_written_is_said(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the path and what to do."""
    (tmp_path / "file").write_text("not a folder")
    root = tmp_path / "file" / "dataset"
    done = build(
        ["--root", str(root), "--catalog", str(run.catalogue)],
        environment_of(run.sandbox, run.cache), monkeypatch,
    )  # fmt: skip
    assert done.exit_code == 2
    assert str(root) in done.output.replace("\n", "")
    assert "Give a folder" in " ".join(done.output.split())


def test_a_misspelt_catalogue_key_is_said(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Line, key and suggestion; exit code 2, because the file has to be mended."""
    catalogue = tmp_path / "data_catalog.yaml"
    text = SHIPPED.read_text(encoding="utf-8").replace("quota_per_cell", "quota_per_sell")
    catalogue.write_text(text, encoding="utf-8")
    done = build(
        ["--root", str(tmp_path / "d"), "--catalog", str(catalogue)],
        environment_of(run.sandbox, run.cache), monkeypatch,
    )  # fmt: skip
    assert done.exit_code == 2
    assert "did you mean `quota_per_cell`?" in " ".join(done.output.split())


def test_a_sandbox_that_stops_mid_run_loses_nothing(
    weights: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The services vanish after the first chips: exit code 1, and a second run ends well."""
    from collectors.sandbox import Sandbox
    from flows.runs import progress
    from flows.verification.verification import verify_dataset

    root = str(tmp_path / "d")
    arguments = ["--root", root, "--catalog", str(run.catalogue)]
    with Sandbox(seed=3, weights=weights) as box:

        def stop(self: Any, cell_id: str, step: str, count: int) -> None:
            if step == "chips":
                box.kill()

        with monkeypatch.context() as stopping:
            stopping.setattr(progress.Display, "step", stop)
            stopping.setattr("flows.cells.chip_batches.CHIP_BATCH", 4)
            done = build(
                arguments, environment_of(box, run.cache, patience_seconds="1"), monkeypatch
            )
    assert done.exit_code == 1, done.output
    assert "run the same command again" in " ".join(done.output.split())
    assert "Traceback" not in done.output
    before = len(list((tmp_path / "d").glob("shards/*/*.tar")))
    assert before >= 2
    run.sandbox.reset()
    again = build(arguments, environment_of(run.sandbox, run.cache), monkeypatch)
    assert again.exit_code == 0, again.output
    assert run.sandbox.counts().get("photo.get", 0) == 0
    assert [one.offenders for one in verify_dataset(root) if one.broken] == []


def test_a_prefect_that_does_not_start_is_said(
    sandbox: Sandbox, weights: Path, tmp_path: Path
) -> None:
    """On a machine too busy for its temporary server the remedy is told, not a traceback."""
    around = environment_of(sandbox, tmp_path / "cache") | {
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "0",
        "PREFECT_HOME": str(tmp_path / "p"), "PREFECT_API_URL": None,
    }  # fmt: skip
    variables = {name: value for name, value in (os.environ | around).items() if value is not None}
    done = subprocess.run(
        [sys.executable, "-m", "flows", "build", "alps", "--root", str(tmp_path / "d"),
         "--catalog", str(small_catalogue(tmp_path / "data_catalog.yaml"))],
        cwd=ROOT, env=variables, capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "temporary server did not start in time" in said
    assert "PREFECT_API_URL" in said
    assert "Traceback" not in said


def test_doctor_says_what_is_missing_and_how_to_get_it(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nothing set up it fails and names each variable; against the sandbox all is well."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(ROOT)
    for name in list(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
    closed = {PREFIX + "WEIGHTS_URL": "http://127.0.0.1:9/w.pth.tar"}
    done = terrapair("doctor", **closed)
    assert done.exit_code == 1
    for text in ("TERRAPAIR_FLICKR_KEY", "TERRAPAIR_EARTH_ENGINE_PROJECT"):
        assert text in done.output
    done = terrapair("doctor", **environment_of(run.sandbox, run.cache))
    assert done.exit_code == 0, done.output
    assert "missing" not in done.output


def test_changed_rules_stop_a_build_until_told_to_go_on(
    quick: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another threshold is another judgement: it is said, and goes on with the flag only."""
    environment = environment_of(quick.sandbox, quick.cache)
    arguments = ["--root", str(tmp_path / "d")]
    first = build([*arguments, "--catalog", str(quick.catalogue)], environment, monkeypatch)
    assert first.exit_code == 0, first.output

    def loosen(document: Any) -> None:
        shrink(document)
        document["rules"]["indoor_threshold"] = 0.6

    other = small_catalogue(tmp_path / "other.yaml", loosen, quota=8)
    done = build([*arguments, "--catalog", str(other)], environment, monkeypatch)
    assert done.exit_code == 2
    assert "--accept-changed-rules" in done.output
    told = [*arguments, "--catalog", str(other), "--accept-changed-rules"]
    assert build(told, environment, monkeypatch).exit_code == 0


def test_another_seed_on_the_same_dataset_is_refused(
    quick: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dataset has one seed."""
    environment = environment_of(quick.sandbox, quick.cache)
    arguments = ["--root", str(tmp_path / "d"), "--catalog", str(quick.catalogue)]
    assert build([*arguments, "--seed", "5"], environment, monkeypatch).exit_code == 0
    done = build([*arguments, "--seed", "6"], environment, monkeypatch)
    assert done.exit_code == 2
    assert "begun with seed 5" in done.output


def test_show_takes_conditions_and_columns(built: Path) -> None:
    """SQL conditions, chosen columns, JSON; a wrong column is said with those that exist."""
    root = ["--root", str(built)]
    done = terrapair(
        "catalog", "show", "chips", *root, "--where", "sensor = 'naip' AND outcome = 'kept'",
        "--columns", "chip_id, refused, transform, geometry", "--limit", "3", "--json",
    )  # fmt: skip
    records = json.loads(done.output)
    assert len(records) == 3
    assert all(record["chip_id"].startswith("naip_") for record in records)
    assert records[0]["geometry"].startswith("POLYGON")
    done = terrapair("catalog", "show", "chips", *root, "--columns", "chip_idd")
    assert done.exit_code == 2
    assert "chip_id" in done.output
    assert "columns of chips" in " ".join(done.output.split())


@pytest.mark.parametrize(
    "command",
    [
        ["catalog"], ["catalog", "versions"], ["catalog", "show", "photos"],
        ["catalog", "photo", "1"], ["verify"], ["report"], ["publish"], ["describe"],
        ["sample", "--output", "sample"], ["forget", "--photo", "1"], ["recheck"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_dataset_that_is_torn_is_said_plainly(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What, where and the remedy, and no name of an exception."""
    monkeypatch.chdir(tmp_path)
    torn = tmp_path / "torn" / "manifests" / "v0001" / "manifest.json"
    torn.parent.mkdir(parents=True)
    torn.write_text('{"x":')
    (tmp_path / "torn" / "dataset.json").write_text('{"seed": 1}')
    done = terrapair(*command, "--root", "torn")
    assert done.exit_code == 1
    assert f"{torn}: cannot be read as JSON" in done.output
    assert "Put it back" in done.output
