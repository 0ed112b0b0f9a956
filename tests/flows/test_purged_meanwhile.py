"""A cell whose parts a forgetting removes, at any moment, while somebody else reads them."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from obstore.store import MemoryStore

from collectors.storage import Missing, Store
from flows.catalogue.catalogue import load_catalogue
from flows.cells.blocked import names_blocked, newest_tables
from flows.cells.cell import collect_cell
from flows.cells.forgetting import forget_in_cell
from flows.cells.forgotten_files import find_purge
from flows.cells.state import load_cell
from flows.products.block_list import add_request, begin_block_list
from tests.flows.forgotten_bytes import KEY
from tests.flows.made_up_services import CELL, World, memory_store, services
from tests.flows.runs import small_catalogue
from tests.flows.test_resuming import MONDAY, order_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from flows.catalogue.catalogue import Catalogue
    from flows.products.block_list import BlockList


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    """A few photos a cell, tiny chips."""

    def change(document: Any) -> None:
        for sensor in ("sentinel2", "naip"):
            document["sources"][sensor] |= {"size_px": 64, "area_px": 32}

    path = tmp_path_factory.mktemp("tiny") / "data_catalog.yaml"
    return load_catalogue(small_catalogue(path, change, quota=6))


@pytest.fixture(scope="module")
def built(catalogue: Catalogue) -> dict[str, bytes]:
    """What a dataset of one built cell holds."""
    store, world = memory_store(), World(1, count=8)
    for number, photo in enumerate(world.photos):
        world.photos[number] = replace(photo, uploaded_at=MONDAY)
    collect_cell(order_of(MONDAY), services(store, catalogue, world))
    return {path: store.read(path) for path in store.list()}


def with_list(built: dict[str, bytes], photos: list[str]) -> tuple[Store, BlockList]:
    """Returns a copy of the dataset in which photos are on the block list."""
    store = Store("memory:", MemoryStore(), None)
    for path, data in built.items():
        store.create(path, data)
    blocks = begin_block_list(store, KEY)
    return store, add_request(store, blocks, blocks.entries(photos, []))


def forget_whole(store: Store, blocks: BlockList, catalogue: Catalogue) -> None:
    """Does what a forgetting does in a cell."""
    forget_in_cell(store, CELL.cell_id, blocks, catalogue, 0)
    find_purge(store, CELL.cell_id, blocks).remove(store)


def interrupt(store: Store, at: int, act: Callable[[], None]) -> list[int]:
    """Has something done just before a store's read of that number; returns how many there were."""
    read, done, counted = store.read, list[int](), [0]

    def then(path: str) -> bytes:
        counted[0] += 1
        if counted[0] == at + 1 and not done:
            done.append(at)
            store.read = read  # type: ignore[method-assign]
            act()
            store.read = then  # type: ignore[method-assign]
        return read(path)

    store.read = then  # type: ignore[method-assign]
    return counted


READERS: dict[str, Callable[[Store, BlockList, Catalogue], Any]] = {
    "load_cell": lambda store, _blocks, _: load_cell(store, CELL.cell_id),
    "newest_tables": lambda store, _blocks, _: newest_tables(store, CELL.cell_id, 1),
    "find_purge": lambda store, blocks, _: find_purge(store, CELL.cell_id, blocks),
    "forget_in_cell": lambda store, blocks, catalogue: forget_in_cell(
        store, CELL.cell_id, blocks, catalogue, 0
    ),
}


@pytest.mark.parametrize("reader", list(READERS))
def test_whoever_reads_a_cell_meets_a_purge_at_any_moment(
    reader: str, built: dict[str, bytes], catalogue: Catalogue
) -> None:
    """Nothing fails, and the end is that of one after the other."""
    store, _ = with_list(built, [])
    one, other = (photo.photo_id for photo in load_cell(store, CELL.cell_id).photos[:2])
    for at in count():
        store, first = with_list(built, [one])
        blocks = add_request(store, first, first.entries([other], []))
        counted = interrupt(store, at, lambda: forget_whole(store, first, catalogue))  # noqa: B023
        READERS[reader](store, blocks, catalogue)
        forget_whole(store, blocks, catalogue)
        state = load_cell(store, CELL.cell_id)
        assert not names_blocked(state, blocks)
        assert find_purge(store, CELL.cell_id, blocks).generations <= {1, 2}
        assert [path for path in store.list() if other.encode() in store.read(path)] == []
        if counted[0] <= at:
            break
    assert at >= 3


def test_two_purge_the_same_cell(built: dict[str, bytes], catalogue: Catalogue) -> None:
    """What the one finds gone, the other has removed: it is of a purged generation."""
    store, _ = with_list(built, [])
    photo = load_cell(store, CELL.cell_id).photos[0].photo_id
    for at in count():
        store, blocks = with_list(built, [photo])
        forget_in_cell(store, CELL.cell_id, blocks, catalogue, 0)

        def purge() -> None:
            find_purge(store, CELL.cell_id, blocks).remove(store)  # noqa: B023

        counted = interrupt(store, at, purge)
        assert find_purge(store, CELL.cell_id, blocks).generations == {1}
        if counted[0] <= at:
            break
    assert at >= 5


def test_parts_that_a_build_left_go_while_they_are_looked_at(
    built: dict[str, bytes], catalogue: Catalogue
) -> None:
    """Another forgetting has made the generation that they were for, and removed them."""
    store, _ = with_list(built, [])
    photo = load_cell(store, CELL.cell_id).photos[0].photo_id
    for at in count():
        store, blocks = with_list(built, [photo])
        for path in store.list("parts"):
            store.create(path.replace("000001-", "000002-left-"), store.read(path))
        forget_whole(store, blocks, catalogue)
        for path in [one for one in built if one.startswith("parts/")]:
            store.create(path.replace("000001-", "000003-left-"), built[path])

        def remove() -> None:
            for path in [one for one in store.list("parts") if "000003-left-" in one]:  # noqa: B023
                store.delete(path)  # noqa: B023

        counted = interrupt(store, at, remove)
        forget_in_cell(store, CELL.cell_id, blocks, catalogue, 0)
        if counted[0] <= at:
            break
    assert at >= 3


def test_a_part_that_was_lost_is_said(built: dict[str, bytes]) -> None:
    """Without a newer generation it is damage, and nobody waits for one."""
    store, _ = with_list(built, [])
    store.delete(store.list("parts")[0])
    with pytest.raises(Missing):
        load_cell(store, CELL.cell_id)
