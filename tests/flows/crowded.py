"""A dataset of which chips have many photos: the pairs of one that is built, dealt anew."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path


def make_crowded(built: Path, root: Path, photos: int = 25) -> None:
    """Copies a dataset's version and lets up to so many photos of a cell share a chip.

    The bytes are those of the dataset itself, where they lie in its shards.

    Args:
        built: The dataset.
        root: Where the other one goes.
        photos: Photos of a chip, at most.
    """
    shutil.copytree(built / "manifests", root / "manifests")
    (root / "shards").symlink_to(built / "shards")
    for path in sorted((root / "manifests" / "v0001" / "pairs").glob("*.parquet")):
        table = pq.read_table(path)
        cells, sensors, chips = (table[name].to_pylist() for name in ("cell", "sensor", "chip_id"))
        dealt: dict[tuple[str, str], list[str]] = {}
        shared = []
        for key, chip in zip(zip(cells, sensors, strict=True), chips, strict=True):
            of_cell = dealt.setdefault(key, [])
            of_cell.append(chip)
            shared.append(of_cell[(len(of_cell) - 1) // photos * photos])
        at = table.schema.get_field_index("chip_id")
        table = table.set_column(at, table.schema.field(at), pa.array(shared))
        with pq.ParquetWriter(path, table.schema) as writer:
            for cell in dict.fromkeys(cells):
                writer.write_table(table.filter(pa.array([one == cell for one in cells])))
