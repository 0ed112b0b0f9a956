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
from flows.cells.blocked import holds_blocked, newest_tables, part_holds_blocked
from flows.cells.forgetting import ORDER_KEY
from flows.cells.state import COMMITS, generation_of, read_commit
from flows.products.block_list import is_token

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
        steps: Paths of steps of builds that were stopped, or are going on; in this order.
    """

    cell_id: str
    generations: frozenset[int]
    parts: tuple[str, ...]
    shards: tuple[str, ...]
    steps: tuple[str, ...]

    def remove(self, store: Store) -> None:
        """Removes it: a shard after the steps that go for its sake, should this be stopped."""
        for path in (*self.parts, *self.steps, *self.shards):
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
    newest, photos, rejects = newest_tables(store, cell_id)
    numbers = sorted(map(generation_of, store.list(f"{COMMITS}/{cell_id}")))
    present = set(store.list(f"parts/{cell_id}"))
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
            or any(part_holds_blocked(store, path, blocks) for path in sorted(paths))
        ):  # fmt: skip
            purged.add(number)
        (of_purged if number in purged else of_others).update(paths, commit["shards"])
    # Parts of a generation that was passed, and that no commit names, are named by none any more.
    # They go whatever stands in them: one of chips tells a place, and names no photo.
    parts = [path for path in sorted(present - of_others) if generation_of(path) <= newest]
    shards = [
        path for path in shard_paths(store, cell_id)
        if path not in of_others and (path in of_purged or _shard_names(store, path, blocks))
    ]  # fmt: skip
    there = store.list(f"steps/{cell_id}")
    steps = [path for path in there if _is_old_sign(path, newest)]
    steps += _steps_to_go(store, there, blocks, loose=not of_purged.issuperset(shards))
    return Purge(cell_id, frozenset(purged), tuple(parts), tuple(shards), tuple(steps))


def _steps_to_go(
    store: Store, there: Sequence[str], blocks: BlockList, *, loose: bool
) -> list[str]:
    """Returns all steps of a cell if one names something, or if finished work goes: else none.

    They build upon one another: asked anew, a search brings other photos than were placed. Those
    that name something come last, so that a purge that was stopped finds them all again.

    Args:
        store: The dataset.
        there: What lies among the cell's steps.
        blocks: The block list.
        loose: Whether shards go that no commit names.
    """
    steps = [path for path in there if path.endswith(".json.gz")]
    named = {path for path in steps if _step_names(store, path, blocks)}
    if not named and not loose:
        return []
    return sorted(steps, key=lambda path: (path in named, path))


def _shard_names(store: Store, path: str, blocks: BlockList) -> bool:
    """Says whether the index of a shard that no commit names holds something."""
    try:
        index = read_index(store, path)
    except Missing:
        return False
    return any(_is_named(row, blocks) for row in index)


def _step_names(store: Store, path: str, blocks: BlockList) -> bool:
    """Says whether what a build decided on its way names something."""
    try:
        step = json.loads(gzip.decompress(store.read(path)))
    except Missing:
        return False
    return _is_named(step, blocks)


def _is_old_sign(path: str, newest: int) -> bool:
    """Says whether a forgetting left a sign of life that has made its generation and died."""
    return f"-{ORDER_KEY}-" in path and generation_of(path) <= newest


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
