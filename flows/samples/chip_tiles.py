"""Reads chips from the one layout of TIFF that `collectors.chip_files.encode_chip` writes.

GDAL opens any TIFF, builds a CRS for each and copies through its block cache; training reads the
same layout millions of times, and has CRS and transform from the tables. What is done here is the
decompression, the differences added up, and nothing else.

The layout (TIFF 6.0, and registered tags): little-endian, bands one after the other, tiles, ZSTD
(compression 50000) with horizontal differencing (predictor 2), unsigned integers.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _BANDS = 256, 257, 258, 259, 277
_PLANES, _PREDICTOR, _TILE_WIDTH, _TILE_HEIGHT, _OFFSETS, _SIZES = 284, 317, 322, 323, 324, 325
_SAMPLE_FORMAT: Final = 339

_EXPECTED: Final = {_COMPRESSION: 50000, _PLANES: 2, _PREDICTOR: 2, _SAMPLE_FORMAT: 1}
"""Tags that say that the layout is the one above."""

_ASKED: Final = {
    _WIDTH, _HEIGHT, _BITS, _BANDS, _TILE_WIDTH, _TILE_HEIGHT, _OFFSETS, _SIZES, *_EXPECTED,
}  # fmt: skip

_ENTRY: Final = struct.Struct("<HHI4s")
"""An entry of a directory: tag, type, count, and the value or where it lies."""

_TYPES: Final[dict[int, np.dtype[Any]]] = {
    3: np.dtype("<u2"),
    4: np.dtype("<u4"),
    16: np.dtype("<u8"),
}
"""Types of a tag's values: SHORT, LONG and LONG8."""

_CODEC: Final = pa.Codec("zstd")

_BANDS_AT_ONCE: Final = 4
"""Bands that are decompressed by one call: fewer calls let threads run side by side, and so many
still fit the cache of a core."""


def add_up(steps: NDArray[Any], sums: NDArray[Any]) -> None:
    """Adds up the differences of each row; sums wrap around, as the differences did.

    Args:
        steps: (…, rows, columns), uint8 or uint16.
        sums: Takes the result; same shape and type.
    """
    if steps.dtype.itemsize > 1:
        np.add.accumulate(steps, axis=-1, dtype=steps.dtype, out=sums)
        return
    # NumPy adds bytes up one by one, and slowly; doubling the reach takes half the time.
    sums[...] = steps
    reach = 1
    while reach < sums.shape[-1]:
        sums[..., reach:] += sums[..., :-reach].copy()
        reach *= 2


