"""STAC's items: the chips of a sensor as stac-geoparquet.

Source: STAC 1.1.0; stac-geoparquet 1.1.0. The Arrow tables are made from the chips' own, column by
column: a JSON object for each of a million chips would cost minutes.
"""

from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from flows.description.stac import (
    ARCHIVE,
    EO,
    FILE,
    PROJECTION,
    RASTER,
    SHA256_MULTIHASH,
    STAC_VERSION,
    TAR,
)
from flows.products.table_rows import row_groups
from flows.products.tables import COMPRESSION, GEOPARQUET_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.storage import Store
    from flows.products.versions import Version

TO_ROOT: Final = "../../../.."
"""From a collection's folder, `manifests/vNNNN/stac/<sensor>`, to the dataset's root."""

ITEMS_PER_FILE: Final = 200_000
ITEMS_PER_GROUP: Final = 5_000

GEOTIFF: Final = "image/tiff; application=geotiff"

_OWN: Final = ("cell", "time_bin", "scene_id", "target_date", "delta_days", "photos",
               "cloud_scene_pct", "shadow_pct", "valid_pct", "source_gsd_m", "shard")  # fmt: skip
"""Columns of the chips that are handed on as they are, as `terrapair:…`."""

_COLUMNS: Final = (
    *_OWN, "chip_id", "sensor", "outcome", "acquired_at", "cloud_chip_pct", "crs", "transform",
    "width", "height", "bands", "scale_m", "offset", "size", "sha256", "geometry", "bbox",
)  # fmt: skip
"""Columns of the chips that are read."""


_GEO: Final = {
    "version": GEOPARQUET_VERSION,
    "primary_column": "geometry",
    "columns": {
        "geometry": {
            "encoding": "WKB",
            "geometry_types": ["Polygon", "MultiPolygon"],
            "covering": {
                "bbox": {name: ["bbox", name] for name in ("xmin", "ymin", "xmax", "ymax")}
            },
        }
    },
}


def item_files(
    store: Store, version: Version, sensor: str, collection: dict[str, Any], data_type: str | None
) -> Iterator[tuple[str, bytes, int]]:
    """Yields the name, content and number of items of each stac-geoparquet file of a sensor.

    Args:
        store: The dataset.
        version: The version; of its manifest, `tables` and `sensors` are used.
        sensor: Its name.
        collection: What `collection_json` gives; it is kept in the files.
        data_type: Type of the pixels; None where it is not known.
    """
    block = version.manifest["sensors"][sensor]
    metadata = {
        "geo": json.dumps(_GEO, sort_keys=True),
        "stac-geoparquet": json.dumps(
            {"version": STAC_VERSION, "collections": {collection["id"]: collection}},
            sort_keys=True,
        ),
    }
    sink, writer, number, rows = BytesIO(), None, 0, 0
    for chips in _groups(store, version, sensor):
        items = _items(chips, block, collection["id"], data_type)
        if writer is None:
            schema = items.schema.with_metadata(metadata)
            writer = pq.ParquetWriter(sink, schema, compression=COMPRESSION)
        writer.write_table(items, row_group_size=items.num_rows)
        rows += items.num_rows
        if rows >= ITEMS_PER_FILE:
            writer.close()
            yield f"items-{number:05d}.parquet", sink.getvalue(), rows
            sink, writer, number, rows = BytesIO(), None, number + 1, 0
    if writer is not None:
        writer.close()
        yield f"items-{number:05d}.parquet", sink.getvalue(), rows


def _groups(store: Store, version: Version, sensor: str) -> Iterator[pa.Table]:
    """Yields a sensor's chips with pixels, of so many cells that a row group is worth it."""
    waiting: list[pa.Table] = []
    for chips in row_groups(store, version, "chips", _COLUMNS):
        kept = pc.and_(pc.equal(chips["sensor"], sensor), pc.equal(chips["outcome"], "kept"))
        waiting.append(chips.filter(kept))
        if sum(one.num_rows for one in waiting) >= ITEMS_PER_GROUP:
            yield pa.concat_tables(waiting)
            waiting = []
    if any(one.num_rows for one in waiting):
        yield pa.concat_tables(waiting)


