"""A machine that dies before or after any chosen operation of its storage."""

from __future__ import annotations

import shutil
import threading
from contextlib import contextmanager
from datetime import timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any

import pytest

from collectors.shards import read_index
from collectors.storage import Store, open_store
from flows.upkeep.sweeping import sweep_dataset
from flows.verification.verification import verify_dataset

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.flows.runs import Run

OPERATIONS = ("create", "replace", "read", "read_range", "list", "objects", "describe", "size",
              "exists", "delete")  # fmt: skip
"""Everything that `Store` asks a storage for."""

SERVICES = ("flickr.search", "photo.get", "ee.features", "ee.get_pixels")
"""The sandbox's names of what costs quota."""


class PowerCutError(BaseException):
    """The machine is gone: nothing that catches exceptions catches this."""


class Machine:
    """Counts the operations of all stores, and dies at a chosen one; nothing works from then on.

    Attributes:
        done: Names of the operations that were begun, in order.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Puts itself before every operation of `Store`, its own tries at opening included."""
        self.done: list[str] = []
        self._at = 0
        self._folder = ""
        self._after = False
        self._dead = False
        self._lock = threading.Lock()
        self._inside = threading.local()
        for name in OPERATIONS:
            monkeypatch.setattr(Store, name, self._guard(name, getattr(Store, name)))

    @contextmanager
    def dying(self, at: int, *, after: bool) -> Iterator[None]:
        """Lets the machine die before or after the operation of that number, from 1."""
        self.done.clear()
        self._at, self._after = at, after
        try:
            yield
        finally:
            self._at, self._dead = 0, False

    @contextmanager
    def dying_at(self, folder: str) -> Iterator[None]:
        """Lets the machine die when something has been created in a folder."""
        self._folder = folder
        try:
            yield
        finally:
            self._folder, self._dead = "", False

    def _guard(self, name: str, operation: Any) -> Any:
        @wraps(operation)
        def guarded(store: Store, *args: Any, **options: Any) -> Any:
            if getattr(self._inside, "it", False):  # an operation that is made of others
                return operation(store, *args, **options)
            with self._lock:
                self.done.append(name)
                now = len(self.done) == self._at
                if self._dead or (now and not self._after):
                    self._dead = True
                    raise PowerCutError
            self._inside.it = True
            try:
                return operation(store, *args, **options)
            finally:
                self._inside.it = False
                into = self._folder and name == "create" and args[0].startswith(self._folder)
                if now or into:
                    self._dead = True
                    raise PowerCutError

        return guarded


def visible_requests(root: str) -> dict[str, int]:
    """Returns how many requests the finished work of a dataset has cost, by the sandbox's names.

    It is read from the shards and steps that lie there, whoever names them.
    """
    store = open_store(root, writable=False)
    found = dict.fromkeys(SERVICES, 0)
    photos = set()  # one that was laid out anew may stand in two shards
    for path in store.list("shards"):
        for row in read_index(store, path):
            if "refused" in row["verdict"]:
                found["ee.get_pixels"] += len(row["verdict"]["refused"]) + bool(row["member"])
            else:
                photos.add(row["item_id"])
    found["photo.get"] = len(photos)
    for path in store.list("steps"):
        found["flickr.search"] += "-search-" in path
        found["ee.features"] += "-placed-" in path
    return found


def manifests(root: Path) -> dict[str, bytes]:
    """Returns the files of all versions."""
    folder = root / "manifests"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")}


def keep_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps what is slow to open from one build to the next: a login, and a network's weights.

    Neither touches the storage, and neither remembers anything of a build but counts.
    """
    import filters.indoor
    import filters.indoor_weights
    from collectors.earth_engine import EarthEngine

    kept: dict[str, Any] = {}

    def once(name: str, make: Any) -> Any:
        def made(*args: Any, **options: Any) -> Any:
            if name not in kept:
                kept[name] = make(*args, **options)
            return kept[name]

        return made

    monkeypatch.setattr(EarthEngine, "connect", once("login", EarthEngine.connect))
    monkeypatch.setattr(
        filters.indoor, "IndoorClassifier", once("classifier", filters.indoor.IndoorClassifier)
    )
    monkeypatch.setattr(
        filters.indoor_weights, "load", once("weights", filters.indoor_weights.load)
    )


class CrashSweep:
    """One order, built once without a crash and then, from nothing, once for each crash."""

    def __init__(
        self, run: Run, catalogue: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, **order: Any
    ) -> None:
        """Builds it without a crash."""
        keep_clients(monkeypatch)
        self._run, self._folder = run, folder
        self._order = {"catalogue": catalogue, **order}
        self._machine = Machine(monkeypatch)
        self._never = folder / "never"
        self.requests = self._build(self._never)
        self.operations = list(self._machine.done)
        sweep_dataset(str(self._never), grace=timedelta(0), delete=True)
        self._files = files(self._never)

    def crash(self, at: int, *, after: bool) -> int:
        """Dies at an operation, starts again, and holds what comes of it to the build without.

        Returns:
            How many requests were made twice: those whose answers were in no shard or step.
        """
        root = self._folder / f"{at}-{'after' if after else 'before'}"
        self._run.sandbox.reset()
        others = set(threading.enumerate())
        with self._machine.dying(at, after=after):
            with pytest.raises(PowerCutError):
                self._run.build(root, **self._order)
            # A real machine's threads die with it: what these still ask is the first build's.
            for thread in set(threading.enumerate()) - others:
                thread.join()
        first = self._counts()
        committed = any(root.glob("cells/*/*.json"))
        visible = visible_requests(str(root)) if root.exists() else dict.fromkeys(SERVICES, 0)
        second = self._build(root)
        for name in SERVICES:
            expected = 0 if committed else self.requests[name] - visible[name]
            assert second[name] == expected, (at, after, name)
        assert manifests(root) == manifests(self._never), (at, after)
        assert [one.offenders for one in verify_dataset(str(root)) if one.broken] == []
        # What the crash left over is swept up, and nothing else.
        sweep_dataset(str(root), grace=timedelta(0), delete=True)
        assert files(root) == self._files, (at, after)
        shutil.rmtree(root)
        return sum(first.values()) + sum(second.values()) - sum(self.requests.values())

    def _build(self, root: Path) -> dict[str, int]:
        self._run.sandbox.reset()
        with self._machine.dying(0, after=False):
            self._run.build(root, **self._order)
            done = list(self._machine.done)
        self._machine.done[:] = done
        return self._counts()

    def _counts(self) -> dict[str, int]:
        counts = self._run.sandbox.counts()
        return {name: counts.get(name, 0) for name in SERVICES}


def files(root: Path) -> dict[str, bytes]:
    """Returns all files of a dataset but the records of its runs."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.parent.name != "runs"
    }
