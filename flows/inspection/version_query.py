"""A published version as tables that SQL can be asked about."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb
import pyarrow.parquet as pq

from collectors.storage import Missing, open_store
from flows.products.revoked import while_published
from flows.products.rows import ROWS
from flows.products.table_rows import unreadable
from flows.products.versions import published_version

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from collectors.storage import Store
    from flows.products.versions import Version


@contextmanager
def open_version(
    root: str,
    name: str | None = None,
    products: tuple[str, ...] = tuple(ROWS),
    *,
    sensor: str | None = None,
) -> Iterator[tuple[Version, duckdb.DuckDBPyConnection]]:
    """Gives a version and a database in which each product is a view over its Parquet files.

    Rows are read from the files as they are asked for; memory does not grow with them. Of files on
    object storage the ranges are read that an answer needs. Columns of geometry are WKB.

    Args:
        root: The dataset.
        name: The version; the newest by default.
        products: Those of photos, rejects, chips and pairs that will be asked about.
        sensor: One that the version has to have.

    Yields:
        The version and the database.

    Raises:
        WrongUse: If there is no dataset, nothing was published, or there is no such version or
            sensor.
        SetupError: If the version was revoked, or a file of it is missing or damaged.
    """
    store = open_store(root, writable=False)
    version = published_version(store, name, sensor)
    with while_published(store, version.name), duckdb.connect() as base:
        prepare(base)
        add_views(base, store, version, products)
        yield version, base


def prepare(base: duckdb.DuckDBPyConnection) -> None:
    """Sets what all questions about versions need."""
    base.execute("SET enable_geoparquet_conversion=false")
    base.execute("SET parquet_metadata_cache=true")  # several questions about the same files
    base.execute("SET TimeZone='UTC'")
    # With many small row groups it reads everything twice, and DuckDB 2.0 stumbles over structs.
    base.execute("SET disabled_optimizers='late_materialization'")


def add_views(
    base: duckdb.DuckDBPyConnection,
    store: Store,
    version: Version,
    products: tuple[str, ...] = tuple(ROWS),
    ending: str = "",
) -> None:
    """Adds a view over the Parquet files of each product.

    Args:
        base: The database.
        store: The dataset.
        version: The version.
        products: The products.
        ending: Comes after a product's name in the name of its view.

    Raises:
        SetupError: If a file is missing or damaged.
    """
    for product in products:
        files = version.files(product)
        local = [store.local_path(path) for path in files]
        if None in local:
            from flows.inspection.remote_files import RemoteFiles

            remote = RemoteFiles(store, files, f"terrapair-{version.name}-{product}")
            base.register_filesystem(remote)
            addresses = [remote.unstrip_protocol(path) for path in files]
        else:
            addresses = [str(path) for path in local]
        quoted = ", ".join("'" + one.replace("'", "''") + "'" for one in addresses)
        try:
            base.execute(f"CREATE VIEW {product}{ending} AS FROM read_parquet([{quoted}])")
        except (duckdb.IOException, duckdb.InvalidInputException, Missing) as error:
            raise unreadable(store, version, [product], error) from None


def schema_of_version(root: str, version: Version, product: str) -> pa.Schema:
    """Returns the schema of a version's product as its files have it, with all metadata."""
    store = open_store(root, writable=False)
    path = version.files(product)[0]
    local = store.local_path(path)
    if local is not None:
        return pq.read_schema(local)
    from flows.inspection.remote_files import RemoteFiles

    with RemoteFiles(store, [path], "terrapair").open(path, "rb") as file:
        return pq.read_schema(file)
