"""Opens the samples of a version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.compute as pc

from collectors.records import Outcome
from collectors.storage import open_store
from filters.splits import Split
from flows.products.revoked import while_published
from flows.products.table_rows import CellTables
from flows.products.versions import published_version
from flows.samples.sample_tables import samples_of_cell, write_tables
from flows.samples.samples import Samples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flows.samples.sample_tables import CellSamples

_PRODUCTS = ("chips", "pairs", "photos")


def open_samples(
    root: str,
    version: str | None = None,
    *,
    split: Split | str | None = None,
    sensor: str | None = None,
) -> Samples:
    """Opens the samples of a published version: kept chips that have a pair, with their photos.

    The tables are read once, a cell at a time, and laid out in a temporary folder of this machine,
    about 1 kB for each photo.

    Args:
        root: The dataset: a local path, `s3://…` or `gs://…`.
        version: Name of the version; the newest by default.
        split: Only pairs of this split, and chips that have one; None for all pairs, those of
            split `none` included.
        sensor: Only chips of this sensor, such as `sentinel2`; None for all.

    Raises:
        WrongUse: If nothing was published, or there is no such version or sensor.
        SetupError: If the version was revoked, before or meanwhile.
        StorageError: If the root cannot be read.
    """
    store = open_store(root, writable=False)
    found = published_version(store, version, sensor)
    with while_published(store, found.name), CellTables(store, found, _PRODUCTS) as tables:
        cells = _cells(tables, sorted(found.manifest["cells"]), split, sensor)
        return Samples(store.root, found.name, write_tables(cells), None)


def _cells(
    tables: CellTables, names: list[str], split: Split | str | None, sensor: str | None
) -> Iterator[CellSamples]:
    for name in names:
        chips, pairs, photos = (tables.read(product, name) for product in _PRODUCTS)
        chips = chips.filter(pc.equal(chips["outcome"], Outcome.KEPT.value))
        if sensor is not None:
            chips = chips.filter(pc.equal(chips["sensor"], sensor))
        if split is not None:
            pairs = pairs.filter(pc.equal(pairs["split"], Split(split).value))
        found = samples_of_cell(chips, pairs, photos)
        if found is not None:
            yield found
