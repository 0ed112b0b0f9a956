"""Tables of an export: pieces of each portion, joined into files of a bounded number of rows."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq

from flows.products.tables import COMPRESSION
from flows.products.versions import local_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.storage import Store
    from flows.exports.forms import Ending
    from flows.products.versions import Version

PORTIONS_PER_FILE: Final = 1_000
"""Portions of a file of a table at which the next one is begun. A shard of 128 MB has about 60
chips and 500 photos: half a million rows, some 100 MB while they are joined."""


def version_schemas(store: Store, version: Version) -> dict[str, pa.Schema]:
    """Returns the schema of each table of a version, units and meanings included."""
    found = {}
    for product in ("chips", "photos", "pairs"):
        with local_files(store, version.files(product)[:1]) as (path,):
            found[product] = pq.read_schema(path)
    return found


def table_piece(table: pa.Table) -> bytes:
    """Returns a piece of a table as Arrow's stream, schema and metadata included."""
    sink = BytesIO()
    with pa.ipc.new_stream(
        sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")
    ) as writer:
        writer.write_table(table)
    return sink.getvalue()


def read_piece(data: bytes) -> pa.Table:
    """Returns the table of a piece."""
    with pa.ipc.open_stream(data) as reader:
        return reader.read_all()


def joined(ending: Ending, what: str, path: str) -> Iterator[tuple[str, bytes]]:
    """Joins the pieces of all portions into files, a row group for each portion.

    Args:
        ending: The end of the export.
        what: What they are pieces of.
        path: The files' path, without number and ending.
    """
    for number, first in enumerate(range(0, len(ending.portions), PORTIONS_PER_FILE)):
        sink = BytesIO()
        writer: pq.ParquetWriter | None = None
        some = ending.portions[first : first + PORTIONS_PER_FILE]
        for piece in ending.pieces(some, what):
            table = read_piece(piece)
            if writer is None:
                writer = pq.ParquetWriter(sink, table.schema, compression=COMPRESSION)
            writer.write_table(table, row_group_size=max(1, table.num_rows))
        if writer is not None:
            writer.close()
            yield f"{path}-{number:05d}.parquet", sink.getvalue()
