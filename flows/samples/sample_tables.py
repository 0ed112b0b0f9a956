"""The tables of samples, cell by cell, in files that are mapped into memory.

A million photos' rows take a gigabyte. Mapped, they are the kernel's to keep or to drop, and the
workers of a machine share them; a worker that is started anew opens them by their path.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

TABLES: Final = ("chips", "pairs", "photos")

FIRST_PAIR: Final = "first_pair"
"""Column of the chips: where the chip's pairs begin among those of its cell."""

PHOTO: Final = "photo"
"""Column of the pairs: number of the photo among those of the cell."""

_LEFT_OUT: Final = {"geometry", "bbox"}
"""Columns that follow from others."""

_REPEATED: Final = {
    "cell", "sensor", "time_bin", "outcome", "reason", "scene_id", "crs", "processing", "shard",
    "owner", "licence", "time_zone", "split",
}  # fmt: skip
"""Columns of which a cell has few values: kept as dictionaries."""


@dataclass(frozen=True, slots=True)
class CellSamples:
    """The samples of one cell.

    Attributes:
        chips: The chips, by shard and offset.
        pairs: Their pairs, by chip and, within a chip, by the photo's id.
        photos: The photos of these pairs, by shard and offset.
    """

    chips: pa.RecordBatch
    pairs: pa.RecordBatch
    photos: pa.RecordBatch


def samples_of_cell(chips: pa.Table, pairs: pa.Table, photos: pa.Table) -> CellSamples | None:
    """Joins the rows of a cell; None if no chip of it has a pair.

    Args:
        chips: Kept chips.
        pairs: The pairs wanted. Columns `shard` and `offset`, if it has them, say where a photo's
            bytes lie for this pair.
        photos: Photos.
    """
    pairs = pairs.filter(pc.is_in(pairs["chip_id"], chips["chip_id"]))
    if not pairs.num_rows:
        return None
    chips = chips.filter(pc.is_in(chips["chip_id"], pairs["chip_id"].unique()))
    photos = photos.filter(pc.is_in(photos["photo_id"], pairs["photo_id"].unique()))
    chips = chips.sort_by([("shard", "ascending"), ("offset", "ascending")])
    photos = photos.sort_by([("shard", "ascending"), ("offset", "ascending")])
    of_chip = pc.index_in(pairs["chip_id"], chips["chip_id"])
    of_photo = pc.index_in(pairs["photo_id"], photos["photo_id"])
    order = pc.sort_indices(
        pa.table({"chip": of_chip, "photo_id": pairs["photo_id"]}),
        sort_keys=[("chip", "ascending"), ("photo_id", "ascending")],
    )
    counts = np.bincount(of_chip.to_numpy(), minlength=chips.num_rows)
    first = (np.cumsum(counts) - counts).astype(np.int32)
    links = pairs.drop_columns(["photo_id", "chip_id", "sensor", "cell"])
    links = links.append_column(PHOTO, of_photo.cast(pa.int32())).take(order)
    return CellSamples(
        _batch(chips.append_column(FIRST_PAIR, pa.array(first))), _batch(links), _batch(photos)
    )


def _batches(path: Path) -> list[pa.RecordBatch]:
    """Returns the batches of a file, mapped; none if nothing was written to it."""
    if not path.stat().st_size:
        return []
    return list(pa.ipc.open_stream(pa.memory_map(str(path))))


def _batch(table: pa.Table) -> pa.RecordBatch:
    """Returns a table as one batch, with few values as a dictionary."""
    columns = {}
    for field in table.schema:
        if field.name in _LEFT_OUT:
            continue
        column = table[field.name].combine_chunks()
        if field.name in _REPEATED and pa.types.is_string(field.type):
            column = column.dictionary_encode()
        columns[field.name] = column
    return pa.RecordBatch.from_pydict(columns)


class SampleTables:
    """The samples of all cells. They are kept in a folder until the process that made it ends.

    Attributes:
        folder: Where the files are.
        cells: What they hold, in the order in which the cells were given.
        starts: Number of the first sample of each cell, and how many samples there are; int64.
    """

    def __init__(self, folder: Path) -> None:
        """Opens the files of a folder; use `write_tables` to make one."""
        self.folder = folder
        self.cells: Sequence[CellSamples] = [
            CellSamples(*batches)
            for batches in zip(*(_batches(folder / name) for name in TABLES), strict=True)
        ]
        counts = [one.chips.num_rows for one in self.cells]
        self.starts: NDArray[np.int64] = np.cumsum([0, *counts], dtype=np.int64)

    def __reduce__(self) -> tuple[Any, ...]:
        return (SampleTables, (self.folder,))

    def find(self, number: int) -> tuple[int, int]:
        """Returns the number of a sample's cell, and its place among the chips of that cell."""
        cell = int(np.searchsorted(self.starts, number, side="right")) - 1
        return cell, number - self.starts.item(cell)


def write_tables(cells: Iterable[CellSamples]) -> SampleTables:
    """Writes the samples of cells into a folder of their own, and opens it.

    The folder goes when the returned tables do, or this process ends.

    Args:
        cells: In the order in which they shall be numbered.
    """
    folder = Path(tempfile.mkdtemp(prefix="terrapair-samples-"))
    try:
        with ExitStack() as files:
            writers: list[Any] = []
            for name in TABLES:
                files.enter_context(sink := pa.OSFile(str(folder / name), "wb"))
                writers.append(sink)
            for number, cell in enumerate(cells):
                batches = (cell.chips, cell.pairs, cell.photos)
                if not number:
                    writers = [
                        files.enter_context(pa.ipc.new_stream(sink, batch.schema))
                        for sink, batch in zip(writers, batches, strict=True)
                    ]
                for writer, batch in zip(writers, batches, strict=True):
                    writer.write_batch(batch)
        tables = SampleTables(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(tables, _remove, folder, os.getpid())
    return tables


def _remove(folder: Path, maker: int) -> None:
    """Removes the folder, unless this is a worker that was forked from who made it."""
    if os.getpid() == maker:
        shutil.rmtree(folder, ignore_errors=True)
