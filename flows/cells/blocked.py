"""What is on the block list: told apart in tables, states and answers, and what is left of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from collectors.flickr import SearchPage, UnreadableRow
from collectors.records import Outcome, Stage
from collectors.storage import Missing
from flows.cells.state import read_commit, read_newest
from flows.products.block_list import FORGOTTEN, BlockList
from flows.products.rows import RejectRow
from flows.products.tables import read_parquet

if TYPE_CHECKING:
    from collectors.storage import Store
    from flows.cells.state import CellState
    from flows.products.rows import PhotoRow


def holds_blocked(table: pa.Table, blocks: BlockList) -> bool:
    """Says whether a table of any product names a photo or an owner that is on the block list."""

    def on_list(value: str | None, *, is_owner: bool) -> bool:
        return value is not None and (
            blocks.blocks(owner=value) if is_owner else blocks.blocks(value)
        )

    return any(
        on_list(value, is_owner=name == "owner")
        for name in ("owner", "photo_id", "detail")
        if name in table.column_names
        for value in table[name].unique().to_pylist()
    )


def part_holds_blocked(store: Store, path: str, blocks: BlockList) -> bool:
    """Says whether a part names what is on the block list, or did: somebody has just removed it."""
    try:
        return holds_blocked(read_parquet(store.read(path)), blocks)
    except Missing:
        return True


def names_blocked(state: CellState, blocks: BlockList) -> bool:
    """Says whether a cell's state names a photo or an owner that is on the block list."""
    rows: tuple[PhotoRow | RejectRow, ...] = (*state.photos, *state.rejects)
    return bool(blocks.hashes) and any(blocks.blocks(row.photo_id, row.owner) for row in rows)


class Tables(NamedTuple):
    """What a cell's generation says of photos.

    Attributes:
        generation: Its number; 0 is a cell without any.
        photos: The kept ones.
        rejects: All others that were seen.
    """

    generation: int
    photos: pa.Table
    rejects: pa.Table


def newest_tables(store: Store, cell_id: str, seen: int | None = None) -> Tables:
    """Returns the tables of a cell's newest generation.

    Args:
        store: The dataset.
        cell_id: The cell.
        seen: The newest generation that is known of; read where it is whole, newer or not.
    """

    def read(generation: int) -> Tables:
        if not generation:
            return Tables(0, pa.table({}), pa.table({}))
        parts = read_commit(store, cell_id, generation)["parts"]
        photos, rejects = (read_parquet(store.read(parts[name])) for name in ("photos", "rejects"))
        return Tables(generation, photos, rejects)

    return read_newest(store, cell_id, read, seen)


def forgotten_row(token: str, cell_id: str, generation: int) -> RejectRow:
    """Makes the row that is left of a photo; it says of every one the same."""
    return RejectRow(
        photo_id=token, owner=None, lon=None, lat=None, taken_at=None, licence=None,
        cell=cell_id, outcome=str(Outcome.REJECTED), stage=str(Stage.SCREEN), reason=FORGOTTEN,
        detail="", indoor_probability=None, generation=generation,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Screen:
    """Keeps what is on a block list out of the answers to searches, before anything is written.

    Attributes:
        blocks: The list.
    """

    blocks: BlockList = field(repr=False)

    def clean(self, page: SearchPage) -> SearchPage:
        """Returns a page on which blocked photos are rows with a token and nothing else.

        A page that is clean comes back as it is.
        """
        if not self.blocks.hashes:
            return page
        hidden = {
            photo.photo_id for photo in page.photos
            if self.blocks.blocks(photo.photo_id, photo.owner)
        }  # fmt: skip
        hidden |= {one for one in page.ids if self.blocks.blocks(one)}
        if not hidden:
            return page
        here = [one.photo_id for one in page.photos] + [one.photo_id for one in page.unreadable]
        rows = tuple(UnreadableRow(self.blocks.token(one), "") for one in here if one in hidden)
        return replace(
            page,
            photos=tuple(one for one in page.photos if one.photo_id not in hidden),
            unreadable=(
                *(one for one in page.unreadable if one.photo_id not in hidden), *rows
            ),
            ids=tuple(self.blocks.token(one) if one in hidden else one for one in page.ids),
        )  # fmt: skip
