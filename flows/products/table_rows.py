"""The rows of a version's tables, some at a time."""

from __future__ import annotations

from collections import defaultdict
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from collectors.storage import Missing
from collectors.transport import SetupError
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

    Raises:
        SetupError: If a file is missing or damaged.
    """
    for path in version.files(product):
        with ExitStack() as opened:
            try:
                (local,) = opened.enter_context(local_files(store, [path]))
                file = opened.enter_context(pq.ParquetFile(local))
            except (Missing, OSError, pa.ArrowInvalid) as error:
                raise unreadable(store, version, [product], error) from None
            for number in range(file.num_row_groups):
                yield file.read_row_group(
                    number, columns=None if columns is None else list(columns)
                )


def unreadable(
    store: Store, version: Version, products: Sequence[str], error: Exception
) -> SetupError:
    """Returns what is said of a version whose tables could not be read.

    Args:
        store: The dataset.
        version: The version.
        products: The tables that were asked for.
        error: What was raised.
    """
    paths = [path for product in products for path in version.files(product)]
    lost = next((path for path in paths if not store.exists(path)), None)
    what = (
        f"a table of {version.name} cannot be read ({str(error).partition(chr(10))[0]})."
        if lost is None else f"{version.name} lacks its table file {lost}."
    )  # fmt: skip
    return SetupError(
        store.root, what,
        "`terrapair verify` says what else is damaged; put it back from another copy.",
    )  # fmt: skip


class CellTables:
    """The rows of a version by cell, found by the footers of its files; use it in `with`."""

    def __init__(self, store: Store, version: Version, products: Sequence[str]) -> None:
        """Takes the version, and the products that will be asked for."""
        self._store, self._version, self._products = store, version, products
        self._open = ExitStack()
        self._groups: dict[str, defaultdict[str, list[tuple[pq.ParquetFile, int]]]] = {}
        self._schemas: dict[str, pa.Schema] = {}

    def __enter__(self) -> Self:
        """Opens the files; remote ones are copied to this machine for the while.

        Raises:
            SetupError: If one is missing or damaged.
        """
        try:
            self._find()
        except (Missing, OSError, pa.ArrowInvalid) as error:
            self._open.close()
            raise unreadable(self._store, self._version, self._products, error) from None
        return self

    def _find(self) -> None:
        for product in self._products:
            groups = self._groups[product] = defaultdict(list)
            paths = self._open.enter_context(local_files(self._store, self._version.files(product)))
            for path in paths:
                file = self._open.enter_context(pq.ParquetFile(path))
                self._schemas[product] = file.schema_arrow
                for number in range(file.num_row_groups):
                    for cell in _cells_of(file, number):
                        groups[cell].append((file, number))

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