def _items(
    chips: pa.Table, block: dict[str, Any], collection: str, data_type: str | None
) -> pa.Table:
    """Returns chips as STAC items, a row each."""
    rows = chips.num_rows
    measured = block["quality"] != "all_zero"
    extensions = [PROJECTION, RASTER, FILE, ARCHIVE, *([EO] if measured else [])]
    link = {"rel": "collection", "href": "./collection.json", "type": "application/json"}
    columns: dict[str, pa.Array | pa.ChunkedArray] = {
        "type": _same("Feature", rows),  # optional, and stac-geoparquet's reader wants it
        "stac_version": _same(STAC_VERSION, rows),
        "stac_extensions": _same(extensions, rows, pa.list_(pa.string())),
        "id": chips["chip_id"],
        "geometry": chips["geometry"],
        "bbox": chips["bbox"],
        "links": _same([link], rows, pa.list_(_texts("rel", "href", "type"))),
        "assets": _assets(chips, block, data_type),
        "collection": _same(collection, rows),
        "datetime": chips["acquired_at"],
        "gsd": chips["scale_m"],
        "proj:code": chips["crs"],
        "proj:shape": _pairs_of(chips["height"], chips["width"], pa.int32()),
        "proj:transform": chips["transform"],
    }
    if measured:
        columns["eo:cloud_cover"] = chips["cloud_chip_pct"]
    for name in _OWN:
        column = chips[name]
        # a date is no type of JSON
        columns[f"terrapair:{name}"] = (
            column.cast(pa.string()) if pa.types.is_date(column.type) else column
        )
    return pa.table(columns)


def _assets(chips: pa.Table, block: dict[str, Any], data_type: str | None) -> pa.Array:
    """Returns the column `assets`: a tar, and in `archive` the chip's bytes inside it."""
    rows = chips.num_rows
    column = {name: _flat(chips[name]) for name in ("chip_id", "shard", "offset", "size", "sha256")}
    last = pc.subtract(pc.add(column["offset"], column["size"]), 1)
    inside = pa.StructArray.from_arrays(
        [
            pc.binary_join_element_wise(column["chip_id"], ".tif", ""),
            _same(GEOTIFF, rows),
            _same(["data"], rows, pa.list_(pa.string())),
            _pairs_of(column["offset"], last, pa.int64()),
            column["size"],
            pc.binary_join_element_wise(SHA256_MULTIHASH, column["sha256"], ""),
        ],
        names=["href", "type", "roles", "range", "file:size", "file:checksum"],
    )
    one_each = pa.array(range(rows + 1), pa.int32())
    bands = _flat(chips["bands"])
    named = pa.ListArray.from_arrays(
        bands.offsets, pa.StructArray.from_arrays([bands.values], names=["name"])
    )
    parts: dict[str, pa.Array] = {
        "href": pc.binary_join_element_wise(TO_ROOT, column["shard"], "/"),
        "type": _same(TAR, rows),
        "roles": _same(["data", "archive"], rows, pa.list_(pa.string())),
        "archive": pa.ListArray.from_arrays(one_each, inside),
        "bands": named,
        "raster:spatial_resolution": _same(float(block["scale_m"]), rows),
    }
    if data_type is not None:
        parts["data_type"] = _same(data_type, rows)
    if block["quality"] in {"scl", "qa_pixel"}:
        parts["nodata"] = _same(0, rows)
    asset = pa.StructArray.from_arrays(list(parts.values()), names=list(parts))
    return pa.StructArray.from_arrays([asset], names=["chip"])


def _texts(*names: str) -> pa.DataType:
    return pa.struct([(name, pa.string()) for name in names])


def _same(value: Any, rows: int, kind: pa.DataType | None = None) -> pa.Array:
    """Returns a column that holds one value everywhere."""
    return pa.array([value] * rows, kind or pa.scalar(value).type)


def _flat(column: pa.ChunkedArray) -> pa.Array:
    """Returns a column as one array whose offsets begin at 0."""
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _pairs_of(first: Any, second: Any, kind: pa.DataType) -> pa.Array:
    """Returns lists of two numbers, from two columns."""
    one, other = first.to_pylist(), second.to_pylist()
    return pa.array([list(two) for two in zip(one, other, strict=True)], pa.list_(kind))
