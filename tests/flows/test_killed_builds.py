"""Builds that are really killed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.cells.photo_stage import PHOTO_BATCH
from flows.verification.verification import verify_dataset
from tests.flows.killed_builds import Killer, lost_rows
from tests.flows.power_cuts import manifests

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.runs import Run


def test_three_kills_lose_and_repeat_nothing(run: Run, tiny: Path, tmp_path: Path) -> None:
    """SIGKILL at random requests: the same manifests, and no finished item is asked for again."""
    killer = Killer(run, tiny, tmp_path, regions=("bay",), cells=1)
    whole = killer.finish(tmp_path / "whole")
    roots = [tmp_path / f"killed-{number}" for number in range(4)]
    toll = killer.kill(roots, kills=3, seed=1, whole=whole)
    assert (toll.kills, toll.repeated) == (3, 0)
    assert 0 < toll.in_flight <= PHOTO_BATCH
    for root in roots[: toll.datasets]:
        assert manifests(root) == manifests(tmp_path / "whole")
        assert lost_rows(tmp_path / "whole", root) == 0
        assert [one.offenders for one in verify_dataset(str(root)) if one.broken] == []
