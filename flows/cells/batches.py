"""Finished work of a cell: batches of fixed membership, each one shard, each done once.

A batch is the unit of repeat: what a dead process had in hand is done again, what it had written
is read. Which items make a batch follows from the photos alone, never from timing, so that a build
that was stopped writes the same shards as one that was not. Shards of chips are committed as they
are; photos are laid out anew before (`flows.cells.photo_layout`), and their batches go when that is
committed.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from collectors.shards import pack, read_index, read_places, shard_paths, write_shard
from collectors.storage import Missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from collectors.storage import Store


class ShardRemovedError(Exception):
    """A shard that this run has written or read is gone: another run has tidied up, or a purge.

    Attributes:
        path: Path of the shard.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


@dataclass(frozen=True, slots=True)
class Piece:
    """The outcome of one item of work.

    Attributes:
        item_id: Photo or chip id.
        verdict: What was found, fit for JSON.
        member: Name and bytes to store; None if there are none.
    """

    item_id: str
    verdict: Mapping[str, Any]
    member: tuple[str, bytes] | None = None


@dataclass(frozen=True, slots=True)
class Location:
    """Where the bytes of an item are: shard path, offset and size in bytes, SHA-256."""

    shard: str
    offset: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The outcome of one item of work, with its bytes stored."""

    item_id: str
    verdict: Mapping[str, Any]
    location: Location | None


class Batches:
    """The batches of one cell: those found finished, and those made now."""

    def __init__(self, store: Store, cell_id: str, named: Iterable[str], work_key: str) -> None:
        """Looks for shards that no commit names yet.

        Args:
            store: The dataset.
            cell_id: The cell.
            named: Shards that the cell's commit names.
            work_key: Work done under another key (other rules, other weights) is not used.
        """
        self._store, self._cell_id, self._work_key = store, cell_id, work_key
        self._empty: set[str] = set()
        self._ready: dict[tuple[str, tuple[str, ...]], str] = {}
        taken = set(named)
        for path in shard_paths(store, cell_id):
            if path in taken:
                continue
            try:
                index = read_index(store, path)
            except Missing:
                continue  # another run has just tidied up
            if index and all(row["work_key"] == work_key for row in index):
                ids = tuple(row["item_id"] for row in index)
                self._ready[index[0].get("beside", ""), ids] = path

    def holds(self, item_ids: Sequence[str], beside: str = "") -> bool:
        """Says whether a batch was found finished, so that there is nothing to begin."""
        return (beside, tuple(item_ids)) in self._ready

    def run(
        self, item_ids: Sequence[str], work: Callable[[], Sequence[Piece]], beside: str = ""
    ) -> tuple[Finished, ...]:
        """Returns the outcomes of a batch, found finished or done now.

        Args:
            item_ids: The members of the batch, in order; none twice.
            work: Does the whole batch, and returns a piece for every item in the same order.
            beside: Names what else the outcome depends on; work done beside something else is not
                used.

        Raises:
            ShardRemovedError: If the batch's shard is gone as soon as it was written.
        """
        path = self._ready.get((beside, tuple(item_ids)))
        if path is not None:
            # Missing: another run of the same order has finished and tidied up.
            with suppress(Missing):
                found = self._read(path)
                if all(one.location is None for one in found):
                    self._empty.add(path)
                return found
        path = self._store_batch(item_ids, work(), beside)
        try:
            return self._read(path)
        except Missing as error:
            raise ShardRemovedError(path) from error

    def _store_batch(self, item_ids: Sequence[str], pieces: Sequence[Piece], beside: str) -> str:
        if [piece.item_id for piece in pieces] != list(item_ids):
            raise AssertionError("a batch must give one piece for each of its items, in order")
        rows: list[dict[str, Any]] = []
        members: list[tuple[str, bytes]] = []
        for piece in pieces:
            name = None
            if piece.member is not None:
                members.append(piece.member)
                name = piece.member[0]
            rows.append({"item_id": piece.item_id, "work_key": self._work_key, "beside": beside,
                         "member": name, "verdict": dict(piece.verdict)})  # fmt: skip
        path = write_shard(self._store, self._cell_id, pack(members, rows))
        if not members:
            self._empty.add(path)
        return path

    def _read(self, path: str) -> tuple[Finished, ...]:
        places = read_places(self._store, path)
        finished = []
        for row in read_index(self._store, path):
            location = None
            if row["member"] is not None:
                place = places[row["member"]]
                location = Location(path, place.offset, place.size, place.sha256)
            finished.append(Finished(row["item_id"], row["verdict"], location))
        return tuple(finished)

    def clear(self, left: Iterable[str] = ()) -> None:
        """Removes the shards of this work, made or found, that no row can name any more.

        Those hold verdicts alone, or photos that were laid out in other shards. Shards of chips are
        left, named or not: another run may be about to name them.

        Args:
            left: Paths of shards whose photos were laid out anew and committed there.
        """
        for path in sorted(self._empty | set(left)):
            self._store.delete(path)
