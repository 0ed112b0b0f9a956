"""Which of millions of hashes are near each other, without comparing all with all.

The 64 bits are cut into three blocks. Hashes that differ in at most 8 bits differ in at most 2 bits
of one of the blocks (pigeonhole principle), so it is enough to look up each block with up to two
bits flipped: multi-index hashing (Norouzi, Punjani and Fleet, CVPR 2012).
"""

from __future__ import annotations

from itertools import accumulate, combinations
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

TOLERANCE: Final = 8
"""Bits of 64 in which near hashes differ at most, over a whole dataset: a larger tolerance finds
hundreds of thousands of pairs by chance among a million pictures."""

_BLOCKS: Final = (22, 21, 21)
_FLIPPED: Final = 2
_CHUNK: Final = 4_000_000
"""Comparisons made at a time: bounds the memory."""


def near_pairs(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Finds all pairs of pictures that are near: the whole of one to any window of the other.

    Args:
        hashes: Hashes of shape (pictures, windows), as `picture_hashes.as_numbers` gives them.

    Returns:
        Pairs of numbers of pictures, of shape (pairs, 2), the smaller number first, sorted.
    """
    found = [np.empty((0, 2), dtype=np.int64)]
    for shift, bits in zip(accumulate(_BLOCKS, initial=0), _BLOCKS, strict=False):
        for one, other in _near_in_block(hashes, shift, bits):
            pairs = np.stack([np.minimum(one, other), np.maximum(one, other)], axis=1)
            found.append(np.unique(pairs, axis=0))
    return np.unique(np.concatenate(found), axis=0)


def _near_in_block(
    hashes: NDArray[np.uint64], shift: int, bits: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yields the pairs whose hashes differ in at most two bits of one block, and are near."""
    keys = ((hashes.ravel() >> np.uint64(shift)) & np.uint64((1 << bits) - 1)).astype(np.int32)
    begins = np.zeros((1 << bits) + 1, dtype=np.int64)
    np.cumsum(np.bincount(keys, minlength=1 << bits), out=begins[1:])
    order = np.argsort(keys, kind="stable")
    wanted = keys[:: hashes.shape[1]].copy()
    del keys  # with a million pictures, each of these columns is tens of megabytes
    shelved, owner = hashes.ravel()[order], (order // hashes.shape[1]).astype(np.int32)
    del order
    # Neighbours on the shelf are asked for one after the other, which is kind to the cache.
    askers = np.argsort(wanted, kind="stable")
    wanted, wholes = wanted[askers], hashes[askers, 0]
    for flip in _flips(bits):
        low, high = begins[wanted ^ flip], begins[(wanted ^ flip) + 1]
        yield from _compare(askers, wholes, low, high, shelved, owner)


def _compare(
    askers: NDArray[np.int64],
    wholes: NDArray[np.uint64],
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    shelved: NDArray[np.uint64],
    owner: NDArray[np.int64],
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Compares each asker's hash with those between `low` and `high` on the shelf."""
    counts = high - low
    ends = np.cumsum(counts)
    start = 0
    while start < len(askers):
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + _CHUNK, side="right")))
        here = counts[start:stop]
        which = np.repeat(np.arange(start, stop), here)
        offset = low[start:stop] - (ends[start:stop] - here - done)
        place = np.arange(len(which)) + np.repeat(offset, here)
        near = np.bitwise_count(wholes[which] ^ shelved[place]) <= TOLERANCE
        one, other = askers[which[near]], owner[place[near]]
        if (apart := one != other).any():
            yield one[apart], other[apart]
        start = stop


def _flips(bits: int) -> list[int]:
    """Returns the masks with at most two of the bits set."""
    return [
        sum(1 << bit for bit in chosen)
        for count in range(_FLIPPED + 1)
        for chosen in combinations(range(bits), count)
    ]
