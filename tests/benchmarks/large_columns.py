"""Columns of made-up text and numbers, a million at a time, for `large_dataset`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LICENCES: Final = {
    "CC-BY-2.0": ("CC BY 2.0", 0.3), "CC-BY-SA-2.0": ("CC BY-SA 2.0", 0.27),
    "CC-BY-NC-SA-2.0": ("CC BY-NC-SA 2.0", 0.28), "CC-BY-NC-2.0": ("CC BY-NC 2.0", 0.09),
    "CC0-1.0": ("CC0 1.0", 0.03), "CC-PDM-1.0": ("Public Domain Mark 1.0", 0.03),
}  # fmt: skip

OWNERS: Final = 250_000
"""People to draw owners from; the share of each falls with the power `_OWNER_POWER` of its rank."""

_OWNER_POWER: Final = 0.85
_FIRST_ID: Final = 10_000_000_000
_IDS: Final = 1 << 33
_STRIDE: Final = 0x9E3779B1 * 2 + 1

_WORDS: Final = (
    "morning evening river bridge harbour station market tower street garden old new red blue"
    " autumn spring snow fog light walk view from the hill at a corner of lake house church"
    " festival train tram bicycle window door café Straße forêt 夕焼け"
)

_HOSTILE: Final = (
    '=HYPERLINK("http://127.0.0.1/","click")', "<img src=x onerror=alert(1)>", "@SUM(1+1)",
    "\u202egpj.elif", "line\nbreak", '"quoted", and more', "\x1b[31mred",
)  # fmt: skip

_GENERATOR: Final = 0o17323260404441
"""Generator polynomial of the BCH code (63, 24), any two words of which differ in 15 bits or more
(Lin and Costello, Error Control Coding, appendix)."""


def photo_ids(start: int, count: int) -> NDArray[np.int64]:
    """Returns ids of eleven digits, scattered, each once for all starts together."""
    return ids_of(np.arange(start, start + count, dtype=np.int64))


def ids_of(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns the ids of photos by their numbers in the whole dataset."""
    return _FIRST_ID + (numbers * _STRIDE) % _IDS


def digits(numbers: NDArray[np.int64]) -> pa.Array:
    """Returns numbers as text."""
    return pa.array(numbers).cast(pa.string())


def joined(*parts: Any) -> pa.Array:
    """Returns texts put together, row by row; plain strings stand in every row."""
    return pc.binary_join_element_wise(*parts, "")


def hexadecimal(data: bytes, width: int) -> pa.Array:
    """Returns bytes as texts of `width` hexadecimal digits each."""
    text = data.hex().encode()
    offsets = np.arange(0, len(text) + 1, width, dtype=np.int32)
    return pa.StringArray.from_buffers(
        len(offsets) - 1, pa.py_buffer(offsets.tobytes()), pa.py_buffer(text)
    )


def drawn(chance: np.random.Generator, texts: Sequence[str], count: int, weights: Any) -> pa.Array:
    """Returns texts drawn with the weights given."""
    shares = np.asarray(weights, dtype=float)
    place = chance.choice(len(texts), size=count, p=shares / shares.sum())
    return pa.array(list(texts)).take(pa.array(place))


def owners(chance: np.random.Generator, count: int) -> NDArray[np.int64]:
    """Returns the numbers of owners, by a power law."""
    mass = np.cumsum(np.arange(1, OWNERS + 1) ** -_OWNER_POWER)
    return np.searchsorted(mass / mass[-1], chance.random(count)).astype(np.int64)


def owner_ids(numbers: NDArray[np.int64]) -> pa.Array:
    """Returns Flickr's ids of owners."""
    return joined(digits(10_000_000 + (numbers * 7919) % 90_000_000), "@N0", digits(numbers % 10))


def titles(chance: np.random.Generator, count: int) -> pa.Array:
    """Returns titles of one to five words, some of which mean harm."""
    words = np.array(_WORDS.split(), dtype=object)
    pool = [
        " ".join(words[chance.integers(len(words), size=size)])
        for size in chance.integers(1, 6, size=20_000)
    ]
    pool += _HOSTILE
    return pa.array(pool).take(pa.array(chance.integers(len(pool), size=count)))


def tags(chance: np.random.Generator, count: int) -> pa.Array:
    """Returns tags."""
    words = [word for word in _WORDS.split() if word.isascii()]
    pool = [
        " ".join(dict.fromkeys(np.array(words)[chance.integers(len(words), size=size)].tolist()))
        for size in chance.integers(0, 9, size=20_000)
    ]
    return pa.array(pool).take(pa.array(chance.integers(len(pool), size=count)))


def picture_hashes(chance: np.random.Generator, numbers: NDArray[np.int64]) -> pa.Array:
    """Returns hashes of pictures no two of which are near, so that no picture has to be looked at.

    Each is a word of a code; the hashes of its windows differ from it in up to three bits.

    Args:
        chance: Draws the bits.
        numbers: Of the photos, each under 2²⁴ and given once.
    """
    words = np.zeros(len(numbers), dtype=np.uint64)
    message = (numbers.astype(np.uint64) * np.uint64(0x9E37B1)) & np.uint64((1 << 24) - 1)
    for bit in range(24):
        set_here = (message >> np.uint64(bit)) & np.uint64(1)
        words ^= set_here * np.uint64(_GENERATOR << bit)
    hashes = np.repeat(words[:, None], 10, axis=1)
    for _ in range(3):
        flipped = np.uint64(1) << chance.integers(64, size=(len(numbers), 9), dtype=np.uint64)
        hashes[:, 1:] ^= flipped
    return hexadecimal(hashes.astype(">u8").tobytes(), 160)


def moments(days: NDArray[Any], chance: np.random.Generator) -> NDArray[Any]:
    """Returns times of those days between 8 and 20 o'clock, to the second."""
    seconds = chance.integers(8 * 3600, 20 * 3600, size=len(days))
    return days.astype("datetime64[us]") + (seconds * 1_000_000).astype("timedelta64[us]")
