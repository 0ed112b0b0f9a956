"""Publishes a version: the newest state of every cell as tables that anyone can read."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from flows.cell_state import latest_generations, read_commit
from flows.coverage import describe_coverage
from flows.dataset import LATEST, MANIFESTS, Version, read_version, version_names
from flows.rows import ROWS
from flows.tables import COMPRESSION, read_parquet, schema_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from collectors.storage import Store
    from flows.catalogue import Catalogue

ROWS_PER_FILE: Final = 200_000
"""Rows of a file at which the next one is begun: bounds the memory of publishing."""

NOTES: Final = (
    "This product uses the Flickr API but is not endorsed or certified by SmugMug, Inc.",
    "NAIP's NAD83 and WGS 84 are taken as one datum; they differ by about a metre.",
    "Contains modified Copernicus Sentinel data. NAIP: United States Department of Agriculture.",
)

Tables = dict[str, list[dict[str, Any]]]


def publish(
    store: Store, catalogue: Catalogue, seed: int, tell: Callable[[str], None] = lambda _line: None
) -> tuple[Version | None, bool]:
    """Publishes the newest state of all cells, unless the newest version already says the same.

    Cells are written in the order of their names, one after the other, so memory does not grow
    with the dataset. The same state gives the same bytes.

    Args:
        store: The dataset.
        catalogue: Gives the schemas.
        seed: The dataset's seed.
        tell: Takes a line about what is being done.

    Returns:
        The newest version (None if there is nothing to publish), and whether it is new.
    """
    generations = latest_generations(store)
    latest = read_version(store)
    if not generations or (latest is not None and latest.manifest["cells"] == generations):
        return latest, False
    commits = {
        name: read_commit(store, name, number) for name, number in sorted(generations.items())
    }
    losers = _settle(store, commits)
    while True:
        names = version_names(store)
        name = f"v{int(names[-1][1:]) + 1 if names else 1:04d}"
        tell(f"publishing {len(commits)} cells as {name}")
        tables = _write_tables(store, catalogue, commits, losers, name)
        if tables is None:
            continue
        manifest = {
            "schema": catalogue.schema_name,
            "version": name,
            "seed": seed,
            "cells": generations,
            "tables": tables,
            "evenness": describe_coverage(commits, catalogue.rules.quota_per_cell),
            "settled_duplicates": {photo: sorted(cells) for photo, cells in sorted(losers.items())},
            "judgements": sorted({commit["judgement"] for commit in commits.values()}),
            "weights": sorted({commit["weights"] for commit in commits.values()}),
            "engines": _distinct(commit["engine"] for commit in commits.values()),
            "rules": catalogue.rules.model_dump(mode="json"),
            "sensors": {
                name: catalogue.sources[name].model_dump(mode="json", exclude={"kind"})
                for name in catalogue.sensors
            },
            "columns": {
                product: {
                    column: {"type": one.type, "unit": one.unit, "meaning": one.meaning}
                    for column, one in block.columns.items()
                }
                for product, block in catalogue.products.items()
            },
            "notes": list(NOTES),
        }
        data = json.dumps(manifest, indent=1, sort_keys=True).encode()
        if store.create(f"{MANIFESTS}/{name}/manifest.json", data):
            store.replace(LATEST, f"{name}\n".encode())
            return Version(name, manifest), True


def _distinct(engines: Iterator[dict[str, str]]) -> list[dict[str, str]]:
    """Returns each engine once, in a stable order."""
    return [dict(one) for one in sorted({tuple(sorted(engine.items())) for engine in engines})]


def _settle(store: Store, commits: dict[str, dict[str, Any]]) -> dict[str, set[str]]:
    """Finds photos that stand in several cells, because their geotag was moved between builds.

    Returns:
        For each such photo, the cells whose row is left out: all but the one that keeps it, or the
        first by name.
    """
    base = duckdb.connect()
    base.execute("SET threads=2")
    base.execute("CREATE TABLE seen (photo_id VARCHAR, cell VARCHAR, kept BOOLEAN)")
    for cell, commit in commits.items():
        for product, kept in (("photos", True), ("rejects", False)):
            ids = read_parquet(store.read(commit["parts"][product])).select(["photo_id"])  # noqa: F841
            base.execute("INSERT INTO seen SELECT photo_id, ?, ? FROM ids", [cell, kept])
    rows = base.execute(
        "SELECT photo_id, list(cell ORDER BY kept DESC, cell) FROM seen"
        " GROUP BY photo_id HAVING count(*) > 1"
    ).fetchall()
    base.close()
    return {photo_id: set(cells[1:]) - {cells[0]} for photo_id, cells in rows}


def _write_tables(
    store: Store,
    catalogue: Catalogue,
    commits: dict[str, dict[str, Any]],
    losers: dict[str, set[str]],
    version: str,
) -> Tables | None:
    """Writes all tables of a version; None if another publisher is writing the same version."""
    tables: Tables = {}
    for product in ROWS:
        files: list[dict[str, Any]] = []
        for number, data in enumerate(_files(store, catalogue, commits, losers, product)):
            path = f"{MANIFESTS}/{version}/{product}/part-{number:05d}.parquet"
            if not store.create(path, data):
                return None
            rows = pq.ParquetFile(BytesIO(data)).metadata.num_rows
            digest = hashlib.sha256(data).hexdigest()
            files.append({"path": path, "rows": rows, "bytes": len(data), "sha256": digest})
        tables[product] = files
    return tables


def _without(table: pa.Table, product: str, pairs: pa.Table, lost: pa.Array) -> pa.Table:
    """Returns a cell's table without photos that stand in another cell."""
    if product != "chips":
        return table.filter(pc.invert(pc.is_in(table["photo_id"], lost)))
    gone = Counter(pairs.filter(pc.is_in(pairs["photo_id"], lost))["chip_id"].to_pylist())
    fewer = [
        photos - gone[chip]
        for chip, photos in zip(
            table["chip_id"].to_pylist(), table["photos"].to_pylist(), strict=True
        )
    ]
    place = table.schema.get_field_index("photos")
    field = table.schema.field(place)
    return table.set_column(place, field, pa.array(fewer, field.type))


def _files(
    store: Store,
    catalogue: Catalogue,
    commits: dict[str, dict[str, Any]],
    losers: dict[str, set[str]],
    product: str,
) -> Iterator[bytes]:
    """Yields the files of a product, a row group for each cell."""
    schema = schema_of(catalogue, product)
    sink, rows, whole = BytesIO(), 0, 0
    writer = pq.ParquetWriter(sink, schema, compression=COMPRESSION)
    for cell, commit in commits.items():
        table = read_parquet(store.read(commit["parts"][product])).cast(schema)
        table = table.replace_schema_metadata(schema.metadata)
        lost = [photo for photo, cells in losers.items() if cell in cells]
        if lost:
            pairs = read_parquet(store.read(commit["parts"]["pairs"]))
            table = _without(table, product, pairs, pa.array(lost))
        if table.num_rows:
            writer.write_table(table, row_group_size=table.num_rows)
            rows += table.num_rows
        if rows >= ROWS_PER_FILE:
            writer.close()
            yield sink.getvalue()
            sink, rows, whole = BytesIO(), 0, whole + 1
            writer = pq.ParquetWriter(sink, schema, compression=COMPRESSION)
    writer.close()
    if rows or not whole:  # a product without rows is a file as well: readers want its schema
        yield sink.getvalue()
