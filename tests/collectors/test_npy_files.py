"""NPY files: the same arrays as NumPy reads, and nothing that NumPy would have to execute."""

from __future__ import annotations

import ast
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from collectors.npy_files import read_npy

PLANES = np.dtype([("B2", "<u2"), ("SCL", "u1"), ("cs_cdf", "<f8")])
SHAPES = st.tuples(st.integers(0, 5), st.integers(1, 5))


def written(array: np.ndarray, version: tuple[int, int] | None = None) -> bytes:
    """Returns an array's file as NumPy writes it."""
    file = BytesIO()
    np.lib.format.write_array(file, array, version, allow_pickle=True)
    return file.getvalue()


@given(arrays(st.sampled_from([PLANES, np.dtype("u1"), np.dtype(">i4")]), SHAPES), st.booleans())
def test_arrays_come_as_numpy_reads_them(array: np.ndarray, fortran: bool) -> None:
    """Values, shape, type and order of storage; the array needs no memory of its own."""
    data = written(np.asfortranarray(array) if fortran else array)
    seen, expected = read_npy(data), np.load(BytesIO(data))
    assert (seen.shape, seen.dtype, seen.strides) == (
        expected.shape, expected.dtype, expected.strides,
    )  # fmt: skip
    assert seen.tobytes() == expected.tobytes()
    assert not seen.flags.owndata
    assert not seen.flags.writeable


def test_a_file_that_is_cut_off_anywhere_is_refused() -> None:
    """Every shorter beginning of a file is an error, be it in the header or in the values."""
    data = written(np.zeros((2, 3), PLANES))
    for length in range(len(data)):
        with pytest.raises(ValueError, match=r".+"):
            read_npy(data[:length])
    with pytest.raises(ValueError, match="65 of 66 bytes are there"):
        read_npy(data[:-1])
    assert read_npy(data + b"\n").shape == (2, 3)


def test_pickles_are_refused() -> None:
    """A file of objects would run what its sender likes."""
    for dtype in (object, [("B2", "O")]):
        with pytest.raises(ValueError, match="objects"):
            read_npy(written(np.zeros((2, 2), dtype)))


def test_other_versions_of_the_format_are_read_or_refused() -> None:
    """2.0 has a longer header; what is not known is not guessed at."""
    array = np.arange(6, dtype=np.uint16).reshape(2, 3)
    assert np.array_equal(read_npy(written(array, (2, 0))), array)
    with pytest.raises(ValueError, match="version"):
        read_npy(b"\x93NUMPY\x09\x00" + written(array)[8:])


def test_the_same_header_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers of one shape have one header, which Python's parser is not asked about each time."""
    reads: list[str] = []
    evaluate = ast.literal_eval

    def count(text: str) -> object:
        reads.append(text)
        return evaluate(text)

    monkeypatch.setattr(ast, "literal_eval", count)
    for value in range(5):
        array = np.full((17, 23), value, PLANES)
        assert np.array_equal(read_npy(written(array)), array)
    assert len(reads) == 1
