"""`terrapair doctor --root`: whether a dataset's block list can be read here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from collectors.storage import open_store
from flows.products.block_list import add_request, begin_block_list, close_request
from flows.products.versions import settle_seed
from tests.flows.test_command_line import environment_of, terrapair

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.runs import Run

KEY = "a key of more than sixteen characters"


@pytest.fixture
def forgotten(tmp_path: Path) -> Path:
    """A dataset in which somebody's photo was forgotten."""
    store = open_store(str(tmp_path / "dataset"))
    settle_seed(store, 3)
    blocks = begin_block_list(store, KEY)
    blocks = add_request(store, blocks, blocks.entries(["10079074161"], []))
    close_request(store, blocks.requests[0], {})
    return tmp_path / "dataset"


def key_of(run: Run, root: Path, **more: str) -> dict[str, Any]:
    """Returns what is said of the block key, and the exit code with it."""
    environment = environment_of(run.sandbox, run.cache, **more)
    done = terrapair("doctor", "--root", str(root), "--json", **environment)
    found = {one["name"]: one for one in json.loads(done.stdout)}
    return found["block key"] | {"exit": done.exit_code}


def test_a_key_that_fits_is_said_with_its_place(run: Run, forgotten: Path, tmp_path: Path) -> None:
    """From the variable or the file, and the key itself is not printed."""
    told = key_of(run, forgotten, block_key=KEY)
    assert (told["well"], told["exit"]) == (True, 0)
    assert "TERRAPAIR_BLOCK_KEY fits" in told["said"]
    assert "1 request" in told["said"]
    (tmp_path / "block.key").write_text(f"{KEY}\n")
    told = key_of(run, forgotten, block_key_file=str(tmp_path / "block.key"))
    assert told["well"]
    assert f"{tmp_path / 'block.key'} fits" in told["said"]
    assert KEY not in told["said"]


def test_a_key_that_is_missing_or_another_is_said_with_the_remedy(
    run: Run, forgotten: Path, tmp_path: Path
) -> None:
    """A build would stop for it, so the exit code is 1."""
    nowhere = str(tmp_path / "none.key")
    told = key_of(run, forgotten, block_key_file=nowhere)
    assert (told["well"], told["exit"]) == (False, 1)
    assert "not on this machine" in told["said"]
    assert "TERRAPAIR_BLOCK_KEY" in told["said"]
    told = key_of(run, forgotten, block_key="another key of enough characters")
    assert not told["well"]
    assert "not the one that it was made with" in told["said"]


def test_without_a_list_no_key_is_needed(run: Run, forgotten: Path, tmp_path: Path) -> None:
    """Neither where there is no dataset yet, nor where nobody asked; and nothing is made there."""
    told = key_of(run, tmp_path / "none")
    assert told["well"]
    assert "there is no dataset" in told["said"]
    assert not (tmp_path / "none").exists()
    settle_seed(open_store(str(tmp_path / "young")), 3)
    told = key_of(run, tmp_path / "young")
    assert told["well"]
    assert "nobody's photos were forgotten" in told["said"]


def test_a_half_done_forgetting_is_said(run: Run, forgotten: Path) -> None:
    """Builds wait for its end, so doctor says how to bring it about."""
    store = open_store(str(forgotten))
    blocks = begin_block_list(store, KEY)
    add_request(store, blocks, blocks.entries([], ["1@N01"]))
    told = key_of(run, forgotten, block_key=KEY)
    assert not told["well"]
    assert "terrapair forget --root" in told["said"]
