"""Chips are fetched while those before them are stored, and the dataset does not depend on it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from collectors.storage import Store
from flows.cells import services
from tests.flows.runs import small_catalogue

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.runs import Run

BATCH = 4
LONGEST_WAIT_S = 20


@pytest.fixture
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.cells.chip_batches.CHIP_BATCH", BATCH)


def files(root: Path) -> dict[str, bytes]:
    """Returns shards and manifests."""
    found = [*root.glob("shards/*/*"), *root.glob("manifests/*/**/*.*")]
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


@pytest.mark.usefixtures("_small_batches")
def test_the_next_chips_are_fetched_while_a_shard_is_written(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first shard of chips is held back until the batch after it was asked for.

    The bytes of everything are those of a build that begins nothing before its turn.
    """
    from flows.cells import chip_stage

    def make_small(document: Any) -> None:
        for sensor in ("sentinel2", "naip"):
            document["sources"][sensor] |= {"size_px": 160, "area_px": 80}

    catalogue = small_catalogue(tmp_path / "data_catalog.yaml", make_small, quota=12)
    begun, second = [], threading.Event()
    waited: list[bool] = []
    fetch, create = chip_stage.fetch_chip, Store.create

    def fetch_and_tell(chip: Any, *rest: Any) -> Any:
        begun.append(chip.chip_id)
        if len(begun) > BATCH:
            second.set()
        return fetch(chip, *rest)

    def hold_back(self: Store, path: str, data: bytes) -> bool:
        if path.startswith("shards/") and begun and not waited:
            waited.append(second.wait(LONGEST_WAIT_S))
        return create(self, path, data)

    with monkeypatch.context() as watching:
        watching.setattr(chip_stage, "fetch_chip", fetch_and_tell)
        watching.setattr(Store, "create", hold_back)
        run.build(tmp_path / "ahead", catalogue=catalogue, regions=("bay",), cells=1)
    assert waited == [True]
    monkeypatch.setattr(services, "BATCHES_AHEAD", 0)
    run.build(tmp_path / "in_turn", catalogue=catalogue, regions=("bay",), cells=1)
    assert files(tmp_path / "ahead") == files(tmp_path / "in_turn")
    assert len(list((tmp_path / "ahead").glob("shards/*/*"))) >= 4
