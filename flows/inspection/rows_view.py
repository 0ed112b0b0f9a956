"""Rows of a product: shown a page at a time, or written whole to a file."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb

from flows.catalogue.text import CatalogueError
from flows.inspection.export import export_rows
from flows.inspection.printing import (
    as_json_value,
    busy,
    paged,
    print_record,
    print_table,
)
from flows.inspection.version_query import open_version, schema_of_version
from flows.progress import no_progress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.console import Console

    from flows.inspection.selection import Selection
    from flows.products.versions import Version
    from flows.progress import Progress

WIDEST_TABLE = 10
"""Rows of more columns than this are shown one below the other."""

ROWS_SHOWN = 10
"""Rows that are shown unless another number is asked for."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How the rows of a selection are wanted.

    Attributes:
        columns: As SQL, separated by commas; None: all but the geometry.
        limit: Rows at most; None: as many as fit the use.
        offset: Rows to leave out first.
        version: The newest by default.
    """

    columns: str | None = None
    limit: int | None = None
    offset: int = 0
    version: str | None = None


def show_rows(
    console: Console, root: str, selection: Selection, shape: Shape, *, as_json: bool
) -> None:
    """Prints rows of a product, as DuckDB finds them in the published Parquet.

    Raises:
        CatalogueError: If there is no such column or reason, or the condition is none, or not SQL.
    """
    limit = ROWS_SHOWN if shape.limit is None else shape.limit
    with _asked(root, selection, shape.version) as (found, base), busy("looking through the rows"):
        wanted = shape.columns or _plain_columns(base, selection.product)
        rows_of = f"FROM {selection.product} {selection.condition()}"
        order = selection.order(list(found.manifest["columns"][selection.product]))
        # What is selected and where is the user's own SQL, on the user's own files.
        base.execute(f"SELECT {wanted} {rows_of} {order} LIMIT {limit} OFFSET {shape.offset}")
        header = [str(column[0]) for column in base.description or ()]
        rows = base.fetchall()
        total = shape.offset + len(rows)
        if len(rows) == limit or not rows:
            total = base.execute(f"SELECT count(*) {rows_of}").fetchall()[0][0]
        if not total:
            selection.check_reason(base)
    plain = [
        {name: as_json_value(name, value) for name, value in zip(header, row, strict=True)}
        for row in rows
    ]
    if as_json:
        console.print_json(json.dumps(plain))
        return
    with paged(console):
        if len(header) > WIDEST_TABLE:
            for record in plain:
                print_record(console, record)
        elif plain:
            print_table(console, f"{selection.product} of {found.name}", plain)
        until = shape.offset + len(plain)
        told = f"{len(plain)} of {total:,} rows"
        if shape.offset and plain:
            told = f"rows {shape.offset + 1:,} to {until:,} of {total:,}"
        if plain and until < total:
            told += f"; for the next ones add --offset {until}"
        console.print(told, style="dim", highlight=False)


def write_rows(
    root: str,
    selection: Selection,
    shape: Shape,
    to: Path,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Writes all rows of a selection to a file: CSV, Parquet or GeoJSON by its name.

    Args:
        root: The dataset.
        selection: Which rows.
        shape: Which columns; a limit holds only where one is given.
        to: The file, which must not exist.
        progress: Hears how many rows are written.

    Returns:
        What was written: `rows`, of which `product` and `version`, and to which `file`.

    Raises:
        CatalogueError: If the file is there, its ending stands for nothing that can be written, or
            there is no such reason.
    """
    with _asked(root, selection, shape.version) as (found, base):
        selection.check_reason(base)  # before the file is there
        known = list(found.manifest["columns"][selection.product])
        rest = f"FROM {selection.product} {selection.condition()} {selection.order(known)}"
        if shape.limit is not None or shape.offset:
            limit = "ALL" if shape.limit is None else str(shape.limit)
            rest += f" LIMIT {limit} OFFSET {shape.offset}"
        own = schema_of_version(root, found, selection.product)
        written = export_rows(base, selection.product, own, shape.columns, rest, to, progress)
    return {"rows": written, "product": selection.product, "version": found.name, "file": str(to)}


@contextmanager
def _asked(
    root: str, selection: Selection, version: str | None
) -> Iterator[tuple[Version, duckdb.DuckDBPyConnection]]:
    """Gives a version and a database that knows what a selection asks for."""
    opened = open_version(root, version, selection.products, sensor=selection.sensor)
    with opened as (found, base):
        selection.prepare(base)
        try:
            selection.check_where(base)
            yield found, base
        except duckdb.Error as error:
            known = ", ".join(found.manifest["columns"][selection.product])
            raise CatalogueError(
                f"{str(error).splitlines()[0]} (columns of {selection.product}: {known})"
            ) from None


def _plain_columns(base: duckdb.DuckDBPyConnection, product: str) -> str:
    """Returns the columns that people read: all but the geometry."""
    names = [name for name in base.view(product).columns if name not in {"geometry", "bbox"}]
    return ", ".join(f'"{name}"' for name in names)


def as_records(base: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Returns the rows of the last query, each by the names of its columns, as JSON holds them."""
    names = [str(column[0]) for column in base.description or ()]
    return [
        {name: as_json_value(name, value) for name, value in zip(names, row, strict=True)}
        for row in base.fetchall()
    ]
