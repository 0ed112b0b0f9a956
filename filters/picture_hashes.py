"""Perceptual hashes of a stored picture, and which of some pictures have hashes that are near.

A picture has ten hashes: of the whole, and of nine windows that each leave away a margin. A copy
that was resized or compressed again is near in the first; one that was cropped is near, as a whole,
to one of the windows. Near is not yet the same: `filters.same_picture` looks at the pictures.
"""

from __future__ import annotations

import io
from itertools import product
from typing import TYPE_CHECKING, Final

import imagehash
import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

TOLERANCE: Final = 14
"""Bits of 64 in which near hashes differ at most, among the thousands of a cell; decision 9 has the
measurements."""

WINDOW: Final = 0.95
"""Width and height of the windows, as a share of the picture's."""

WINDOWS: Final = (
    (0.0, 0.0, 1.0, 1.0),
    *((x, y, x + WINDOW, y + WINDOW)
      for y, x in product((0.0, (1 - WINDOW) / 2, 1 - WINDOW), repeat=2)),
)  # fmt: skip
"""Left, top, right and bottom of what is hashed, as shares of the picture: the whole, then the nine
windows, row by row."""

LEAST_CONTRAST: Final = 2.0
"""Standard deviation of the brightness, of 255, under which a picture shows nothing to compare."""

_DIGITS: Final = 16
"""Hexadecimal digits of one hash of 64 bits."""

_SIDE: Final = 32
"""Side in pixels of what `imagehash.phash` transforms: four times its eight frequencies."""

_SHRUNK: Final = 4 * _SIDE
"""Side in pixels to which a picture is brought first, so that ten hashes cost little."""

_CHUNK: Final = 2_000_000
"""Comparisons made at a time: bounds the memory."""


def picture_hash(jpeg: bytes) -> str:
    """Returns the hashes of a stored picture: those of `WINDOWS`, 16 hexadecimal digits each.

    Args:
        jpeg: The bytes of the picture.

    Returns:
        160 digits; none for a picture with hardly any contrast, whose hashes would be those of
        its noise.
    """
    with Image.open(io.BytesIO(jpeg)) as picture:
        grey = picture.convert("L").resize((_SHRUNK, _SHRUNK), Image.Resampling.LANCZOS)
    if np.asarray(grey).std() < LEAST_CONTRAST:
        return ""
    texts = []
    for left, top, right, bottom in WINDOWS:
        box = (left * _SHRUNK, top * _SHRUNK, right * _SHRUNK, bottom * _SHRUNK)
        part = grey.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS, box=box)
        texts.append(str(imagehash.phash(part)))
    return "".join(texts)


def as_numbers(texts: Sequence[str]) -> NDArray[np.uint64]:
    """Returns hashes as numbers, of shape (pictures, windows).

    Raises:
        ValueError: If a text is not 160 hexadecimal digits.
    """
    if any(len(text) != _DIGITS * len(WINDOWS) for text in texts):
        msg = f"the hashes of a picture are {_DIGITS * len(WINDOWS)} hexadecimal digits"
        raise ValueError(msg)
    data = bytes.fromhex("".join(texts))
    return np.frombuffer(data, dtype=">u8").astype(np.uint64).reshape(-1, len(WINDOWS))


def near_pictures(hashes: NDArray[np.uint64], first: int) -> Iterator[tuple[int, int]]:
    """Finds which pictures are near earlier ones: the whole of one to any window of the other.

    Compares all with all; `filters.hash_index` is for a whole dataset.

    Args:
        hashes: Hashes of shape (pictures, windows), in an order that matters.
        first: Pictures from this one on are compared with all that come before them.

    Yields:
        Numbers of an earlier picture and of a later one, which is `first` or after it.
    """
    for later in range(first, len(hashes)):
        new = hashes[later]
        for start in range(0, later, _CHUNK):
            old = hashes[start : min(later, start + _CHUNK)]
            forth = np.bitwise_count(old ^ new[0]).min(axis=1)
            back = np.bitwise_count(old[:, :1] ^ new).min(axis=1)
            near = np.flatnonzero(np.minimum(forth, back) <= TOLERANCE)
            yield from ((start + earlier, later) for earlier in near.tolist())
