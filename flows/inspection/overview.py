"""The catalogue, and what exists of it under a root: regions, sources, products, versions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from collectors.cells import grounds_of
from collectors.storage import open_store
from flows.catalogue.catalogue import find_catalogue, load_catalogue
from flows.inspection.printing import print_table
from flows.inspection.version_query import open_version
from flows.products.rows import ROWS
from flows.products.versions import nothing_published, read_version, version_names
from flows.publishing.splitting import line_about

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from collectors.storage import Store
    from flows.catalogue.catalogue import Catalogue


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
    print_table(console, "Regions", overview["regions"])
    print_table(console, "Sources", overview["sources"])
    print_table(console, "Products", overview["products"])
    if root is not None:
        _print_dataset(console, overview["dataset"])


def show_versions(console: Console, root: str, *, as_json: bool) -> None:
    """Prints the versions of a dataset, oldest first.

    Raises:
        WrongUse: If there is no dataset, or nothing was published.
    """
    store = open_store(root, writable=False)
    found = _versions(store)
    if not found:
        raise nothing_published(store)
    if as_json:
        console.print_json(json.dumps(found))
    else:
        _print_versions(console, found)


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
            f"{' and '.join(sensor.collections)}: {', '.join(sensor.bands)}; {sensor.size_px} px at"
            f" {sensor.scale_m:g} m{cloud}, {sensor.scene_rule} within {sensor.window_days} days"
        )
        sources.append({"name": sensor.name, "kind": "sensor", "what": what})
    products = [
        {"name": name, "columns": len(block.columns), "meaning": block.meaning}
        for name, block in catalogue.products.items()
    ]
    return {"catalogue": str(path), "regions": regions, "sources": sources, "products": products}


def _versions(store: Store) -> list[dict[str, Any]]:
    """Returns what each version holds, oldest first."""
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
    return versions


def _dataset(store: Store) -> dict[str, Any]:
    """Returns what exists under a root."""
    runs = store.list("runs")
    versions = _versions(store)
    shards, size = _shards(store) if versions and not versions[-1]["revoked"] else (0, 0)
    return {
        "root": store.root,
        "versions": versions,
        "shards": shards,
        "shard_bytes": size,
        "last_build": runs[-1].split("/")[1].removesuffix(".json") if runs else None,
    }


def _shards(store: Store) -> tuple[int, int]:
    """Returns how many shards the newest version names, and the bytes of what it names in them.

    Its tables say so at once; to list a million photos' shards takes many seconds.
    """
    with open_version(store.root, products=("photos", "chips")) as (_, base):
        named = " UNION ALL ".join(
            f"SELECT count(DISTINCT shard) AS n, sum(size) AS s FROM {one}"  # noqa: S608
            for one in ("photos", "chips")
        )
        ((shards, size),) = base.execute(f"SELECT sum(n), sum(s) FROM ({named})").fetchall()  # noqa: S608
    return int(shards), int(size or 0)


def _print_dataset(console: Console, dataset: dict[str, Any]) -> None:
    console.print(f"\ndataset {dataset['root']}", highlight=False, soft_wrap=True)
    if not dataset["versions"]:
        console.print("  nothing published yet", highlight=False)
        return
    _print_versions(console, dataset["versions"])
    console.print(
        f"{dataset['shards']:,} shards with {dataset['shard_bytes'] / 1e6:,.1f} MB of photos and"
        f" chips; last run {dataset['last_build']}",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


def _print_versions(console: Console, versions: list[dict[str, Any]]) -> None:
    rows = [{name: one[name] for name in one if name != "splits"} for one in versions]
    print_table(console, "Versions", rows)
    splits = versions[-1]["splits"]
    if splits is not None:
        console.print(line_about(splits), highlight=False, soft_wrap=True)
