"""Publishes a version: the newest state of every cell as tables that anyone can read."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from collectors.storage import Missing
from collectors.transport import WrongUse
from flows.cells.state import latest_generations, read_commit
from flows.description.describe import describe_in_place
from flows.products.block_list import check_no_open_request, request_names
from flows.products.revoked import revoke
from flows.products.rows import ROWS
from flows.products.tables import in_form, part_schema, read_parquet, schema_of, table_writer
from flows.products.versions import (
    LATEST,
    MANIFESTS,
    Version,
    manifest_bytes,
    newest_name,
    read_version,
)
from flows.progress import no_progress
from flows.publishing.coverage import describe_coverage
from flows.publishing.revoking import (
    forgotten_meanwhile,
    revoke_torn,
    taken_back_if_forgotten,
)
from flows.publishing.settling import Settled, settle_cells
from flows.publishing.splitting import Splitting, check_splits, line_about, same_splits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from collectors.storage import Store
    from flows.catalogue.catalogue import Catalogue
    from flows.progress import Progress
    from flows.publishing.splitting import ReadRows

ROWS_PER_FILE: Final = 200_000
"""Rows of a file at which the next one is begun: bounds the memory of publishing."""

NOTES: Final = (
    "This product uses the Flickr API but is not endorsed or certified by SmugMug, Inc.",
    "NAIP's NAD83 and WGS 84 are taken as one datum; they differ by about a metre.",
    "Contains modified Copernicus Sentinel data. NAIP: United States Department of Agriculture.",
)

Tables = dict[str, list[dict[str, Any]]]


def publish(
    store: Store,
    catalogue: Catalogue,
    seed: int,
    tell: Callable[[str], None] = lambda _line: None,
    *,
    forgetting: bool = False,
    progress: Progress = no_progress,
) -> tuple[Version | None, bool]:
    """Publishes the newest state of all cells, unless the newest version already says the same.

    A version is new if a cell is, or if owner-disjoint splits were switched on or off.

    Cells are written in the order of their names, one after the other, so memory does not grow
    with the dataset. The same state gives the same bytes.

    Args:
        store: The dataset.
        catalogue: Gives the schemas.
        seed: The dataset's seed.
        tell: Takes a line about what is being done.
        forgetting: Whether this is the version that a forgetting ends with.
        progress: Hears how far the tables are, and the describing, which reads pixels.

    Returns:
        The newest version (None if there is nothing to publish), and whether it is new.

    Raises:
        SetupError: If the catalogue's splits are not those that the dataset was begun with, or
            photos are being forgotten meanwhile.
    """
    asked = request_names(store)
    if not forgetting:
        check_no_open_request(store)
    revoke_torn(store)
    first_free = 1
    while True:
        generations = latest_generations(store)
        latest = read_version(store, revoked_too=True)
        if not generations or (
            latest is not None
            and not latest.revoked
            and latest.manifest["cells"] == generations
            and same_splits(catalogue.splits, latest)
        ):
            if latest is not None:
                _point_to_newest(store)
            return latest, False
        check_splits(catalogue.splits, latest, store.root)
        commits = {
            name: read_commit(store, name, number) for name, number in sorted(generations.items())
        }
        number = max(first_free, int(latest.name[1:]) + 1 if latest else 1)
        first_free = number + 1  # if another publisher has it: who goes on, or has died
        name = f"v{number:04d}"
        manifest: dict[str, Any] = {
            "schema": catalogue.schema_name,
            "version": name,
            "seed": seed,
            "cells": generations,
            "tables": {},
            "splits": catalogue.splits.model_dump(),
        }
        with taken_back_if_forgotten(store, asked, manifest) as check:
            settled = settle_cells(store, commits, catalogue.rules.same_picture)
            read = partial(_settled_rows, store, catalogue, commits, settled)
            splitting = Splitting(
                catalogue.splits.rule(seed), commits, read,
                owner_disjoint=catalogue.splits.owner_disjoint,
            )  # fmt: skip
            cells = f"{len(commits)} {'cell' if len(commits) == 1 else 'cells'}"
            tell(f"publishing {cells} as {name}")
            sensors = _sensors(catalogue, latest)
            manifest["tables"] = {product: [] for product in ROWS}
            tables = _write_tables(
                store, catalogue, commits, partial(_of_sensors, read, set(sensors)), splitting,
                name, progress,
            )  # fmt: skip
            if tables is None:
                continue
            manifest |= _facts(catalogue, commits, settled) | {"sensors": sensors}
            manifest |= {"tables": tables, "splits": splitting.as_json(catalogue.splits)}
            check()
            tell(f"describing {name}")
            version = Version(name, json.loads(manifest_bytes(manifest)))
            described = describe_in_place(store, version, progress)
            if described is None:
                continue
            manifest["descriptions"] = described
            check()
        if store.create(f"{MANIFESTS}/{name}/manifest.json", manifest_bytes(manifest)):
            if request_names(store) != asked:
                revoke(store, name)  # it may hold what somebody asked for meanwhile
                raise forgotten_meanwhile(store, name)
            _point_to_newest(store)
            tell(line_about(manifest["splits"]))
            return Version(name, manifest), True


def _facts(
    catalogue: Catalogue, commits: dict[str, dict[str, Any]], settled: Settled
) -> dict[str, Any]:
    """Returns what a manifest says of the catalogue, and of the cells together."""
    return {
        "evenness": describe_coverage(commits, catalogue.rules.quota_per_cell),
        "settled_duplicates": settled.cells_by_photo,
        "settled_pictures": sum(len(photos) for photos in settled.repeats.values()),
        "judgements": sorted({commit["judgement"] for commit in commits.values()}),
        "weights": sorted({commit["weights"] for commit in commits.values()}),
        "engines": _distinct(commit["engine"] for commit in commits.values()),
        "rules": catalogue.rules.model_dump(mode="json"),
        "columns": {
            product: {
                column: {"type": one.type, "unit": one.unit, "meaning": one.meaning}
                for column, one in block.columns.items()
            }
            for product, block in catalogue.products.items()
        },
        "notes": list(NOTES),
    }


def _sensors(catalogue: Catalogue, latest: Version | None) -> dict[str, Any]:
    """Returns the sensors of a version as its manifest describes them.

    One that the catalogue does not have any longer stays as the version before described it.
    """
    before = {} if latest is None else latest.manifest.get("sensors", {})
    return before | {
        name: catalogue.sources[name].model_dump(mode="json", exclude={"kind"})
        for name in catalogue.sensors
    }


def _of_sensors(read: ReadRows, sensors: set[str], cell: str, product: str) -> pa.Table:
    """Reads the rows of a cell, of sensors that are described.

    Raises:
        WrongUse: If there are others.
    """
    table = read(cell, product)
    found = set(table["sensor"].unique().to_pylist()) if "sensor" in table.column_names else set()
    if found - sensors:
        raise WrongUse(
            cell, f"has chips of {', '.join(sorted(found - sensors))}, and the catalogue has no"
            " such sensor.",
            "Put its block back into `sources`: a region need not collect it any more.",
        )  # fmt: skip
    return table


def _point_to_newest(store: Store) -> None:
    """Lets the hint name the newest version; a publisher may have died before it did so.

    Of several publishers the last one to write it looks again, so that none turns it back.
    """
    said = ""
    with suppress(Missing):
        said = store.read(LATEST).decode().strip()
    while (newest := newest_name(store)) is not None and newest != said:
        store.replace(LATEST, f"{newest}\n".encode())
        said = newest


def _distinct(engines: Iterator[dict[str, str]]) -> list[dict[str, str]]:
    """Returns each engine once, in a stable order."""
    return [dict(one) for one in sorted({tuple(sorted(engine.items())) for engine in engines})]


def _write_tables(
    store: Store,
    catalogue: Catalogue,
    commits: dict[str, dict[str, Any]],
    read: ReadRows,
    splitting: Splitting,
    version: str,
    progress: Progress,
) -> Tables | None:
    """Writes all tables of a version; None if another publisher is writing the same version."""
    tables: Tables = {}
    for product in ROWS:
        files: list[dict[str, Any]] = []
        for number, data in enumerate(
            _files(catalogue, commits, read, splitting, product, progress)
        ):
            path = f"{MANIFESTS}/{version}/{product}/part-{number:05d}.parquet"
            if not store.create(path, data):
                return None
            rows = pq.ParquetFile(BytesIO(data)).metadata.num_rows
            digest = hashlib.sha256(data).hexdigest()
            files.append({"path": path, "rows": rows, "bytes": len(data), "sha256": digest})
        tables[product] = files
    return tables


def _settled_rows(
    store: Store,
    catalogue: Catalogue,
    commits: dict[str, dict[str, Any]],
    settled: Settled,
    cell: str,
    product: str,
) -> pa.Table:
    """Returns the rows of a cell that a version has, before publishing adds columns."""
    schema = part_schema(catalogue, product)
    table = in_form(_read_part(store, commits[cell], product), schema)
    return settled.apply(product, cell, table, partial(_read_part, store, commits[cell]))


def _files(
    catalogue: Catalogue,
    commits: dict[str, dict[str, Any]],
    read: ReadRows,
    splitting: Splitting,
    product: str,
    progress: Progress,
) -> Iterator[bytes]:
    """Yields the files of a product, a row group for each cell."""
    schema = schema_of(catalogue, product)
    most = max(commit["counts"][product] for commit in commits.values())
    sink, rows, whole = BytesIO(), 0, 0
    writer = table_writer(sink, schema, product, most)
    for done, cell in enumerate(commits):
        progress(f"cells in {product}", done, len(commits))
        table = read(cell, product)
        if product == "pairs":
            table = splitting.add(cell, table)
        table = in_form(table, schema)
        if table.num_rows:
            writer.write_table(table, row_group_size=table.num_rows)
            rows += table.num_rows
        if rows >= ROWS_PER_FILE:
            writer.close()
            yield sink.getvalue()
            sink, rows, whole = BytesIO(), 0, whole + 1
            writer = table_writer(sink, schema, product, most)
    writer.close()
    if rows or not whole:  # a product without rows is a file as well: readers want its schema
        yield sink.getvalue()


def _read_part(store: Store, commit: dict[str, Any], product: str) -> pa.Table:
    """Reads what a cell committed of a product."""
    return read_parquet(store.read(commit["parts"][product]))
