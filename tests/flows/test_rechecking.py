"""Photos that are gone, private or under another licence are found within the limit, and go."""

from __future__ import annotations

import json
import shutil
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from collectors.storage import open_store
from collectors.transport import SetupError
from flows.command_line import app
from flows.demo import as_environment, sandbox_settings
from flows.settings import read_settings
from flows.upkeep.dataset import catalogue_of
from flows.upkeep.rechecking import Recheck, ask_flickr, read_notes
from tests.flows.forgotten_bytes import KEY, Traces, rows
from tests.flows.small_worlds import small_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.flows.runs import Run

TODAY, BEFORE = date(2026, 11, 20), date(2026, 10, 21)


@pytest.fixture(scope="module")
def small(run: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    """A dataset of one cell with small chips, and what built it."""
    folder = tmp_path_factory.mktemp("small")
    mine = small_run(run.sandbox, folder, quota=12)
    mine.build(folder / "dataset", cells=1, regions=("bay",))
    return mine, folder / "dataset"


@pytest.fixture
def runs(small: tuple[Run, Path]) -> Iterator[Run]:
    """Builds on it; what became of photos is undone afterwards."""
    yield small[0]
    small[0].sandbox.change_photos()


@pytest.fixture
def root(small: tuple[Run, Path], tmp_path: Path) -> Path:
    """A dataset that may be changed."""
    return shutil.copytree(small[1], tmp_path / "dataset")


def ask(runs: Run, root: Path, **more: Any) -> Recheck:
    """Asks about what is due."""
    store = open_store(str(root))
    allowed = catalogue_of(store, runs.catalogue).rules.licence_ids
    settings = read_settings(sandbox_settings(runs.sandbox))
    return ask_flickr(store, settings, allowed, **({"today": TODAY, "since": BEFORE} | more))


def test_each_way_to_be_lost_is_told_apart(runs: Run, root: Path) -> None:
    """Gone, private, a licence that is not allowed; another one that is stays."""
    kept = sorted(row["photo_id"] for row in rows(root, "photos"))
    gone, private, reserved, other = kept[:4]
    now = {row["photo_id"]: row["licence"] for row in rows(root, "photos")}
    also = 9 if now[other] != "CC0-1.0" else 4
    runs.sandbox.change_photos(gone=[gone], private=[private], licences={reserved: 0, other: also})
    found = ask(runs, root)
    assert (found.gone, found.private, found.unlicensed) == ([gone], [private], [reserved])
    assert (found.asked, found.relicensed, found.fine) == (len(kept), 1, len(kept) - 4)
    assert found.left == 0


def test_the_photos_of_an_owner_are_asked_for_at_once(runs: Run, root: Path) -> None:
    """One search for those of an owner, one call for each other; the calls are counted."""
    kept = rows(root, "photos")
    owners = {row["owner"] for row in kept}
    runs.sandbox.reset()
    found = ask(runs, root)
    counts = runs.sandbox.counts()
    several = {one for one in owners if sum(row["owner"] == one for row in kept) > 1}
    assert 1 <= counts["flickr.search"] == len(several)
    assert counts["flickr.info"] == len(owners) - len(several)
    assert found.calls == len(owners)
    assert found.fine == len(kept)


def test_it_goes_on_where_it_was(runs: Run, root: Path) -> None:
    """A limit, then the rest; then nothing is due until the day has passed."""
    kept = rows(root, "photos")
    first = ask(runs, root, limit=5)
    assert (first.asked, first.left) == (5, len(kept) - 5)
    second = ask(runs, root)
    assert (second.asked, second.left) == (len(kept) - 5, 0)
    assert ask(runs, root).asked == 0
    assert ask(runs, root, since=date(2026, 11, 21)).asked == len(kept)


def test_what_is_lost_is_asked_for_again_if_nobody_forgets_it(runs: Run, root: Path) -> None:
    """It gets no note, so a stopped run loses none of them."""
    gone = rows(root, "photos")[0]["photo_id"]
    runs.sandbox.change_photos(gone=[gone])
    assert ask(runs, root).gone == [gone]
    again = ask(runs, root)
    assert (again.asked, again.gone) == (1, [gone])


def test_the_command_forgets_them(runs: Run, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says first what it would do; with --yes nothing of them is left, its notes included."""
    for name, text in as_environment(sandbox_settings(runs.sandbox)).items():
        monkeypatch.setenv(name, text)
    monkeypatch.setenv("TERRAPAIR_BLOCK_KEY", KEY)
    gone = max(row["photo_id"] for row in rows(root, "photos"))
    traces = Traces.of(root, gone)
    (cell,) = {row["cell"] for row in rows(root, "photos")}
    command = ["recheck", "--root", str(root), "--catalog", str(runs.catalogue)]
    fine = CliRunner().invoke(app, command)
    assert fine.exit_code == 0, fine.output
    assert "to be forgotten: 0 gone" in " ".join(fine.output.split())
    assert gone in read_notes(open_store(str(root)), cell)
    runs.sandbox.change_photos(gone=[gone])
    told = CliRunner().invoke(app, [*command, "--since", "2099-01-01"])
    assert told.exit_code == 0, told.output
    assert "nothing was forgotten" in told.output
    assert traces.found_in(root) != []
    done = CliRunner().invoke(app, [*command, "--since", "2099-01-01", "--yes", "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert (said["recheck"]["gone"], said["forgetting"]["photos"]) == ([gone], 1)
    assert traces.found_in(root) == []


def test_a_service_that_has_lost_everything_is_not_believed(runs: Run, root: Path) -> None:
    """Twenty photos and more than a fifth of them: somebody has to look first."""
    kept = [row["photo_id"] for row in rows(root, "photos")]
    runs.sandbox.change_photos(gone=kept)
    found = ask(runs, root)
    assert set(found.gone) == set(kept)
    found.check_plausible("here")  # too few to say
    found.asked, found.gone = 20, [str(number) for number in range(5)]
    with pytest.raises(SetupError, match="5 of 20"):
        found.check_plausible("here")
    found.gone.pop()
    found.check_plausible("here")
