"""Writes a selection to CSV, Parquet or GeoJSON, batch by batch, whatever its size."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from flows.catalogue.text import CatalogueError
from flows.inspection.printing import as_json_value
from flows.products.rows import PLACED
from flows.products.tables import COMPRESSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import IO

    import duckdb

    from flows.progress import Progress

_BATCH: Final = 20_000
"""Rows held in memory at a time."""

_GROUP: Final = 50_000
"""Rows of a row group of Parquet, at most."""

_BEGINS_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""What a spreadsheet takes for the beginning of a formula (OWASP, CSV Injection)."""

_COORDINATE_DIGITS: Final = 7
"""Decimal places of GeoJSON's degrees: a centimetre; RFC 7946 section 11.2 asks for restraint."""


def export_rows(
    base: duckdb.DuckDBPyConnection,
    product: str,
    own: pa.Schema,
    columns: str | None,
    rest: str,
    to: Path,
    progress: Progress,
) -> int:
    """Writes rows to a file, whose ending says how.

    CSV has no geometry unless it is asked for (WKT); texts that a spreadsheet would take for
    formulas begin with `'`. GeoJSON is RFC 7946: WGS 84, outlines counter-clockwise; pairs have the
    point of their photo. Parquet has the columns of the version, with units and meanings, and is
    GeoParquet where the geometry is among them.

    Args:
        base: A database with the version's products as views.
        product: The product.
        own: Its schema in the version.
        columns: As SQL, separated by commas; None: all.
        rest: SQL from FROM on.
        to: The file, which must not exist; it has its name only when it is whole.
        progress: Hears how many rows are written.

    Returns:
        How many rows were written.

    Raises:
        CatalogueError: If the file is there, its folder is not, or its ending is not known.
    """
    writers: dict[str, Callable[..., Any]] = {
        ".csv": _write_csv,
        ".parquet": partial(_write_parquet, own=own),
        ".geojson": partial(_write_geojson, product=product),
    }
    write = writers.get(to.suffix.lower())
    if write is None:
        raise CatalogueError(f"{to}: rows can be written to files that end in {', '.join(writers)}")
    if to.exists():
        raise CatalogueError(f"{to} is there already; remove it, or name another file")
    if not to.parent.is_dir():
        raise CatalogueError(f"there is no folder {to.parent}; make it, or name another file")
    is_csv, is_map = to.suffix.lower() == ".csv", to.suffix.lower() == ".geojson"
    wanted = columns
    if wanted is None:
        hidden = ("geometry", "bbox") if is_csv or is_map else ()
        wanted = ", ".join(f'"{name}"' for name in own.names if name not in hidden)
    if is_map:
        wanted = _with_geometry(product, wanted)
    total = base.execute(f"SELECT count(*) FROM (SELECT 1 {rest})").fetchall()[0][0]  # noqa: S608
    reader = base.sql(f"SELECT {wanted} {rest}").to_arrow_reader(_BATCH)
    part = to.with_name(f".{to.name}.{os.getpid()}.part")
    try:
        write(_told(reader, f"rows in {to.name}", total, progress), part)
        os.link(part, to)  # unlike a replacement, it fails if the file has come meanwhile
    finally:
        part.unlink(missing_ok=True)
    return int(total)


def _with_geometry(product: str, wanted: str) -> str:
    """Adds the geometry that a map needs, under a name of its own; pairs have their photo's."""
    if product in PLACED:
        return f"{wanted}, geometry AS _shape"
    of_photo = "SELECT photos.geometry FROM photos WHERE photos.photo_id = pairs.photo_id"
    return f"{wanted}, ({of_photo}) AS _shape"


