"""The rows of a version's tables, some at a time."""

from __future__ import annotations

from collections import defaultdict
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from flows.products.versions import local_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from collectors.storage import Store
    from flows.products.versions import Version


def row_groups(
    store: Store, version: Version, product: str, columns: Sequence[str] | None = None
) -> Iterator[pa.Table]:
    """Yields a product's rows, a row group (a cell) at a time, in the order of the files.

    Args:
        store: The dataset.
        version: The version; of its manifest, `tables` is used.
        product: The table.
        columns: Columns wanted; all by default.
    """
    for path in version.files(product):
        with local_files(store, [path]) as (local,), pq.ParquetFile(local) as file:
            for number in range(file.num_row_groups):
                yield file.read_row_group(
                    number, columns=None if columns is None else list(columns)
                )


class CellTables:
    """The rows of a version by cell, found by the footers of its files; use it in `with`."""

    def __init__(self, store: Store, version: Version, products: Sequence[str]) -> None:
        """Takes the version, and the products that will be asked for."""
        self._store, self._version, self._products = store, version, products
        self._open = ExitStack()
        self._groups: dict[str, defaultdict[str, list[tuple[pq.ParquetFile, int]]]] = {}
        self._schemas: dict[str, pa.Schema] = {}

    def __enter__(self) -> Self:
        """Opens the files; remote ones are copied to this machine for the while."""
        for product in self._products:
            groups = self._groups[product] = defaultdict(list)
            paths = self._open.enter_context(local_files(self._store, self._version.files(product)))
            for path in paths:
                file = self._open.enter_context(pq.ParquetFile(path))
                self._schemas[product] = file.schema_arrow
                for number in range(file.num_row_groups):
                    for cell in _cells_of(file, number):
                        groups[cell].append((file, number))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes the files."""
        self._open.close()

    def read(self, product: str, cell: str) -> pa.Table:
        """Returns a cell's rows of a product."""
        found = [file.read_row_group(number) for file, number in self._groups[product][cell]]
        whole = pa.concat_tables([self._schemas[product].empty_table(), *found])
        return whole.filter(pc.equal(whole["cell"], cell))


def _cells_of(file: pq.ParquetFile, number: int) -> list[str]:
    """Returns the cells of a row group; by the footer where it is of one, as publish writes it."""
    group = file.metadata.row_group(number)
    for place in range(group.num_columns):
        column = group.column(place)
        if column.path_in_schema == "cell" and column.statistics is not None:
            low, high = column.statistics.min, column.statistics.max
            if low == high:
                return [low]
    found: list[str] = file.read_row_group(number, columns=["cell"])["cell"].unique().to_pylist()
    return found
