"""Which of millions of hashes are near each other, without comparing all with all.

The 64 bits are cut into three blocks. Hashes that differ in at most 8 bits differ in at most 2 bits
of one of the blocks (pigeonhole principle), so it is enough to look up each block with up to two
bits flipped: multi-index hashing (Norouzi, Punjani and Fleet, CVPR 2012).
"""

from __future__ import annotations

import math
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
_CHUNK: Final = 1_000_000
"""Comparisons made at a time: bounds the memory, at some 60 MB."""

_SHELF: Final = 4_000_000
"""Hashes on a shelf, more or less: bounds the memory, at some 150 MB."""

_READ: Final = 1 << 17
"""Pictures whose hashes are looked at together while a shelf is filled."""


def near_pairs(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Finds all pairs of pictures that are near: the whole of one to any window of the other.

    Of each picture some 30 bytes are held in memory beside `hashes` itself, which may be mapped
    from a file: it is read in order, several times.

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
    """Yields the pairs whose hashes differ in at most two bits of one block, and are near.

    The block's first bits part the hashes into as many shelves as keep each of them small; those
    who ask at a shelf have the same first bits, but for those that are flipped.
    """
    first = math.ceil(math.log2(max(1.0, hashes.size / _SHELF)))
    rest = bits - first
    wanted = np.empty(len(hashes), dtype=np.int32)
    for start in range(0, len(hashes), _READ):
        wanted[start : start + _READ] = _keys(hashes[start : start + _READ, 0], shift, bits)
    # Neighbours on the shelf are asked for one after the other, which is kind to the cache.
    askers = np.argsort(wanted, kind="stable").astype(np.uint32)
    wanted = wanted[askers]
    wholes = hashes[:, 0][askers]
    rooms = np.searchsorted(wanted, np.arange((1 << first) + 1, dtype=np.int64) << rest)
    wanted &= (1 << rest) - 1
    for room in range(1 << first):
        begins, shelved, owner = _shelve(hashes, shift, bits, rest, room)
        for flip in _flips(bits):
            asking = room ^ (flip >> rest)
            mine = slice(rooms[asking], rooms[asking + 1])
            keys = wanted[mine] ^ (flip & ((1 << rest) - 1))
            low, high = begins[keys], begins[keys + 1]
            yield from _compare(askers[mine], wholes[mine], low, high, shelved, owner)


def _keys(hashes: NDArray[np.uint64], shift: int, bits: int) -> NDArray[np.int32]:
    """Returns a block of each hash as a number."""
    return ((hashes >> np.uint64(shift)) & np.uint64((1 << bits) - 1)).astype(np.int32)


def _shelve(
    hashes: NDArray[np.uint64], shift: int, bits: int, rest: int, room: int
) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.uint32]]:
    """Puts the hashes whose block begins with some bits in the order of the others.

    Returns:
        Where those with each number begin, of shape (2^rest + 1); the hashes; whose each is.
    """
    parts = []
    for start in range(0, len(hashes), _READ):
        some = hashes[start : start + _READ].ravel()
        keys = _keys(some, shift, bits)
        here = np.flatnonzero(keys >> rest == room)
        owners = (start + here // hashes.shape[1]).astype(np.uint32)
        parts.append((keys[here] & ((1 << rest) - 1), some[here], owners))
    empty = (np.empty(0, np.int32), np.empty(0, np.uint64), np.empty(0, np.uint32))
    keys, shelved, owner = (np.concatenate(one) for one in zip(empty, *parts, strict=True))
    del parts
    begins = np.zeros((1 << rest) + 1, dtype=np.int64)
    np.cumsum(np.bincount(keys, minlength=1 << rest), out=begins[1:])
    order = np.argsort(keys, kind="stable")
    del keys
    return begins, shelved[order], owner[order]


def _compare(
    askers: NDArray[np.uint32],
    wholes: NDArray[np.uint64],
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    shelved: NDArray[np.uint64],
    owner: NDArray[np.uint32],
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
            yield one[apart].astype(np.int64), other[apart].astype(np.int64)
        start = stop


def _flips(bits: int) -> list[int]:
    """Returns the masks with at most two of the bits set."""
    return [
        sum(1 << bit for bit in chosen)
        for count in range(_FLIPPED + 1)
        for chosen in combinations(range(bits), count)
    ]
