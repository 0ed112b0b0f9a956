"""Single rows of a table that is mapped into memory.

A sample is read by its number, in any order: one row of this cell, one of that. An Arrow scalar
takes 2 µs for each field of a row; what lies in the table's buffers is read from there in a tenth
of it, for the types that most fields have.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from flows.products.tables import ADDED, from_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()


class MappedRows:
    """Gives the fields of a row by its number."""

    def __init__(self, batch: pa.RecordBatch, names: Iterable[str]) -> None:
        """Takes the table.

        Args:
            batch: The table; its memory is held.
            names: The fields wanted, in order; those that earlier releases did not write may be
                missing, and are None.
        """
        self._readers = [
            (name, _nothing if name in ADDED and name not in batch.schema.names
             else _reader(name, batch[name]))
            for name in names
        ]  # fmt: skip

    def __getitem__(self, at: int) -> dict[str, Any]:
        return {name: read(at) for name, read in self._readers}


def _reader(name: str, column: pa.Array) -> Callable[[int], Any]:
    """Returns what reads a field as the rows hold it (`flows.products.tables.from_plain`)."""
    read = _of_type(column)
    if read is None:
        return lambda at: from_plain(name, column[at].as_py(maps_as_pydicts="strict"))
    if not column.null_count:
        return read
    there = column.is_valid().to_numpy(zero_copy_only=False)
    return lambda at: read(at) if there[at] else None


def _of_type(column: pa.Array) -> Callable[[int], Any] | None:
    """Returns what reads a value that is there, or None for types that are left to Arrow."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        words = column.dictionary.to_pylist()
        number = _values(column.indices, kind.index_type.to_pandas_dtype())
        return lambda at: words[number(at)]
    if pa.types.is_string(kind):
        return _texts(column)
    if pa.types.is_date32(kind):
        days = _values(column, np.int32)
        return lambda at: date.fromordinal(_EPOCH_DAY + days(at))
    if pa.types.is_timestamp(kind) and kind.unit == "us":
        begin = _EPOCH if kind.tz else _EPOCH.replace(tzinfo=None)
        ticks = _values(column, np.int64)
        return lambda at: begin + timedelta(microseconds=ticks(at))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _values(column, kind.to_pandas_dtype())
    if pa.types.is_list(kind):
        child = _of_type(column.values) if not column.values.null_count else None
        if child is not None:
            first = _values(column.offsets, np.int32)
            return lambda at: tuple(child(one) for one in range(first(at), first(at + 1)))
    if pa.types.is_map(kind):
        key, item = _of_type(column.keys), _of_type(column.items)
        if key is not None and item is not None and not column.items.null_count:
            start = _values(column.offsets, np.int32)
            return lambda at: {key(one): item(one) for one in range(start(at), start(at + 1))}
    return None


def _values(column: pa.Array, kind: type[np.number[Any]]) -> Callable[[int], Any]:
    """Returns what reads a number of this type; where there is none, the number may be any."""
    return np.frombuffer(column.buffers()[1], kind)[column.offset :].item


def _texts(column: pa.Array) -> Callable[[int], str]:
    _, places, letters = column.buffers()
    first = np.frombuffer(places, np.int32)[column.offset :].item
    held = memoryview(letters or b"")
    return lambda at: str(held[first(at) : first(at + 1)], "utf-8")


def _nothing(at: int) -> None:
    """A field that no row has."""
