"""Opens the samples of an export for WebDataset, where a chip and its photos lie side by side.

export.json                                 what was exported, and its files
tables/{chips,pairs,photos}-00000.parquet   a row group for each shard; pairs say where the
photo's bytes are beside this chip
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from collectors.storage import Missing, open_store
from collectors.transport import SetupError, WrongUse
from filters.splits import Split
from flows.products.versions import local_files
from flows.samples.sample_tables import samples_of_cell, write_tables
from flows.samples.samples import Samples

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flows.samples.sample_tables import CellSamples

RECORD: Final = "export.json"
FORM: Final = "webdataset"
_PRODUCTS: Final = ("chips", "pairs", "photos")


def open_export(
    root: str, *, split: Split | str | None = None, sensor: str | None = None
) -> Samples:
    """Opens the samples of a finished export of the form `webdataset`.

    They have the same rows as those of the version, but for where bytes are; a sample is read by
    one request. Their order is that of the export's shards.

    A shard has samples of one split. With owner-disjoint splits a chip may have photos of several:
    it is then a sample in each of these splits, with the photos of that split, and opened without
    `split` there are more samples than chips.

    Args:
        root: The export: a local path, `s3://…` or `gs://…`.
        split: Only pairs of this split, and chips that have one; None for all.
        sensor: Only chips of this sensor; None for all.

    Raises:
        SetupError: If there is no such export or sensor, or the export is not finished.
        StorageError: If the root cannot be read.
    """
    store = open_store(root, writable=False)
    try:
        record = json.loads(store.read(RECORD))
    except Missing:
        raise SetupError(
            root, f"is no finished export: it has no {RECORD}.",
            "Export, or go on with it: terrapair export webdataset --root … --output …",
        ) from None  # fmt: skip
    if record.get("form") != FORM:
        raise SetupError(
            root, f"is an export of the form {record.get('form')}, which has no samples to read.",
            "terrapair export webdataset makes one that has.",
        )  # fmt: skip
    listed = store.list("tables")
    paths = {name: [path for path in listed if path.startswith(f"tables/{name}-")]
             for name in _PRODUCTS}  # fmt: skip
    wanted = None if split is None else Split(split)
    with (
        local_files(store, paths["chips"]) as chips,
        local_files(store, paths["pairs"]) as pairs,
        local_files(store, paths["photos"]) as photos,
    ):
        if sensor is not None:
            _check_sensor(root, chips, sensor)
        tables = write_tables(_shards(chips, pairs, photos, wanted, sensor))
    return Samples(store.root, record["version"], tables, None)


def _check_sensor(root: str, chips: list[Path], sensor: str) -> None:
    """Sees that an export has chips of a sensor: else it would be read as one without samples.

    Raises:
        WrongUse: If it has none.
    """
    known: set[str] = set()
    for path in chips:
        table = pq.read_table(path, columns=["sensor"], read_dictionary=["sensor"])
        known.update(table["sensor"].unique().to_pylist())
    if sensor not in known:
        raise WrongUse(
            root, f"is an export that has no sensor {sensor}.",
            f"It has {', '.join(sorted(known))}.",
        )  # fmt: skip


def _shards(
    chips: list[Path], pairs: list[Path], photos: list[Path], split: Split | None,
    sensor: str | None,
) -> Iterator[CellSamples]:  # fmt: skip
    for of_chips, of_pairs, of_photos in zip(
        *(_groups(paths) for paths in (chips, pairs, photos)), strict=True
    ):
        kept, paired = of_chips, of_pairs
        if sensor is not None:
            kept = kept.filter(pc.equal(kept["sensor"], sensor))
        if split is not None:
            paired = paired.filter(pc.equal(paired["split"], split.value))
        found = samples_of_cell(kept, paired, of_photos)
        if found is not None:
            yield found


def _groups(paths: list[Path]) -> Iterator[pa.Table | Any]:
    for path in paths:
        with pq.ParquetFile(path) as file:
            for number in range(file.num_row_groups):
                yield file.read_row_group(number)
