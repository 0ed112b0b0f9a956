"""What is said of a place: one document for each, and a table of them all."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
from shapely import to_wkb

from flows.products.tables import GEOPARQUET_VERSION, parquet_bytes
from flows.series.files import write_lines, write_picture, write_stack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flows.catalogue.series_blocks import ImageBlock, StackBlock
    from flows.series.places import Place
    from flows.series.reading import PartRead, PartRefused, RefusedDate, SeriesDate

SCHEMA: Final = "terrapair-series/1"
PLACE_SCHEMA: Final = "terrapair-series-place/1"

_FILE: Final = pa.struct([("path", pa.string()), ("bytes", pa.int64()), ("sha256", pa.string())])
_DATE: Final = pa.struct([
    ("scene_id", pa.string()), ("product", pa.string()), ("acquired_at", pa.string()),
    ("group", pa.string()), ("processing", pa.string()), ("cloud_scene_pct", pa.float64()),
    ("cloud_pct", pa.float64()), ("shadow_pct", pa.float64()), ("missing_pct", pa.float64()),
    ("crs", pa.string()), ("gsd_m", pa.float64()), ("shift_m", pa.list_(pa.float64())),
])  # fmt: skip
_REFUSED: Final = pa.struct([
    ("scene_id", pa.string()), ("reason", pa.string()), ("cloud_pct", pa.float64()),
    ("missing_pct", pa.float64()),
])  # fmt: skip
_PART: Final = pa.struct([
    ("name", pa.string()), ("bands", pa.list_(pa.string())), ("pixel", pa.string()),
    ("scale_m", pa.float64()), ("crs", pa.string()), ("transform", pa.list_(pa.float64())),
    ("width", pa.int32()), ("height", pa.int32()), ("dates", pa.list_(_DATE)),
    ("refused", pa.list_(_REFUSED)), ("files", pa.list_(_FILE)),
])  # fmt: skip
_BOX: Final = pa.struct([(name, pa.float64()) for name in ("xmin", "ymin", "xmax", "ymax")])
COLUMNS: Final = pa.schema([
    ("place_id", pa.string()), ("split", pa.string()), ("outcome", pa.string()),
    ("reason", pa.string()), ("detail", pa.string()), ("photos", pa.int32()),
    ("target_date", pa.string()), ("crs", pa.string()), ("west_m", pa.float64()),
    ("north_m", pa.float64()), ("side_m", pa.float64()), ("parts", pa.list_(_PART)),
    ("geometry", pa.binary()), ("bbox", _BOX),
])  # fmt: skip
"""One row for each place. `outcome` is `kept` or `refused`; a refused place has no files, and its
one part says what was tried. `shift_m` is how far pixels were moved onto the footprint's, eastward
and northward; null where they were averaged or come from another zone. Times are UTC, ISO 8601."""


def kept_place(
    place: Place, blocks: Mapping[str, ImageBlock | StackBlock], parts: Mapping[str, PartRead]
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Returns the document of a place that has all its parts, and its files by path."""
    files: dict[str, bytes] = {}
    said = []
    for name, block in blocks.items():
        part = parts[name]
        own = _files(place, block, part)
        files |= own
        grid = place.grid(block.scale_m)
        said.append({
            "name": name, "bands": list(block.bands), "pixel": part.data.dtype.name,
            "scale_m": block.scale_m, "crs": grid.crs, "transform": list(grid.transform),
            "width": grid.size_px, "height": grid.size_px,
            "dates": [_date(one) for one in part.dates],
            "refused": [_refused(one) for one in part.refused],
            "files": [{"path": path, "bytes": len(data), "sha256": digest(data)}
                      for path, data in own.items()],
        })  # fmt: skip
    return _document(place, "kept", "", "", said), files


def refused_place(place: Place, name: str, why: PartRefused) -> dict[str, Any]:
    """Returns the document of a place that lacks a part."""
    part = {"name": name, "dates": [], "refused": [_refused(one) for one in why.refused]}
    return _document(place, "refused", f"{name}: {why.reason}", why.detail, [part])


def digest(data: bytes) -> str:
    """Returns the SHA-256 of bytes, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def json_bytes(document: Mapping[str, Any]) -> bytes:
    """Returns a document as the bytes of a JSON file."""
    return f"{json.dumps(document, indent=1)}\n".encode()


def table_bytes(places: Sequence[Place], documents: Sequence[Mapping[str, Any]]) -> bytes:
    """Returns the documents of places as a GeoParquet file, a row for each."""
    rows = []
    for place, document in zip(places, documents, strict=True):
        shape = place.grid(place.side_m).footprint()
        bounds = dict(zip(("xmin", "ymin", "xmax", "ymax"), shape.bounds, strict=True))
        rows.append({**document, "geometry": to_wkb(shape), "bbox": bounds})
    covering = {name: ["bbox", name] for name in ("xmin", "ymin", "xmax", "ymax")}
    geometry = {
        "encoding": "WKB", "geometry_types": ["Polygon", "MultiPolygon"],
        "covering": {"bbox": covering},
    }  # fmt: skip
    geo = {"version": GEOPARQUET_VERSION, "primary_column": "geometry",
           "columns": {"geometry": geometry}}  # fmt: skip
    schema = COLUMNS.with_metadata({"geo": json.dumps(geo), "terrapair": SCHEMA})
    return parquet_bytes(pa.Table.from_pylist(rows, schema))


def _document(
    place: Place, outcome: str, reason: str, detail: str, parts: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    return {
        "schema": PLACE_SCHEMA, "place_id": place.place_id, "split": place.split.value,
        "outcome": outcome, "reason": reason, "detail": detail, "photos": place.photos,
        "target_date": place.target_date.isoformat(), "crs": place.crs, "west_m": place.west_m,
        "north_m": place.north_m, "side_m": place.side_m, "parts": list(parts),
    }  # fmt: skip


def _files(place: Place, block: ImageBlock | StackBlock, part: PartRead) -> dict[str, bytes]:
    """Returns the files of a part by path."""
    days = [one.scene.acquired_at.date().isoformat() for one in part.dates]
    grid = place.grid(block.scale_m)
    picture = block.path_of(block.file, place.place_id)
    if picture.endswith(".png"):
        files = {picture: write_picture(part.data[0])}
    else:
        names = [f"{day} {band}" for day in days for band in block.bands]
        files = {picture: write_stack(part.data, grid, names)}
    products = block.path_of(block.products, place.place_id)
    files[products] = write_lines([one.product for one in part.dates])
    quality_file = getattr(block, "quality_file", None)
    if quality_file is not None and part.quality is not None:
        path = block.path_of(quality_file, place.place_id)
        files[path] = write_stack(
            np.asarray(part.quality)[:, None], grid, [f"{day} SCL" for day in days]
        )
    return files


def _date(one: SeriesDate) -> dict[str, Any]:
    scene, measured = one.scene, one.measured
    return {
        "scene_id": scene.scene_id, "product": one.product,
        "acquired_at": scene.acquired_at.isoformat(), "group": one.group,
        "processing": scene.processing, "cloud_scene_pct": scene.cloud_scene_pct,
        "cloud_pct": measured.cloud_pct, "shadow_pct": measured.shadow_pct,
        "missing_pct": measured.missing_pct, "crs": scene.crs, "gsd_m": scene.gsd_m,
        "shift_m": None if one.shift_m is None else list(one.shift_m),
    }  # fmt: skip


def _refused(one: RefusedDate) -> dict[str, Any]:
    return {"scene_id": one.scene_id, "reason": one.reason, "cloud_pct": one.cloud_pct,
            "missing_pct": one.missing_pct}  # fmt: skip
