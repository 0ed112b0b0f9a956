"""A published version as tables that SQL can be asked about."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import duckdb

from collectors.storage import open_store
from flows.catalogue.text import CatalogueError
from flows.products.rows import ROWS
from flows.products.versions import local_files, read_version

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flows.products.versions import Version


@contextmanager
def open_version(
    root: str, name: str | None = None, products: tuple[str, ...] = tuple(ROWS)
) -> Iterator[tuple[Version, duckdb.DuckDBPyConnection]]:
    """Gives a version and a database in which each product is a view over its Parquet files.

    Rows are read from the files as they are asked for; memory does not grow with them. Files on
    object storage are copied to this machine for the while.

    Args:
        root: The dataset.
        name: The version; the newest by default.
        products: Those of photos, rejects, chips and pairs that will be asked about.

    Yields:
        The version and the database.

    Raises:
        CatalogueError: If nothing was published.
        SetupError: If there is no dataset, or no version of that name.
    """
    store = open_store(root, writable=False)
    version = read_version(store, name)
    if version is None:
        raise CatalogueError(f"{root} holds no published version yet; build one first")
    with ExitStack() as open_things:
        base = open_things.enter_context(duckdb.connect())
        for product in products:
            files = open_things.enter_context(local_files(store, version.files(product)))
            base.read_parquet([str(file) for file in files]).create_view(product)
        yield version, base
