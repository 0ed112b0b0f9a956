"""Whether anything of a photo or of an owner is in a dataset: in which version, and as what."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import duckdb
import pyarrow.compute as pc
from rich.text import Text

from collectors.storage import open_store
from flows.catalogue.text import CatalogueError
from flows.cells.state import latest_generations, read_commit
from flows.inspection.printing import busy, harmless, print_table
from flows.inspection.version_query import add_views, prepare
from flows.products.tables import read_parquet
from flows.products.versions import read_version, version_names

if TYPE_CHECKING:
    from rich.console import Console

    from collectors.storage import Store
    from flows.products.versions import Version

By = Literal["photo_id", "owner"]


def find_occurrences(root: str, by: By, value: str) -> list[dict[str, Any]]:
    """Looks for a photo, or for all photos of an owner, in all versions and in what comes next.

    Args:
        root: The dataset.
        by: What `value` is.
        value: Flickr's id of the photo or of the owner.

    Returns:
        For each version that has any, oldest first, and last for cells that were committed since
        the newest: `where`, `kept` and `rejected` (how many), `pairs`, and `cells`.

    Raises:
        CatalogueError: If nothing was built yet.
    """
    store = open_store(root, writable=False)
    found = []
    published: dict[str, int] = {}
    names = version_names(store)
    for name in names:
        version = read_version(store, name, revoked_too=True)
        assert version is not None  # noqa: S101 - it was listed
        if not version.revoked:  # else its tables are gone, and its cells are in no version
            found.append(_in_version(store, version, by, value))
            published = version.manifest["cells"]
    generations = latest_generations(store)
    if not names and not generations:
        raise CatalogueError(f"{root} holds nothing yet; build first")
    fresh = {cell: number for cell, number in generations.items() if published.get(cell) != number}
    found.append(_in_cells(store, fresh, by, value))
    return [one for one in found if one["kept"] or one["rejected"]]


def _in_version(store: Store, version: Version, by: By, value: str) -> dict[str, Any]:
    with duckdb.connect() as base:
        prepare(base)
        add_views(base, store, version)
        counts = {}
        cells: set[str] = set()
        for name, product in (("kept", "photos"), ("rejected", "rejects")):
            rows = base.execute(
                f"SELECT cell, count(*) FROM {product} WHERE {by} = ? GROUP BY cell",  # noqa: S608
                [value],
            ).fetchall()
            counts[name] = sum(count for _, count in rows)
            cells |= {cell for cell, _ in rows}
        pairs = 0
        if counts["kept"]:
            ids = "SELECT photo_id FROM photos WHERE owner = ?" if by == "owner" else "SELECT ?"
            pairs = base.execute(
                f"SELECT count(*) FROM pairs WHERE photo_id IN ({ids})",  # noqa: S608
                [value],
            ).fetchall()[0][0]
    return {"where": version.name} | counts | {"pairs": pairs, "cells": sorted(cells)}


def _in_cells(store: Store, generations: dict[str, int], by: By, value: str) -> dict[str, Any]:
    """Looks through cells that no version has as they are now."""
    counts = {"kept": 0, "rejected": 0, "pairs": 0}
    cells = []
    for cell, number in sorted(generations.items()):
        parts = read_commit(store, cell, number)["parts"]
        here = 0
        ids: list[str] = []
        for name, product in (("kept", "photos"), ("rejected", "rejects")):
            table = read_parquet(store.read(parts[product]), ["photo_id", "owner"])
            own = table.filter(pc.equal(table[by], value))
            counts[name] += own.num_rows
            here += own.num_rows
            ids += own["photo_id"].to_pylist() if name == "kept" else []
        if ids:
            pairs = read_parquet(store.read(parts["pairs"]), ["photo_id"])["photo_id"].to_pylist()
            counts["pairs"] += sum(photo_id in set(ids) for photo_id in pairs)
        if here:
            cells.append(cell)
    return {"where": "cells not yet published"} | counts | {"cells": cells}


def show_occurrences(console: Console, root: str, by: By, value: str, *, as_json: bool) -> bool:
    """Prints where anything of a photo or an owner is; returns whether there is anything."""
    with busy("looking through all versions"):
        found = find_occurrences(root, by, value)
    if as_json:
        console.print_json(json.dumps({by: value, "found": found}))
        return bool(found)
    what = ("photo " if by == "photo_id" else "owner ") + harmless(value)
    if not found:
        console.print(Text(f"nothing of {what} is in {root}"), soft_wrap=True)
        return False
    rows = [one | {"cells": _some(one["cells"])} for one in found]
    print_table(console, f"{what} in {root}", rows)
    return True


def _some(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
