"""`terrapair indoor train` and `terrapair indoor evaluate`, from folders to weights to figures."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, get_args

import pytest
from PIL import Image
from typer.testing import CliRunner

from filters import indoor_training
from filters.indoor_engines import ENGINES
from filters.indoor_scores import RULES
from flows.command_line import app
from flows.commands.indoor import EngineName, RuleName
from tests.filters.pictures import room_or_field

if TYPE_CHECKING:
    from pathlib import Path

RUN = CliRunner()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-four pictures in two folders, and a file that is none."""
    folder = tmp_path_factory.mktemp("photos")
    for seed in range(24):
        below = folder / ("indoor" if seed % 2 else "outdoor")
        below.mkdir(exist_ok=True)
        (below / f"{seed:02d}.jpg").write_bytes(room_or_field(seed=seed, indoor=bool(seed % 2)))
    (folder / "indoor" / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture(scope="module")
def own(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """Weights trained on them, and what the command said."""
    out = tmp_path_factory.mktemp("own") / "own.pth"
    with pytest.MonkeyPatch.context() as patch:  # so few pictures are learnt long before the end
        patch.setattr(indoor_training, "train", partial(indoor_training.train, steps=120))
        said = RUN.invoke(
            app, ["indoor", "train", "--photos", str(photos), "--out", str(out), "--threads", "1",
                  "--json"],
        )  # fmt: skip
    assert said.exit_code == 0, said.output
    return out, json.loads(said.stdout)


def test_training_writes_weights_and_its_curve(own: tuple[Path, dict]) -> None:
    """The file is there, with the digest that was printed, and the file that was left out named."""
    out, said = own
    assert out.exists()
    assert len(said["sha256"]) == 64
    assert said["pictures"] == {"indoor": 12, "outdoor": 12}
    assert [path.rsplit("/", 1)[1] for path in said["unreadable"]] == ["notes.txt"]
    assert said["curve"][-1]["held_back_accuracy"] == 1


def test_evaluation_of_what_was_learnt(
    own: tuple[Path, dict], photos: Path, tmp_path: Path
) -> None:
    """All right, and no sheet of mistakes; with a threshold that nothing passes, half are wrong."""
    ask = ["indoor", "evaluate", "--photos", str(photos), "--weights", str(own[0]), "--json",
           "--threads", "1", "--sheet", str(tmp_path / "worst.jpg")]  # fmt: skip
    found = json.loads(RUN.invoke(app, ask).stdout)
    assert (found["pictures"], found["at"]["accuracy"], found["auc"]) == (24, 1, 1)
    assert found["weights_sha256"] == own[1]["sha256"]
    assert len(found["unreadable"]) == 1
    assert not (tmp_path / "worst.jpg").exists()
    strict = json.loads(RUN.invoke(app, [*ask, "--threshold", "1"]).stdout)
    assert strict["confusion"]["indoor"]["outdoor"] == 12
    assert len(strict["worst"]) == 12
    with Image.open(tmp_path / "worst.jpg") as sheet:
        assert sheet.size == (960, 348)


def test_the_options_are_the_filter_s_own() -> None:
    """They are written out in the command, for --help to come without PyTorch."""
    assert get_args(RuleName) == RULES
    assert get_args(EngineName) == ENGINES


def test_wrong_folders_and_rules_end_with_a_message(
    own: tuple[Path, dict], photos: Path, tmp_path: Path
) -> None:
    """No traceback, exit code 2, and what to do."""
    empty = RUN.invoke(
        app, ["indoor", "train", "--photos", str(tmp_path), "--out", str(tmp_path / "o.pth")]
    )
    assert (empty.exit_code, "outdoor" in empty.output) == (2, True)
    vote = RUN.invoke(
        app, ["indoor", "evaluate", "--photos", str(photos), "--weights", str(own[0]),
              "--rule", "top10_vote"],
    )  # fmt: skip
    assert vote.exit_code == 2
    assert "--rule top10_vote: " in vote.output
    assert "10 classes or more" in vote.output
    none = RUN.invoke(
        app, ["indoor", "evaluate", "--photos", str(photos), "--weights", str(tmp_path / "none")]
    )
    assert (none.exit_code, "cannot read the indoor weights" in none.output) == (1, True)
