"""Looking at the catalogue and at what a dataset holds."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

import duckdb
import shapely
from rich.table import Table
from rich.text import Text

from collectors.cells import grounds_of
from collectors.storage import open_store
from flows.catalogue.catalogue import find_catalogue, load_catalogue
from flows.catalogue.text import CatalogueError
from flows.inspection.version_query import open_version
from flows.products.rows import ROWS
from flows.products.versions import read_version, version_names
from flows.publishing.splitting import line_about

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from collectors.storage import Store
    from flows.catalogue.catalogue import Catalogue

_HIDDEN = ("geometry", "bbox")

_TURNING: Final = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
"""Unicode's classes of characters that turn the direction of what follows."""

WIDEST_TABLE = 10
"""Rows of more columns than this are shown one below the other."""


def show_overview(
    console: Console, root: str | None, catalogue_path: Path | None, *, as_json: bool
) -> None:
    """Prints regions, sources and products, and what exists of them under a root."""
    path = find_catalogue(catalogue_path)
    catalogue = load_catalogue(path)
    overview = _overview(catalogue, path)
    if root is not None:
        overview["dataset"] = _dataset(open_store(root, writable=False))
    if as_json:
        console.print_json(json.dumps(overview))
        return
    console.print(f"catalogue {path}", highlight=False, soft_wrap=True)
    _print_table(console, "Regions", overview["regions"])
    _print_table(console, "Sources", overview["sources"])
    _print_table(console, "Products", overview["products"])
    if root is not None:
        _print_dataset(console, overview["dataset"])


def show_rows(
    console: Console,
    root: str,
    product: str,
    *,
    where: str | None,
    columns: str | None,
    limit: int,
    version: str | None,
    as_json: bool,
) -> None:
    """Prints rows of a product, as DuckDB finds them in the published Parquet.

    Raises:
        CatalogueError: If there is no such product or column, or the condition is not SQL.
    """
    if product not in ROWS:
        raise CatalogueError(f"there is no product {product!r}; there are {', '.join(ROWS)}")
    wanted = "*" if columns is None else columns
    with open_version(root, version, (product,)) as (found, base):
        condition = f"WHERE {where}" if where else ""
        # What is selected and where is the user's own SQL, on the user's own files.
        rows_wanted = f"SELECT {wanted} FROM {product} {condition} LIMIT {limit}"  # noqa: S608
        rows_counted = f"SELECT count(*) FROM {product} {condition}"  # noqa: S608
        try:
            relation = base.sql(rows_wanted)
            header = list(relation.columns)
            rows = relation.fetchall()
            total = base.sql(rows_counted).fetchall()[0][0]
        except duckdb.Error as error:
            known = ", ".join(found.manifest["columns"][product])
            raise CatalogueError(
                f"{str(error).splitlines()[0]} (columns of {product}: {known})"
            ) from None
    shown = [name for name in header if columns is not None or name not in _HIDDEN]
    records = [dict(zip(header, row, strict=True)) for row in rows]
    plain = [{name: _plain(name, record[name]) for name in shown} for record in records]
    if as_json:
        console.print_json(json.dumps(plain))
        return
    if len(shown) > WIDEST_TABLE:
        for record in plain:
            _print_record(console, record)
    else:
        _print_table(console, f"{product} of {found.name}", plain)
    console.print(f"{len(plain)} of {total:,} rows", style="dim", highlight=False)


