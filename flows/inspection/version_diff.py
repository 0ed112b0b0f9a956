"""What is new, gone or changed from one version to another, by cell and by reason."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import duckdb
from rich.text import Text

from collectors.storage import open_store
from flows.catalogue.text import CatalogueError
from flows.inspection.printing import busy, paged, print_table
from flows.inspection.selection import quoted
from flows.inspection.version_query import add_views, prepare
from flows.products.rows import ROWS
from flows.products.versions import read_version

if TYPE_CHECKING:
    from rich.console import Console

    from flows.products.versions import Version

_KEYS: Final = {
    "photos": ("photo_id",), "rejects": ("photo_id",), "chips": ("chip_id",),
    "pairs": ("photo_id", "sensor"),
}  # fmt: skip

_UNWATCHED: Final = frozenset({"generation", "geometry", "bbox"})
"""Columns whose change is none: the geometry follows from others."""

_CHIP_CHANGES: Final = (
    ("got pixels", "a.outcome <> 'kept' AND b.outcome = 'kept'"),
    ("lost its pixels", "a.outcome = 'kept' AND b.outcome <> 'kept'"),
    ("other scene", "a.scene_id <> b.scene_id"),
    ("other reason for no pixels", "a.reason IS DISTINCT FROM b.reason"),
    ("other number of photos", "a.photos <> b.photos"),
)
"""What changed in a chip, the weightiest first."""

_MEMORY: Final = "1GB"
_CELLS_SHOWN: Final = 20


def compare_versions(root: str, older: str, newer: str) -> dict[str, Any]:
    """Compares two versions, row by row, where their cells differ at all.

    Args:
        root: The dataset.
        older: Name of the version to begin with.
        newer: Name of the other.

    Returns:
        For JSON: for each product `new`, `gone`, `changed` and the columns that changed; the same
        by cell; new and gone photos by what became of them; changed chips by how they changed.

    Raises:
        CatalogueError: If the two are one.
        SetupError: If there is no version of such a name.
    """
    if older == newer:
        raise CatalogueError(f"{older} and {newer} are the same version; name two")
    store = open_store(root, writable=False)
    with duckdb.connect() as base:
        prepare(base)
        base.execute(f"SET memory_limit='{_MEMORY}'")
        versions = []
        for name, ending in ((older, "_a"), (newer, "_b")):
            version = read_version(store, name)
            assert version is not None  # noqa: S101 - a name was given
            add_views(base, store, version, ending=ending)
            versions.append(version)
        found = {product: _compare(base, versions, product) for product in ROWS}
        cells: dict[str, dict[str, int]] = {}
        for product, one in found.items():
            for cell, counts in one.pop("cells").items():
                for how, count in counts.items():
                    cells.setdefault(cell, {})[f"{how}_{product}"] = count
        return {
            "from": older, "to": newer, "products": found, "by_cell": dict(sorted(cells.items())),
            "photos_new": _new_photos(base), "photos_gone": _gone_photos(base),
            "rejects_new": _by_reason(base, "_b", "_a"),
            "rejects_gone": _by_reason(base, "_a", "_b"),
            "chips_changed": _changed_chips(base),
        }  # fmt: skip


def _compare(
    base: duckdb.DuckDBPyConnection, versions: list[Version], product: str
) -> dict[str, Any]:
    """Compares a product; leaves tables of the rows that are in one version only, or changed."""
    names = [
        [one for one in version.manifest["columns"][product] if one not in _UNWATCHED]
        for version in versions
    ]
    shared = [name for name in names[0] if name in names[1]]
    keys = _KEYS[product]
    # Cells whose rows are the same, by number and checksum, are not looked at again.
    columns = ", ".join(f'"{name}"' for name in shared)
    sums = " FULL JOIN ".join(
        f"(SELECT cell, count(*) AS n, bit_xor(hash({columns})) AS h FROM {product}{ending}"  # noqa: S608
        f" GROUP BY cell) {alias}"
        for ending, alias in (("_a", "a"), ("_b", "b"))
    )
    rows = base.execute(
        f"SELECT coalesce(a.cell, b.cell) FROM {sums} ON a.cell = b.cell"  # noqa: S608
        " WHERE a.n IS DISTINCT FROM b.n OR a.h IS DISTINCT FROM b.h"
    ).fetchall()
    cells = ", ".join(quoted(cell) for (cell,) in rows) or "''"
    for ending in ("_a", "_b"):
        base.execute(
            f"CREATE TEMP VIEW {product}{ending}_some AS"  # noqa: S608
            f" SELECT * FROM {product}{ending} WHERE cell IN ({cells})"
        )
    on = " AND ".join(f"a.{key} = b.{key}" for key in keys)
    differs = {name: f'a."{name}" IS DISTINCT FROM b."{name}"' for name in shared}
    key = keys[0]
    base.execute(
        f"CREATE TEMP TABLE {product}_diff AS SELECT coalesce(b.cell, a.cell) AS cell,"  # noqa: S608
        f" coalesce(a.{key}, b.{key}) AS id,"
        f" CASE WHEN a.{key} IS NULL THEN 'new' WHEN b.{key} IS NULL THEN 'gone'"
        f" ELSE 'changed' END AS how, "
        + ", ".join(f'{test} AS "{name}"' for name, test in differs.items() if name != "cell")
        + f", a.cell IS DISTINCT FROM b.cell AS moved FROM {product}_a_some a"
        f" FULL JOIN {product}_b_some b ON {on}"
        f" WHERE a.{key} IS NULL OR b.{key} IS NULL OR {' OR '.join(differs.values())}"
    )
    counted: dict[str, Any] = {"new": 0, "gone": 0, "changed": 0}
    by_cell: dict[str, dict[str, int]] = {}
    for cell, how, count in base.execute(
        f"SELECT cell, how, count(*) FROM {product}_diff GROUP BY ALL"  # noqa: S608
    ).fetchall():
        counted[how] += count
        by_cell.setdefault(cell, {})[how] = count
    watched = [name for name in shared if name not in {*keys, "cell"}]
    sums = ", ".join(f'count_if("{name}") AS "{name}"' for name in watched)
    (changed,) = base.execute(
        f"SELECT {sums}, count_if(moved) FROM {product}_diff WHERE how = 'changed'"  # noqa: S608
    ).fetchall()
    columns_changed = {
        name: count for name, count in zip([*watched, "cell"], changed, strict=True) if count
    }
    return counted | {"columns": columns_changed, "cells": by_cell}


def _new_photos(base: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Counts new photos by where they were before."""
    return _counts(
        base,
        "SELECT coalesce('rejected before: ' || r.reason, 'not seen before'), count(*)"
        " FROM photos_diff d LEFT JOIN rejects_a_some r ON r.photo_id = d.id"
        " WHERE d.how = 'new' GROUP BY ALL",
    )


