"""A forgetting on a machine that dies at any chosen operation of its storage."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

import flows.products.block_list
from flows.upkeep.asked import Asked
from flows.verification.verification import verify_dataset
from tests.flows.forgotten_bytes import KEY, Traces, forget, rows
from tests.flows.power_cuts import Machine, PowerCutError, files
from tests.flows.small_worlds import small_run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.runs import Run


@dataclass
class ForgettingSweep:
    """One forgetting, done once without a crash and then, from the same dataset, with each."""

    folder: Path
    dataset: Path
    catalogue: Path
    monkeypatch: pytest.MonkeyPatch

    @classmethod
    def of(cls, run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ForgettingSweep:
        """Builds a dataset of one cell, in which a photo is then forgotten."""
        mine = small_run(run.sandbox, folder)
        mine.build(folder / "dataset", cells=1, regions=("bay",))
        return cls(folder, folder / "dataset", mine.catalogue, monkeypatch)

    def __post_init__(self) -> None:
        """Does it without a crash."""
        # Else each would have a salt of its own, and rows other tokens.
        self.monkeypatch.setattr(
            flows.products.block_list.secrets, "token_hex", lambda size: "5a" * size
        )
        photo = max(row["photo_id"] for row in rows(self.dataset, "photos"))
        self.traces = Traces.of(self.dataset, photo)
        self.asked = Asked(photos=frozenset({photo}))
        self.machine = Machine(self.monkeypatch)
        never = shutil.copytree(self.dataset, self.folder / "never")
        with self.machine.dying(0, after=False):
            forget(never, self.catalogue, self.asked)
        self.operations = list(self.machine.done)
        self.files = self._files(never)

    def crash(self, at: int, *, after: bool) -> None:
        """Dies at an operation, goes on without naming the photo again, and compares."""
        root = shutil.copytree(self.dataset, self.folder / f"{at}-{after}")
        with self.machine.dying(at, after=after), pytest.raises(PowerCutError):
            forget(root, self.catalogue, self.asked)
        begun = (root / "blocked" / "list").exists()
        forget(root, self.catalogue, Asked() if self._is_open(root) else self.asked)
        assert self.traces.found_in(root) == [], (at, after, begun)
        assert self._files(root) == self.files, (at, after)
        broken = [one.offenders for one in verify_dataset(str(root), block_key=KEY) if one.broken]
        assert broken == [], (at, after)
        shutil.rmtree(root)

    def _is_open(self, root: Path) -> bool:
        lists = {path.name for path in root.glob("blocked/list/*")}
        return bool(lists - {path.name for path in root.glob("blocked/records/*")})

    def _files(self, root: Path) -> dict[str, bytes]:
        """Returns all files but the records, which say what the last try still found."""
        return {
            path: data for path, data in files(root).items()
            if not path.startswith("blocked/records")
        }  # fmt: skip
