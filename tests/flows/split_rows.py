"""Rows of made chips, each with one photo, to publish and to check splits without a build."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from flows.cells.state import CellState
from flows.products.rows import PairRow, PublishedPairRow
from flows.verification.row_invariants import CellRows
from tests.flows.product_rows import chip, pair, photo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flows.products.rows import ChipRow, PhotoRow
    from tests.filters.split_worlds import Made


@dataclass(frozen=True, slots=True)
class MadeRows:
    """A made chip, a photo in it, and their pair."""

    photo: PhotoRow
    chip: ChipRow
    pair: PairRow

    @classmethod
    def of(cls, made: Made, name: str, owner: str, generation: int = 1) -> MadeRows:
        """Names photo and chip after one another."""
        cell = made.cell.cell_id
        return cls(
            photo=replace(photo(name, cell), owner=owner, generation=generation),
            chip=replace(
                chip(f"chip {name}", cell, 1), sensor=made.sensor, crs=made.grid.crs,
                transform=made.grid.transform, scale_m=made.grid.scale_m, generation=generation,
            ),
            pair=replace(
                pair(name, f"chip {name}", cell), sensor=made.sensor, generation=generation
            ),
        )  # fmt: skip


def states_of(rows: Sequence[MadeRows], generation: int = 1) -> list[CellState]:
    """Returns the cells of rows, in the order of their names."""
    by_cell: dict[str, list[MadeRows]] = {}
    for row in rows:
        by_cell.setdefault(row.photo.cell, []).append(row)
    return [
        CellState(
            cell, generation, photos=tuple(row.photo for row in here),
            chips=tuple(row.chip for row in here), pairs=tuple(row.pair for row in here),
        )
        for cell, here in sorted(by_cell.items())
    ]  # fmt: skip


def published(rows: Sequence[MadeRows], splits: Sequence[str]) -> list[CellRows]:
    """Returns the rows that a version has, with the splits given, cell by cell."""
    split_of = dict(zip((row.photo.photo_id for row in rows), splits, strict=True))
    names = [field.name for field in fields(PairRow)]
    return [
        CellRows(
            state.cell_id, state.photos, (), state.chips,
            [
                PublishedPairRow(
                    **{name: getattr(row, name) for name in names}, split=split_of[row.photo_id]
                )
                for row in state.pairs
            ],
        )
        for state in states_of(rows)
    ]  # fmt: skip