def _gone_photos(base: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Counts photos that are gone by what became of them."""
    return _counts(
        base,
        "SELECT coalesce('now rejected: ' || r.reason, 'no longer there'), count(*)"
        " FROM photos_diff d LEFT JOIN rejects_b_some r ON r.photo_id = d.id"
        " WHERE d.how = 'gone' GROUP BY ALL",
    )


def _by_reason(base: duckdb.DuckDBPyConnection, there: str, missing: str) -> dict[str, int]:
    """Counts, by reason, the rejects that one version has and the other has not."""
    return _counts(
        base,
        f"SELECT r.stage || ': ' || r.reason, count(*) FROM rejects{there}_some r"  # noqa: S608
        f" ANTI JOIN rejects{missing}_some o ON o.photo_id = r.photo_id GROUP BY ALL",
    )


def _changed_chips(base: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Counts changed chips by the weightiest thing that changed."""
    cases = " ".join(f"WHEN {test} THEN {quoted(name)}" for name, test in _CHIP_CHANGES)
    return _counts(
        base,
        f"SELECT CASE {cases} ELSE 'other columns' END, count(*) FROM chips_diff d"  # noqa: S608
        " JOIN chips_a_some a ON a.chip_id = d.id JOIN chips_b_some b ON b.chip_id = d.id"
        " WHERE d.how = 'changed' GROUP BY ALL",
    )


def _counts(base: duckdb.DuckDBPyConnection, query: str) -> dict[str, int]:
    rows = base.execute(query).fetchall()
    return {str(name): int(count) for name, count in sorted(rows, key=lambda row: (-row[1], row))}


def show_difference(console: Console, root: str, older: str, newer: str, *, as_json: bool) -> None:
    """Prints what changed from one version to another."""
    with busy(f"comparing {older} with {newer}"):
        found = compare_versions(root, older, newer)
    if as_json:
        console.print_json(json.dumps(found))
        return
    with paged(console):
        rows = [
            {"product": product} | {how: one[how] for how in ("new", "gone", "changed")}
            | {"changed columns": _listed(one["columns"])}
            for product, one in found["products"].items()
        ]  # fmt: skip
        print_table(console, f"From {older} to {newer}", rows)
        for title, name in (
            ("New photos", "photos_new"), ("Photos that are gone", "photos_gone"),
            ("New rejects", "rejects_new"), ("Rejects that are gone", "rejects_gone"),
            ("Changed chips", "chips_changed"),
        ):  # fmt: skip
            if found[name]:
                told = [{"what": what, "rows": count} for what, count in found[name].items()]
                print_table(console, title, told)
        _print_cells(console, found["by_cell"])


def _print_cells(console: Console, by_cell: dict[str, dict[str, int]]) -> None:
    most = sorted(by_cell.items(), key=lambda item: (-sum(item[1].values()), item[0]))
    rows = [
        {"cell": cell, "what": _listed({name.replace("_", " "): n for name, n in counts.items()})}
        for cell, counts in most[:_CELLS_SHOWN]
    ]
    if rows:
        print_table(console, "Cells", rows)
    if len(most) > _CELLS_SHOWN:
        rest = len(most) - _CELLS_SHOWN
        console.print(Text(f"and {rest:,} cells more (--json has them all)", "dim"))


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "—"
