"""Threads that work on pixels hold a core; threads that wait for a service hold none."""

from __future__ import annotations

import threading
from collections import Counter
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from collectors.cores import CORES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from tests.flows.runs import Run

COMPUTING = (
    "collectors.photo_files.prepare", "collectors.earth_engine.average_by_area",
    "flows.cells.chip_work.measure", "flows.cells.chip_work.encode_chip",
)  # fmt: skip
WAITING = ("collectors.photo_files.PhotoHost._try", "collectors.earth_engine.EarthEngine.send")


class Watched:
    """The cores, and whether the thread that asks holds one."""

    def __init__(self) -> None:
        self._own = threading.local()

    @property
    def held(self) -> int:
        return getattr(self._own, "held", 0)

    def __enter__(self) -> None:
        CORES.acquire()
        self._own.held = self.held + 1

    def __exit__(self, *_: object) -> None:
        self._own.held -= 1
        CORES.release()


def test_pixels_are_worked_on_with_a_core_in_hand_and_waited_for_without(
    run: Run, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So at most as many threads compute as there are cores, whatever the services allow."""
    cores, seen = Watched(), Counter[tuple[str, int]]()

    def watched(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def run_watched(*args: Any, **named: Any) -> Any:
            seen[name, cores.held] += 1
            return work(*args, **named)

        return run_watched

    for module in ("collectors.photo_files", "collectors.earth_engine", "flows.cells.chip_work"):
        monkeypatch.setattr(f"{module}.CORES", cores)
    for name in (*COMPUTING, *WAITING):
        monkeypatch.setattr(name, watched(name, resolve_name(name)))
    run.build(tmp_path / "dataset", catalogue=tiny, regions=("bay",), cells=1)
    assert set(seen) == {(name, 1) for name in COMPUTING} | {(name, 0) for name in WAITING}
