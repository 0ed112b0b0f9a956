"""NumPy's file format, read without copying: the bytes of the answer are the array's own."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.lib import format as npy

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LONGEST_HEADER: Final = 16 * 1024
"""Bytes in which the header is looked for; NumPy itself reads none of more than 10,000."""

_HEADERS: Final = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
"""Versions of the format. 3.0 differs from 2.0 for names of fields outside Latin 1 alone."""


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
    file = BytesIO(data[:_LONGEST_HEADER])
    version = npy.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"version {version} of the format is not known")
    shape, fortran, dtype = _HEADERS[version](file)
    if dtype.hasobject:
        raise ValueError(f"an array of objects ({dtype}) is not read")
    count = int(np.prod(shape, dtype=object))
    there = len(data) - file.tell()
    if there < count * dtype.itemsize:
        raise ValueError(f"{there} of {count * dtype.itemsize} bytes are there")
    values = np.frombuffer(data, dtype, count, file.tell())
    return values.reshape(shape, order="F" if fortran else "C")