@dataclass(frozen=True, slots=True)
class _Rows:
    """Batches of rows that tell how far they are."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


def _told(reader: pa.RecordBatchReader, what: str, total: int, progress: Progress) -> _Rows:
    """Returns the rows; `progress` hears of each batch when the next is asked for."""

    def batches() -> Iterator[pa.RecordBatch]:
        done = 0
        for batch in reader:
            progress(what, done, total)
            yield batch
            done += batch.num_rows
        progress(what, total, total)

    return _Rows(reader.schema, batches())


def _write_csv(reader: _Rows, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_as_field(field.name, field.name) for field in reader.schema)
        for batch in reader.batches:
            names = batch.schema.names
            columns = [
                [_as_field(name, value) for value in column.to_pylist(maps_as_pydicts="strict")]
                for name, column in zip(names, batch.columns, strict=True)
            ]
            writer.writerows(zip(*columns, strict=True))


def _as_field(name: str, value: Any) -> Any:
    """Returns a value as a field of CSV; text never begins a formula."""
    plain = as_json_value(name, value)
    if isinstance(plain, dict | list):
        plain = json.dumps(plain, ensure_ascii=False)
    if isinstance(plain, str):
        plain = plain.replace("\x00", "")
        return f"'{plain}" if plain.startswith(_BEGINS_FORMULA) else plain
    return plain


def _write_parquet(reader: _Rows, path: Path, *, own: pa.Schema) -> None:
    schema = _schema(own, reader.schema)
    with pq.ParquetWriter(path, schema, compression=COMPRESSION) as writer:
        held: list[pa.RecordBatch] = []
        for batch in reader.batches:
            held.append(batch)
            if sum(one.num_rows for one in held) >= _GROUP:
                writer.write_table(_cast(held, schema))
                held = []
        if held:
            writer.write_table(_cast(held, schema))


def _cast(batches: list[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    table = pa.Table.from_batches(batches).cast(schema)
    return table.replace_schema_metadata(schema.metadata)


def _schema(own: pa.Schema, found: pa.Schema) -> pa.Schema:
    """Returns the schema of what is written: the version's own, as far as its columns are there."""
    fields = [
        own.field(field.name) if field.name in own.names else field.remove_metadata()
        for field in found
    ]
    metadata = {name: value for name, value in (own.metadata or {}).items() if name == b"terrapair"}
    geo = json.loads((own.metadata or {}).get(b"geo", b"{}"))
    if geo and "geometry" in found.names:
        if "bbox" not in found.names:
            geo["columns"]["geometry"].pop("covering", None)
        metadata[b"geo"] = json.dumps(geo).encode()
    return pa.schema(fields, metadata=metadata)


def _write_geojson(reader: _Rows, path: Path, *, product: str) -> None:
    name_of_id = {"chips": "chip_id", "photos": "photo_id", "rejects": "photo_id"}.get(product)
    with path.open("w", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        between = "\n"
        for batch in reader.batches:
            between = _write_features(batch, file, name_of_id, between)
        file.write("\n]}\n")


def _write_features(
    batch: pa.RecordBatch, file: IO[str], name_of_id: str | None, between: str
) -> str:
    shapes = shapely.from_wkb(np.array(batch["_shape"].to_pylist(), dtype=object))
    shapes = shapely.orient_polygons(shapes)  # section 3.1.6: counter-clockwise
    rounded = shapely.transform(shapes, lambda xy: np.round(xy, _COORDINATE_DIGITS))
    geometries = shapely.to_geojson(rounded).tolist()
    names = [name for name in batch.schema.names if name not in {"_shape", "geometry", "bbox"}]
    rows = batch.select(names).to_pylist(maps_as_pydicts="strict")
    for row, geometry in zip(rows, geometries, strict=True):
        properties = {name: _as_property(as_json_value(name, row[name])) for name in names}
        feature = {"type": "Feature", "properties": properties}
        if name_of_id in row:
            feature["id"] = row[name_of_id]
        text = json.dumps(feature, ensure_ascii=False, allow_nan=False)
        file.write(f'{between}{text[:-1]}, "geometry": {geometry or "null"}}}')
        between = ",\n"
    return between


def _as_property(value: Any) -> Any:
    """Returns a value without numbers that JSON has no word for."""
    return None if isinstance(value, float) and not np.isfinite(value) else value
