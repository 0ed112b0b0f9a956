"""Rows to Arrow and back, with schemas made from the catalogue's columns; GeoParquet metadata."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from datetime import UTC
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from flows.products.rows import (
    PLACED,
    ROWS,
    ChipRow,
    PairRow,
    PhotoRow,
    RefusedScene,
    RejectRow,
    columns,
    made_at_publish,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from flows.catalogue.blocks import Column
    from flows.catalogue.catalogue import Catalogue
    from flows.products.rows import Row

COMPRESSION: Final = "zstd"
GEOPARQUET_VERSION: Final = "1.1.0"

LOOKED_UP: Final[Mapping[str, tuple[str, ...]]] = {
    "photos": ("photo_id", "owner"),
    "rejects": ("photo_id", "owner"),
    "chips": ("chip_id",),
    "pairs": ("photo_id", "chip_id"),
}
"""Columns that a version's tables have Bloom filters of: one row of ten million is found by its id
without reading the others' ids."""

ADDED: Final = frozenset({"cover"})
"""Columns that tables of earlier releases do not have: their rows have no value there."""

_FALSE_POSITIVES: Final = 0.01
"""Share of the row groups without a value that its Bloom filter does not rule out."""

_SIMPLE: Final[dict[str, pa.DataType]] = {
    "string": pa.string(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "timestamp": pa.timestamp("us"),
    "timestamp_utc": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
    "geometry": pa.binary(),
    "map": pa.map_(pa.string(), pa.string()),
    "map_float64": pa.map_(pa.string(), pa.float64()),
    "list_string": pa.list_(pa.string()),
    "list_float64": pa.list_(pa.float64()),
}

_BBOX: Final = pa.struct([(name, pa.float64()) for name in ("xmin", "ymin", "xmax", "ymax")])

AnyRow = TypeVar("AnyRow", bound=PhotoRow | RejectRow | ChipRow | PairRow)


def schema_of(catalogue: Catalogue, product: str) -> pa.Schema:
    """Returns a published product's Arrow schema; units and meanings are the fields' metadata.

    Products with a geometry get a column `bbox` after it, GeoParquet's covering.
    """
    made = [
        pa.field(
            name, _arrow_type(column), metadata={"unit": column.unit, "meaning": column.meaning}
        )
        for name, column in catalogue.products[product].columns.items()
    ]
    if product in PLACED:
        made.append(pa.field("bbox", _BBOX, metadata={"unit": "degree", "meaning": "Bounds."}))
    metadata = {"terrapair": json.dumps({"schema": catalogue.schema_name, "product": product})}
    if product in PLACED:
        metadata["geo"] = json.dumps(_geo_metadata(product))
    return pa.schema(made, metadata=metadata)


def part_schema(catalogue: Catalogue, product: str) -> pa.Schema:
    """Returns the Arrow schema of a product in a cell's parts: without what publishing adds."""
    schema = schema_of(catalogue, product)
    later = made_at_publish(product)
    return pa.schema([field for field in schema if field.name not in later], schema.metadata)


def check_products(catalogue: Catalogue) -> None:
    """Holds the catalogue's products to what this release writes.

    Raises:
        CatalogueError: If a table or a column is missing, unknown or out of order.
    """
    from flows.catalogue.text import CatalogueError  # rows are read where no YAML is

    given = {name: list(product.columns) for name, product in catalogue.products.items()}
    expected = {name: columns(name) for name in ROWS}
    for name in sorted(given.keys() | expected.keys()):
        if given.get(name) == expected.get(name):
            continue
        missing = [one for one in expected.get(name, []) if one not in given.get(name, [])]
        unknown = [one for one in given.get(name, []) if one not in expected.get(name, [])]
        raise CatalogueError(
            f"products.{name}: this release writes other columns (missing here: {missing or '—'};"
            f" unknown: {unknown or '—'}); take the block from the shipped data_catalog.yaml"
        )


def to_arrow(rows: Sequence[Row], schema: pa.Schema) -> pa.Table:
    """Returns rows as an Arrow table of a product's schema."""
    placed = "geometry" in schema.names
    values: dict[str, list[Any]] = {name: [] for name in schema.names}
    plain = [name for name in schema.names if name not in {"geometry", "bbox"}]
    for row in rows:
        for name in plain:
            values[name].append(_to_plain(getattr(row, name)))
    if placed:
        shapes = np.array([row.shape for row in rows if not isinstance(row, PairRow)], dtype=object)
        values["geometry"] = list(shapely.to_wkb(shapes, flavor="iso"))
        values["bbox"] = [
            None if np.isnan(bounds).any()
            else dict(zip(("xmin", "ymin", "xmax", "ymax"), bounds.tolist(), strict=True))
            for bounds in shapely.bounds(shapes)
        ]  # fmt: skip
    return pa.table(
        [pa.array(values[field.name], type=field.type) for field in schema], schema=schema
    )


def from_arrow(table: pa.Table, kind: type[AnyRow]) -> list[AnyRow]:
    """Returns the rows of a table that `to_arrow` made, by this release or an earlier one."""
    names = [field.name for field in fields(kind)]
    later = {name for name in names if name in ADDED and name not in table.schema.names}
    known = [name for name in names if name not in later]
    return [
        kind(**{name: from_plain(name, record.get(name)) for name in names})
        for record in table.select(known).to_pylist(maps_as_pydicts="strict")
    ]


def in_form(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Returns a table in a schema; columns that came with a later release are empty."""
    for place, field in enumerate(schema):
        if field.name in ADDED and field.name not in table.schema.names:
            table = table.add_column(place, field, pa.nulls(table.num_rows, field.type))
    return table.cast(schema).replace_schema_metadata(schema.metadata)


def table_writer(sink: BytesIO, schema: pa.Schema, product: str, most: int) -> pq.ParquetWriter:
    """Returns a writer of a version's table.

    Args:
        sink: Where to.
        schema: The product's schema.
        product: The product.
        most: Rows of the largest row group. What Bloom filters need less is not written.
    """
    filters = {name: {"ndv": max(most, 1), "fpp": _FALSE_POSITIVES} for name in LOOKED_UP[product]}
    return pq.ParquetWriter(sink, schema, compression=COMPRESSION, bloom_filter_options=filters)


def parquet_bytes(table: pa.Table) -> bytes:
    """Returns a table as the bytes of a Parquet file; the same table gives the same bytes."""
    sink = BytesIO()
    pq.write_table(table, sink, compression=COMPRESSION, store_schema=True)
    return sink.getvalue()


def read_parquet(data: bytes, columns: Sequence[str] | None = None) -> pa.Table:
    """Returns the table in the bytes of a Parquet file, or some of its columns."""
    return pq.read_table(BytesIO(data), columns=None if columns is None else list(columns))


def _arrow_type(column: Column) -> pa.DataType:
    """Returns the Arrow type of a catalogue's column."""
    if column.type == "list":
        return pa.list_(
            pa.struct([(name, _arrow_type(one)) for name, one in (column.fields or {}).items()])
        )
    return _SIMPLE[column.type]


def _geo_metadata(product: str) -> Mapping[str, Any]:
    """Returns the `geo` metadata of GeoParquet 1.1 for a product.

    Source: GeoParquet 1.1.0 specification. `crs` is left out, which means OGC:CRS84: longitude,
    latitude on WGS 84.
    """
    kinds = ["Polygon", "MultiPolygon"] if product == "chips" else ["Point"]
    covering = {name: ["bbox", name] for name in ("xmin", "ymin", "xmax", "ymax")}
    geometry = {"encoding": "WKB", "geometry_types": kinds, "covering": {"bbox": covering}}
    return {"version": GEOPARQUET_VERSION, "primary_column": "geometry",
            "columns": {"geometry": geometry}}  # fmt: skip


def _to_plain(value: Any) -> Any:
    """Returns a field's value as Arrow takes it."""
    if isinstance(value, tuple) and value and isinstance(value[0], RefusedScene):
        return [asdict(one) for one in value]
    return list(value) if isinstance(value, tuple) else value


def from_plain(name: str, value: Any) -> Any:
    """Returns a field's value as the rows hold it."""
    if name == "refused":
        return tuple(RefusedScene(**one) for one in value)
    if isinstance(value, list):
        return tuple(value)
    if name in {"taken_at_utc", "uploaded_at", "acquired_at"} and value is not None:
        return value.astimezone(UTC)
    return value


def rows_of(tables: Iterable[pa.Table], kind: type[AnyRow]) -> list[AnyRow]:
    """Returns the rows of several tables, one after the other."""
    return [row for table in tables for row in from_arrow(table, kind)]
