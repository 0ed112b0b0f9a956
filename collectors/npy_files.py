"""NumPy's file format, read without copying: the bytes of the answer are the array's own."""

from __future__ import annotations

import math
import threading
from functools import lru_cache
from io import BytesIO
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.lib import format as npy

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAGIC: Final = b"\x93NUMPY"
_FIXED: Final = 12
"""Bytes of the beginning with the length of the header, in the longer of the versions."""

_LONGEST_HEADER: Final = 16 * 1024
"""Bytes in which the header is looked for; NumPy itself reads none of more than 10,000."""

_LENGTHS: Final = {(1, 0): Struct("<H"), (2, 0): Struct("<I")}
_HEADERS: Final = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
"""Versions of the format. 3.0 differs from 2.0 for names of fields outside Latin 1 alone."""

_READING: Final = threading.Lock()


def read_npy(data: bytes) -> NDArray[Any]:
    """Returns the array of an NPY file.

    `numpy.load` copies what it reads, piece by piece, which for a chip of 5 MB takes longer than
    all else that is done with the answer but compressing it.

    Args:
        data: The whole file; bytes after the array are passed over.

    Returns:
        The array, which cannot be written to.

    Raises:
        ValueError: If it is not the file of an array of plain values, or is cut off. What it says
            never makes anything be executed: arrays of objects (pickles) are refused.
    """
    if len(data) < _FIXED:
        raise ValueError(f"only {len(data)} bytes are there")
    version = (data[6], data[7])
    if not data.startswith(_MAGIC) or version not in _LENGTHS:
        raise ValueError(f"{data[:8]!r} begins no file of a version that is known")
    length = _LENGTHS[version]
    start = 8 + length.size + length.unpack_from(data, 8)[0]
    shape, fortran, dtype = _header(data[: min(start, _LONGEST_HEADER)])
    count = math.prod(shape)
    if len(data) - start < count * dtype.itemsize:
        raise ValueError(f"{len(data) - start} of {count * dtype.itemsize} bytes are there")
    values = np.frombuffer(data, dtype, count, start)
    return values.reshape(shape, order="F" if fortran else "C")


@lru_cache(maxsize=512)
def _header(head: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Returns shape, order and type of an array, from the beginning of its file.

    The same few headers come again and again, and each is read once, by one thread at a time:
    NumPy reads them with `ast.literal_eval`, which in Python 3.11 now and then fails with a
    `SystemError` where several threads use it (CPython issue 106905, mended in 3.11.8).
    """
    with _READING:
        file = BytesIO(head)
        shape, fortran, dtype = _HEADERS[npy.read_magic(file)](file)
    if dtype.hasobject:
        raise ValueError(f"an array of objects ({dtype}) is not read")
    return shape, fortran, dtype
