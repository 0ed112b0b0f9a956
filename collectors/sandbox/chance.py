"""Chance from integer hashing: the same keys give the same numbers on every machine.

No generator state is kept, so a number may be asked for in any order, or alone. The mixing function
is the finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
generators", 2014).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_MASK: Final = (1 << 64) - 1
_GOLDEN: Final = 0x9E3779B97F4A7C15
_FIRST: Final = 0xBF58476D1CE4E5B9
_SECOND: Final = 0x94D049BB133111EB
_TO_UNIT: Final = 2.0**-53

Choice = TypeVar("Choice")


def hash_key(key: int | str) -> int:
    """Turns a key into 64 bits; a text by its BLAKE2b digest.

    Args:
        key: any integer (its low 64 bits count) or any text.

    Returns:
        An integer in 0..2**64 - 1.
    """
    if isinstance(key, str):
        return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")
    return key & _MASK


def hash_keys(*keys: int | str) -> int:
    """Mixes the keys, in their order, into one integer.

    Args:
        keys: integers or texts.

    Returns:
        An integer in 0..2**64 - 1.
    """
    state = 0
    for key in keys:
        word = ((state ^ hash_key(key)) + _GOLDEN) & _MASK
        word = ((word ^ (word >> 30)) * _FIRST) & _MASK
        word = ((word ^ (word >> 27)) * _SECOND) & _MASK
        state = word ^ (word >> 31)
    return state


class Chance:
    """Numbers drawn for a list of keys; draw `i` is always the same number.

    Args:
        keys: integers or texts that name what is drawn, for example `Chance(seed, "tile", 7)`.
    """

    __slots__ = ("_state",)

    def __init__(self, *keys: int | str) -> None:
        self._state = hash_keys(*keys)

    def bits(self, index: NDArray[np.integer]) -> NDArray[np.uint64]:
        """Gives 64 random bits for each number of an array of any shape.

        Args:
            index: which draws.

        Returns:
            Unsigned integers of the same shape.
        """
        word = (index.astype(np.uint64) ^ np.uint64(self._state)) + np.uint64(_GOLDEN)
        word = (word ^ (word >> np.uint64(30))) * np.uint64(_FIRST)
        word = (word ^ (word >> np.uint64(27))) * np.uint64(_SECOND)
        return word ^ (word >> np.uint64(31))

    def uniforms(self, index: NDArray[np.integer]) -> NDArray[np.float64]:
        """Gives a number in [0, 1) for each number of an array of any shape.

        Args:
            index: which draws.

        Returns:
            Floats of the same shape.
        """
        return (self.bits(index) >> np.uint64(11)).astype(np.float64) * _TO_UNIT

    def normals(self, index: NDArray[np.integer]) -> NDArray[np.float64]:
        """Gives standard normal deviates (Box and Muller's transform).

        Args:
            index: which draws, below 2**62.

        Returns:
            Floats of the same shape.
        """
        twice = index.astype(np.uint64) * np.uint64(2)
        radius = np.sqrt(-2.0 * np.log(1.0 - self.uniforms(twice)))
        angle = 2.0 * np.pi * self.uniforms(twice + np.uint64(1))
        return np.asarray(radius * np.cos(angle), dtype=np.float64)

    def picks(self, index: NDArray[np.integer], weights: NDArray[np.floating]) -> NDArray[np.intp]:
        """Picks a place of a list for each draw, in proportion to its weight.

        Args:
            index: which draws.
            weights: positive numbers, shape (n,); they need not add up to 1.

        Returns:
            Integers in 0..n - 1 of the shape of `index`.
        """
        edges = np.cumsum(weights)
        places = np.searchsorted(edges, self.uniforms(index) * edges[-1], side="right")
        return np.asarray(np.minimum(places, len(weights) - 1), dtype=np.intp)


class Draws:
    """The draws of a `Chance` taken one after another, for code that paints step by step.

    Args:
        keys: integers or texts, as for `Chance`.
    """

    __slots__ = ("_chance", "_next", "_numbers")

    _BLOCK: Final = 64

    def __init__(self, *keys: int | str) -> None:
        self._chance = Chance(*keys)
        self._next = 0
        self._numbers: list[float] = []

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """Draws a number in [low, high)."""
        if self._next == len(self._numbers):
            block = np.arange(self._next, self._next + self._BLOCK)
            self._numbers.extend(self._chance.uniforms(block).tolist())
        number = self._numbers[self._next]
        self._next += 1
        return low + (high - low) * number

    def integer(self, low: int, high: int) -> int:
        """Draws an integer in low..high, both included."""
        return low + int(self.uniform() * (high - low + 1))

    def happens(self, share: float) -> bool:
        """Says yes with the given chance, a number in 0..1."""
        return self.uniform() < share

    def pick(self, choices: Sequence[Choice]) -> Choice:
        """Draws one of a sequence, each with the same chance."""
        return choices[int(self.uniform() * len(choices))]