def _overview(catalogue: Catalogue, path: Path) -> dict[str, Any]:
    regions = []
    for name, region in catalogue.regions.items():
        grounds = list(grounds_of(catalogue.polygons(name, path.parent)))
        regions.append(
            {
                "name": name,
                "title": region.title,
                "ground": list(region.box) if region.box else str(region.geojson),
                "cells": len(grounds),
                "whole_cells": round(sum(ground.share for ground in grounds), 1),
                "sensors": ", ".join(region.sensors or catalogue.sensors),
            }
        )
    sources: list[dict[str, Any]] = [
        {"name": "flickr", "kind": "photos", "what": f"taken since {catalogue.flickr.taken_since}"}
    ]
    for sensor in catalogue.sensors.values():
        limit = sensor.scene_cloud_limit_pct
        cloud = f", scenes under {limit:g} % cloud" if limit is not None else ""
        what = (
            f"{sensor.collection}: {', '.join(sensor.bands)}; {sensor.size_px} px at"
            f" {sensor.scale_m:g} m{cloud}, {sensor.scene_rule} within {sensor.window_days} days"
        )
        sources.append({"name": sensor.name, "kind": "sensor", "what": what})
    products = [
        {"name": name, "columns": len(block.columns), "meaning": block.meaning}
        for name, block in catalogue.products.items()
    ]
    return {"catalogue": str(path), "regions": regions, "sources": sources, "products": products}


def _dataset(store: Store) -> dict[str, Any]:
    """Returns what exists under a root."""
    versions = []
    for name in version_names(store):
        version = read_version(store, name, revoked_too=True)
        assert version is not None  # noqa: S101 - it was listed
        versions.append(
            {"version": name, "revoked": version.revoked, "cells": len(version.manifest["cells"])}
            | {product: version.rows(product) for product in ROWS}
            | {"splits": version.manifest.get("splits")}
            | {"table_bytes": version.size}
        )
    shards = store.list("shards")
    runs = store.list("runs")
    return {
        "root": store.root,
        "versions": versions,
        "shards": len(shards),
        "shard_bytes": sum(store.size(path) for path in shards),
        "last_build": runs[-1].split("/")[1].removesuffix(".json") if runs else None,
    }


def _print_dataset(console: Console, dataset: dict[str, Any]) -> None:
    console.print(f"\ndataset {dataset['root']}", highlight=False, soft_wrap=True)
    if not dataset["versions"]:
        console.print("  nothing published yet", highlight=False)
        return
    shown = [{name: one[name] for name in one if name != "splits"} for one in dataset["versions"]]
    _print_table(console, "Versions", shown)
    splits = dataset["versions"][-1]["splits"]
    if splits is not None:
        console.print(line_about(splits), highlight=False, soft_wrap=True)
    console.print(
        f"{dataset['shards']:,} shards, {dataset['shard_bytes'] / 1e6:,.1f} MB; last run"
        f" {dataset['last_build']}",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


def _print_table(console: Console, title: str, records: list[dict[str, Any]]) -> None:
    """Prints records as a table; what comes from outside is text, never markup."""
    table = Table(title=title, title_justify="left", header_style="bold")
    for name in records[0] if records else []:
        table.add_column(name.replace("_", " "), overflow="fold")
    for record in records:
        table.add_row(*(Text(_text(value)) for value in record.values()))
    console.print(table)


def _print_record(console: Console, record: dict[str, Any]) -> None:
    """Prints one row of many columns, a line for each."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in record.items():
        table.add_row(name, Text(_text(value)))
    console.print(table, end="\n\n")


def _text(value: Any) -> str:
    if value is None:
        return "—"
    if isinstance(value, float):
        return repr(round(value, 6)) if abs(value) >= 1e-3 else f"{value:.3g}"
    return json.dumps(value) if isinstance(value, list | dict) else _harmless(str(value))


def _harmless(text: str) -> str:
    """Returns a text with control characters and those that turn its direction as escapes.

    Titles are written by strangers, and a terminal does what its control characters say.
    """
    return "".join(
        one.encode("unicode_escape").decode()
        if unicodedata.category(one) in {"Cc", "Cs"} or unicodedata.bidirectional(one) in _TURNING
        else one
        for one in text
    )


def _plain(name: str, value: Any) -> Any:
    """Returns a cell of a table as JSON can hold it."""
    if isinstance(value, bytes | bytearray):
        return shapely.from_wkb(bytes(value)).wkt if name == "geometry" else value.hex()
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _plain(name, one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(name, one) for one in value]
    return value
