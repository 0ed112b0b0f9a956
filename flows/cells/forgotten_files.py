"""Removes the files of a cell in which something stands that must be forgotten.

It is done after the cell has a generation without it, and the dataset a version without it. A
generation is *purged* if one of its parts named something on the block list: all its parts go, and
the shards that only such generations name. That parts are missing is the mark by which a purged
generation is known again, so that a purge that was stopped goes on.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from collectors.shards import read_index, shard_paths
from collectors.storage import Missing
from flows.cells.blocked import holds_blocked, newest_tables
from flows.cells.state import COMMITS, read_commit
from flows.products.block_list import is_token
from flows.products.tables import read_parquet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.storage import Store
    from flows.products.block_list import BlockList


@dataclass(frozen=True, slots=True)
class Purge:
    """What is to be removed of a cell.

    Attributes:
        cell_id: The cell.
        generations: The purged generations.
        parts: Paths of parts.
        shards: Paths of shards.
        steps: Paths of steps of builds that were stopped, or are going on.
    """

    cell_id: str
    generations: frozenset[int]
    parts: tuple[str, ...]
    shards: tuple[str, ...]
    steps: tuple[str, ...]

    def remove(self, store: Store) -> None:
        """Removes it."""
        for path in (*self.parts, *self.shards, *self.steps):
            store.delete(path)


def find_purge(store: Store, cell_id: str, blocks: BlockList, *, planned: bool = False) -> Purge:
    """Finds what of a cell has to be removed.

    Args:
        store: The dataset.
        cell_id: The cell.
        blocks: The block list.
        planned: Whether the cell's newest generation, which may name something, is still to be
            followed by one that does not.
    """
    numbers = sorted(
        int(path.rsplit("/", 1)[1].removesuffix(".json"))
        for path in store.list(f"{COMMITS}/{cell_id}")
    )
    present = set(store.list(f"parts/{cell_id}"))
    newest = numbers[-1] if numbers else 0
    photos, rejects = newest_tables(store, cell_id, newest)
    named = holds_blocked(photos, blocks) or holds_blocked(rejects, blocks)
    # No row ever leaves a cell but by being forgotten: older generations name nothing more.
    look_back = named or (newest and any(map(is_token, rejects["photo_id"].to_pylist())))
    purged: set[int] = {newest} if named and planned else set()
    of_purged: set[str] = set()
    of_others: set[str] = set()
    for number in numbers:
        commit = read_commit(store, cell_id, number)
        paths = set(commit["parts"].values())
        if look_back and number < newest and (
            not paths <= present
            or any(holds_blocked(read_parquet(store.read(path)), blocks) for path in sorted(paths))
        ):  # fmt: skip
            purged.add(number)
        (of_purged if number in purged else of_others).update(paths, commit["shards"])
    parts = [
        path for path in sorted(present - of_others)
        if path in of_purged or _part_names(store, path, newest, blocks)
    ]  # fmt: skip
    shards = [
        path for path in shard_paths(store, cell_id)
        if path not in of_others and (path in of_purged or _shard_names(store, path, blocks))
    ]  # fmt: skip
    steps = [path for path in store.list(f"steps/{cell_id}") if _step_names(store, path, blocks)]
    return Purge(cell_id, frozenset(purged), tuple(parts), tuple(shards), tuple(steps))


def _part_names(store: Store, path: str, newest: int, blocks: BlockList) -> bool:
    """Says whether a part that no commit names, and none can name any more, holds something."""
    if int(path.rsplit("/", 1)[1].split("-", 1)[0]) > newest:
        return False
    return holds_blocked(read_parquet(store.read(path)), blocks)


def _shard_names(store: Store, path: str, blocks: BlockList) -> bool:
    """Says whether the index of a shard that no commit names holds something."""
    try:
        index = read_index(store, path)
    except Missing:
        return False
    return any(_is_named(row, blocks) for row in index)


def _step_names(store: Store, path: str, blocks: BlockList) -> bool:
    """Says whether what a build decided on its way names something."""
    if not path.endswith(".json.gz"):
        return False
    try:
        step = json.loads(gzip.decompress(store.read(path)))
    except Missing:
        return False
    return _is_named(step, blocks)


def _is_named(value: Any, blocks: BlockList) -> bool:
    """Says whether a text anywhere in a JSON value is on the block list."""
    return any(blocks.blocks_text(text) for text in texts_of(value))


def texts_of(value: Any) -> Iterator[str]:
    """Gives all texts of a JSON value, the names of its fields among them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, one in value.items():
            yield str(name)
            yield from texts_of(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts_of(one)