def read_tiles(
    data: bytes,
    bands: Sequence[int] | None = None,
    add: Callable[[NDArray[Any], NDArray[Any]], None] = add_up,
    out: NDArray[Any] | None = None,
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Returns bands of a chip's file.

    Args:
        data: The file.
        bands: Numbers of the bands wanted, from 0, in the order wanted; all by default. Others are
            not decompressed.
        add: Adds up the differences of a tile's rows, as `add_up` does.
        out: Takes the bands, if it has their shape and type.

    Returns:
        (bands, rows, columns), uint8 or uint16.

    Raises:
        ValueError: If the file is damaged, has another layout, or has no such band.
    """
    try:
        return _read_tiles(data, bands, add, out)
    except (struct.error, KeyError, OSError, IndexError) as error:
        raise ValueError(f"not the file of a chip, or a damaged one ({error})") from error


def _read_tiles(
    data: bytes,
    bands: Sequence[int] | None,
    add: Callable[[NDArray[Any], NDArray[Any]], None],
    out: NDArray[Any] | None,
) -> NDArray[Any]:
    tags = _tags(data)
    other = {tag: tags[tag] for tag, value in _EXPECTED.items() if set(tags[tag]) != {value}}
    if other or len(set(tags[_BITS])) != 1 or tags[_BITS][0] not in {8, 16}:
        raise ValueError(f"not the layout of a chip's file: TIFF tags {other or tags[_BITS]}")
    kind = np.dtype(f"<u{tags[_BITS][0] // 8}")
    count, width, height = tags[_BANDS][0], tags[_WIDTH][0], tags[_HEIGHT][0]
    wide, high = tags[_TILE_WIDTH][0], tags[_TILE_HEIGHT][0]
    if not (count and width and height and wide and high):
        raise ValueError(
            f"not the file of a chip, or a damaged one: {count} bands of {width} × {height} pixels"
            f" in tiles of {wide} × {high}"
        )
    across, down = -(-width // wide), -(-height // high)
    wanted = range(count) if bands is None else bands
    if any(not 0 <= band < count for band in wanted):
        raise ValueError(f"the chip has {count} bands, not all of {list(wanted)}")
    shape = (len(wanted), height, width)
    found = np.empty(shape, kind) if out is None else out
    if found.shape != shape or found.dtype != kind:
        raise ValueError(f"the chip has {shape} pixels of {kind}, not {found.shape} {found.dtype}")
    view = memoryview(data)
    unpacked = wide * high * kind.itemsize
    whole = not (width % wide or height % high)
    offsets, sizes = tags[_OFFSETS], tags[_SIZES]
    for first, count in _runs(wanted, across * down, offsets, sizes, most=_BANDS_AT_ONCE * whole):
        # Frames of ZSTD that follow one another are one input to it (RFC 8878, 3).
        tile = wanted[first] * across * down
        last = tile + count * across * down - 1
        if whole:
            raw = _CODEC.decompress(
                view[offsets[tile] : offsets[last] + sizes[last]], (last + 1 - tile) * unpacked
            )
            steps = np.frombuffer(raw, kind).reshape(count, down, across, high, wide)
            sums = found[first : first + count].reshape(count, down, high, across, wide)
            add(steps, sums.transpose(0, 1, 3, 2, 4))
            continue
        for number in range(across * down):
            begin = offsets[tile + number]
            raw = _CODEC.decompress(view[begin : begin + sizes[tile + number]], unpacked)
            row, column = number // across * high, number % across * wide
            part = found[first, row : row + high, column : column + wide]
            steps = np.frombuffer(raw, kind).reshape(high, wide)
            add(steps[: part.shape[0], : part.shape[1]], part)
    return found


def _runs(
    bands: Sequence[int], tiles: int, offsets: Sequence[int], sizes: Sequence[int], *, most: int
) -> Iterator[tuple[int, int]]:
    """Yields which of the bands are read at once: where the first stands, and how many they are.

    They follow one another in the file, without a gap between their tiles.

    Args:
        bands: Numbers of the bands wanted.
        tiles: Tiles of a band.
        offsets: Where each tile of the file begins.
        sizes: Its bytes.
        most: How many bands at once; 0 for each alone, whatever lies between its tiles.
    """
    first = 0
    while first < len(bands):
        count = 1
        while (
            count < min(most, len(bands) - first)
            and bands[first + count] == bands[first] + count
        ):  # fmt: skip
            count += 1
        begin, end = bands[first] * tiles, (bands[first] + count) * tiles
        if most and any(
            offsets[one] + sizes[one] != offsets[one + 1] for one in range(begin, end - 1)
        ):
            raise ValueError("not the layout of a chip's file: its tiles do not lie side by side")
        yield first, count
        first += count


def _tags(data: bytes) -> dict[int, list[int]]:
    """Returns the integers of a TIFF's first directory that are asked for here, by tag."""
    if data[:4] != b"II*\0":
        raise ValueError("not the file of a chip: no little-endian TIFF")
    (start,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, start)
    tags = {}
    directory = data[start + 2 : start + 2 + entries * _ENTRY.size]
    for tag, type_number, count, value in _ENTRY.iter_unpack(directory):
        kind = _TYPES.get(type_number)
        if kind is None or tag not in _ASKED:
            continue
        if count * kind.itemsize <= len(value):
            tags[tag] = np.frombuffer(value, kind, count).tolist()
            continue
        place = int.from_bytes(value, "little")
        if place + count * kind.itemsize > len(data):
            raise ValueError(f"not the file of a chip, or a damaged one: tag {tag} lies beyond it")
        tags[tag] = np.frombuffer(data, kind, count, place).tolist()
    return tags
