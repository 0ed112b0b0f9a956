"""Finds, and removes, what no commit names: what dead processes left and no restart will use.

What is looked at, and nothing else:

    shards/, parts/      objects that no commit of any generation names
    steps/               decisions on the way; a commit never names them
    manifests/vNNNN/     tables of a version that was never finished and whose number is passed,
                         and of one that was revoked, as what lies under index/ of it
    .probe-…, name#1     what a process left that died while it tried the storage out, or wrote

A cell in which anything of this is younger than the grace time is left as it is: someone may be at
work there. A run that begins a cell, or forgets something in it, leaves a sign of life first and
then looks for the mark of a sweep; a sweep leaves its mark first and then looks for signs of life.
Commits are read last, so that what was committed meanwhile is spared as well.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table
from rich.text import Text

from collectors.leftovers import discard, probes, storage_time, unfinished_files
from collectors.transport import SetupError
from flows.cells.state import COMMITS
from flows.cells.sweep_marks import MARK_LASTS, SWEEPS
from flows.products.revoked import left_of_revoked
from flows.products.versions import MANIFESTS, version_names
from flows.progress import no_progress
from flows.upkeep.dataset import open_dataset

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from rich.console import Console

    from collectors.storage import Store, StoredObject
    from flows.progress import Progress

GRACE: Final = timedelta(hours=24)
"""Default age below which nothing is touched."""

_CELL_FOLDERS: Final = {"shard": "shards", "part": "parts", "step": "steps"}
_TABLE: Final = re.compile(rf"{MANIFESTS}/(v\d{{4,}})/.")
_WORKERS: Final = 32


@dataclass(frozen=True, slots=True)
class Waste:
    """Something that no commit names.

    Attributes:
        kind: shard, part, step, table, revoked, probe or unfinished.
        found: The object.
    """

    kind: str
    found: StoredObject


@dataclass(frozen=True, slots=True)
class Sweeping:
    """What a sweep found.

    Attributes:
        waste: What may be removed, by path.
        spared: Objects that no commit names either, but which are young or in a cell with young
            ones.
        removed: Whether the waste has been removed.
    """

    waste: tuple[Waste, ...]
    spared: int
    removed: bool = False

    @property
    def size(self) -> int:
        """Bytes of the waste."""
        return sum(one.found.size for one in self.waste)

    def as_json(self) -> dict[str, Any]:
        """Returns what there is to say, for JSON."""
        return {
            "removed": self.removed,
            "bytes": self.size,
            "spared": self.spared,
            "waste": [
                {"kind": one.kind, "path": one.found.path, "bytes": one.found.size,
                 "modified_at": one.found.modified_at.isoformat()}
                for one in self.waste
            ],
        }  # fmt: skip


def sweep_dataset(
    root: str,
    *,
    grace: timedelta = GRACE,
    delete: bool = False,
    progress: Progress = no_progress,
    elapsed: Callable[[], float] = time.monotonic,
) -> Sweeping:
    """Finds what no commit names, and removes it if told to.

    Args:
        root: The dataset. It has to be writable: its clock is read by writing a small object.
        grace: Age below which nothing is touched, by the storage's own clock.
        delete: Whether to remove what is found.
        progress: Hears how many commits are read, and how much is removed.
        elapsed: Seconds, growing.

    Returns:
        What was found.

    Raises:
        SetupError: If the root holds no dataset, or a commit cannot be read; nothing is removed.
    """
    store = open_dataset(root)
    if not delete:
        return _find(store, storage_time(store), grace, progress)
    mark, started = f"{SWEEPS}/{secrets.token_hex(8)}", elapsed()
    store.create(mark, mark.encode())
    try:
        now = store.describe(mark).modified_at
        found = _find(store, now, grace, progress)

        def remove(waste: Waste) -> None:
            if elapsed() - started > MARK_LASTS.total_seconds() / 2:
                raise SetupError(root, "could not be swept in time.", "Sweep it again.")
            if waste.kind == "unfinished":
                discard(store, waste.found)
            else:
                store.delete(waste.found.path)

        with ThreadPoolExecutor(_WORKERS, "sweep") as pool:
            for done, _ in enumerate(pool.map(remove, found.waste), 1):
                progress("objects removed", done, len(found.waste))
        for old in store.objects(SWEEPS):
            if now - old.modified_at > MARK_LASTS:
                store.delete(old.path)
    finally:
        store.delete(mark)
    return replace(found, removed=True)


def _find(store: Store, now: datetime, grace: timedelta, progress: Progress) -> Sweeping:
    """Looks for waste; what lies there is listed before the commits that may name it are read."""
    by_cell: defaultdict[str, list[Waste]] = defaultdict(list)
    for kind, folder in _CELL_FOLDERS.items():
        for lying in store.objects(folder):
            by_cell[lying.path.split("/")[1]].append(Waste(kind, lying))
    alone = [Waste("probe", one) for one in probes(store)]
    alone += [Waste("unfinished", one) for one in unfinished_files(store)]
    alone += [Waste("table", one) for one in _dead_tables(store)]
    alone += [Waste("revoked", one) for one in left_of_revoked(store)]
    named = named_objects(store, progress)
    waste, spared = [], 0
    for one in alone:
        if now - one.found.modified_at > grace:
            waste.append(one)
        else:
            spared += 1
    for found in by_cell.values():
        unnamed = [one for one in found if one.found.path not in named]
        if all(now - one.found.modified_at > grace for one in unnamed):
            waste += unnamed
        else:
            spared += len(unnamed)
    return Sweeping(tuple(sorted(waste, key=lambda one: one.found.path)), spared)


def named_objects(store: Store, progress: Progress = no_progress) -> set[str]:
    """Returns the paths that commits name, of every cell and every generation.

    Published versions name generations, older ones too, so none of them is passed over.

    Raises:
        SetupError: If a commit is not what it should be.
    """

    def names_of(path: str) -> list[str]:
        try:
            commit = json.loads(store.read(path))
            return [*commit["parts"].values(), *commit["shards"]]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SetupError(
                store.uri(path),
                f"is no commit that can be read ({type(error).__name__}: {error}).",
                "Nothing was removed. Mend it first: `terrapair verify`.",
            ) from error

    with ThreadPoolExecutor(_WORKERS, "commits") as pool:
        commits, named = store.list(COMMITS), set[str]()
        for done, names in enumerate(pool.map(names_of, commits), 1):
            progress("commits read", done, len(commits))
            named.update(names)
        return named


def _dead_tables(store: Store) -> list[StoredObject]:
    """Returns tables of versions without manifest whose numbers no publisher will take again."""
    names = version_names(store)
    if not names:
        return []
    newest = int(names[-1][1:])
    return [
        one
        for one in store.objects(MANIFESTS)
        if (found := _TABLE.match(one.path))
        and found[1] not in names
        and int(found[1][1:]) < newest
    ]


def show_sweeping(console: Console, found: Sweeping) -> None:
    """Prints what was found: a line for each kind, then what to do."""
    by_kind: defaultdict[str, list[int]] = defaultdict(list)
    for one in found.waste:
        by_kind[one.kind].append(one.found.size)
    table = Table(header_style="bold")
    table.add_column("what no commit names")
    table.add_column("objects", justify="right")
    table.add_column("bytes", justify="right")
    for kind, sizes in sorted(by_kind.items()):
        table.add_row(kind, f"{len(sizes):,}", f"{sum(sizes):,}")
    if by_kind:
        console.print(table)
    what = f"{len(found.waste):,} objects of {found.size:,} bytes"
    if found.removed:
        text = f"removed {what}"
    elif found.waste:
        text = f"would remove {what}; --delete does it, --json lists them"
    else:
        text = "there is nothing to remove"
    console.print(Text(f"{text}; {found.spared:,} are too young, or in a cell with young ones"))
