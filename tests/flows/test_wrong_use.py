"""A command that has to be mended ends with 2, whichever it is, and leaves nothing behind."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.flows.test_command_line import terrapair

if TYPE_CHECKING:
    from pathlib import Path

AWAY: list[list[str]] = [
    ["verify"], ["report", "--output", "out"], ["render", "--output", "out", "--all"],
    ["publish", "--index-only", "--output", "out"], ["sample", "--output", "out"], ["describe"],
    ["search", "snow"], ["series", "--output", "out"], ["sweep"], ["recheck"],
    ["forget", "--photo", "50000000001", "--yes"],
    ["catalog"], ["catalog", "versions"], ["catalog", "show", "chips"],
    ["catalog", "photo", "50000000001"], ["catalog", "chip", "one"],
    ["catalog", "find", "--photo", "50000000001"],
    ["catalog", "diff", "v0001", "v0002"], ["export", "webdataset", "--output", "out"],
    ["export", "triplets", "--output", "out"], ["plan", "--compare"], ["budget"],
]  # fmt: skip
"""Commands that look at a dataset."""

MISTAKES: list[tuple[list[str], str]] = [
    (["verify", "--version", "v0099"], "there is no version v0099"),
    (["catalog", "show", "chips", "--version", "v0099"], "there is no version v0099"),
    (["export", "graft", "--output", "out", "--version", "v0099"], "there is no version v0099"),
    (["export", "graft", "--output", "out", "--sensor", "landsat"], "has no sensor landsat"),
    (["search", "snow", "--sensor", "landsat"], "has no sensor landsat"),
    (["catalog", "show", "chips", "--sensor", "landsat"], "has no sensor landsat. It has naip"),
    (["catalog", "show", "photos", "--sensor", "landsat"], "has no sensor landsat"),
    (["plan", "--region", "bay-area", "--offline", "--sensor", "landsat"], "no sensor landsat"),
    (["search", "snow", "--region", "atlantis"], "no region"),
    (["catalog", "show", "chips", "--region", "atlantis"], "no region"),
    (["search", "?"], "no word to look for"),
    (["search", "snow", "--by", "photos"], "go with --model"),
    (["catalog", "show", "chips", "--outcome", "keept"], "chips are kept, rejected, failed"),
    (["catalog", "show", "rejects", "--outcome", "kept"], "rejects are rejected, failed"),
    (["catalog", "show", "rejects", "--reason", "indor"], "no such reason among the rejects"),
    (["catalog", "show", "photos", "--reason", "indor"], "no such reason among the photos"),
    (
        ["catalog", "show", "rejects", "--reason", "indor", "--export", "out.csv"],
        "no such reason among the rejects",
    ),
    (
        ["catalog", "show", "chips", "--since", "2024-01-02", "--until", "2024-01-01"],
        "--since before --until",
    ),
    (
        ["export", "triplets", "--output", "out", "--blocks", "none", "--time-shares", "60", "20",
         "20"],
        "--time-shares deals blocks of time",
    ),
    (
        ["export", "triplets", "--output", "out", "--time-shares", "60", "20", "30"],
        "Give three that add up to 100",
    ),
    (["plan", "--compare", "bay-area"], "--compare makes no plan"),
    (["plan", "--compare", "--seed", "0"], "--compare makes no plan"),
    (["render", "--output", "out", "nowhere"], "has no chip nowhere"),
    (["forget", "--photo", "someone", "--yes"], "is no id of a photo"),
    (["report", "--output", "s3://b/x"], "Invalid value for '--output': s3://b/x is an address"),
    (["report", "--output", "/dev/null"], "is not a folder; nothing was written"),
    (["catalog", "show", "chips", "--export", "s3://b/y.csv"], "Invalid value for '--export'"),
    (["plan", "--offline", "--map", "gs://b/x.geojson"], "Invalid value for '--map'"),
    (["catalog", "show", "chips", "--where", "1/0"], "--where 1/0: is no condition, but DOUBLE"),
    (["catalog", "show", "chips", "--where", "outcome"], "--where outcome: is no condition"),
    (
        ["catalog", "show", "chips", "--where", "delta_days", "--export", "out.csv"],
        "--where delta_days: is no condition",
    ),
    (["export", "webdataset", "--output", "out", "--shuffle", "-3"], "value for '--shuffle'"),
    (["series", "s3-naip", "--output", "out"], "has no series 's3-naip'"),
]  # fmt: skip


@pytest.mark.parametrize("command", AWAY, ids=" ".join)
def test_a_dataset_that_is_not_there_is_wrong_use(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which command looks for it makes no difference; none makes a folder."""
    monkeypatch.chdir(tmp_path)
    done = terrapair(*command, "--root", "nowhere")
    assert done.exit_code == 2, done.output
    if command == ["plan", "--compare"]:
        assert "no plan is kept at nowhere" in done.output
    else:
        assert f"{tmp_path / 'nowhere'}: is not there" in done.output
        assert "Give the root of a dataset" in done.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("command", "said"), MISTAKES, ids=[" ".join(one) for one, _ in MISTAKES])
def test_what_has_to_be_mended_in_a_command_is_said(
    command: list[str], said: str, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In place of an answer without rows, which looks as if there were none."""
    monkeypatch.chdir(tmp_path)
    done = terrapair(*command, "--root", str(built))
    assert done.exit_code == 2, done.output
    assert said in " ".join(done.output.split())
    assert list(tmp_path.iterdir()) == []


def test_a_reason_that_is_known_may_have_no_rows(built: Path) -> None:
    """Of a sensible question none is an answer."""
    done = terrapair("catalog", "show", "rejects", "--root", str(built), "--json")
    reason = json.loads(done.stdout)[0]["reason"]
    command = ["catalog", "show", "rejects", "--reason", reason, "--until", "1990-01-01"]
    done = terrapair(*command, "--root", str(built), "--json")
    assert (done.exit_code, json.loads(done.stdout)) == (0, [])


def test_an_address_of_a_file_is_a_path(built: Path, tmp_path: Path) -> None:
    """Roots may be given so, and no folder `file:` is wanted."""
    to = tmp_path / "with space" / "chips.csv"
    to.parent.mkdir()
    done = terrapair("catalog", "show", "chips", "--root", str(built), "--export", to.as_uri())
    assert done.exit_code == 0, done.output
    assert to.is_file()


def test_what_was_written_is_told_as_json(built: Path, tmp_path: Path) -> None:
    """With --json, standard output is JSON, for a selection written to a file as well."""
    to = tmp_path / "chips.csv"
    done = terrapair(
        "catalog", "show", "chips", "--root", str(built), "--export", str(to), "--json"
    )
    told = json.loads(done.stdout)
    assert told == {
        "rows": len(to.read_text(encoding="utf-8").splitlines()) - 1,
        "product": "chips", "version": "v0001", "file": str(to),
    }  # fmt: skip
