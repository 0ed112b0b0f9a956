"""The order of an epoch: shuffled, and still so that what lies in one shard is read together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from torch.utils.data import Sampler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from flows.samples.samples import Samples

BUFFER: Final = 512
"""Places by which a sample may come later than its shard: some sixteen shards of 32 chips."""


class ShardSampler(Sampler[int]):
    """Numbers of samples in an order that follows from the seed and the epoch alone.

    Shards are put in a random order; a rank gets a run of it, as long as any other rank's; within
    it a sample is moved by up to `buffer` places at random. So each batch has chips of many shards,
    and at any time no more shards are in use than a buffer's worth. How many workers there are
    changes nothing.
    """

    def __init__(
        self,
        samples: Samples,
        *,
        seed: int = 0,
        shuffle: bool = True,
        buffer: int = BUFFER,
        rank: int = 0,
        ranks: int = 1,
        drop_last: bool = False,
    ) -> None:
        """Takes the samples and who of how many reads them.

        Args:
            samples: The samples.
            seed: Orders chance.
            shuffle: Without it, ranks get runs of the samples' own order.
            buffer: Places by which a sample may come later; 0 shuffles shards alone.
            rank: This process, from 0.
            ranks: How many there are.
            drop_last: What is done if the samples cannot be shared out evenly: drop the rest, or
                (by default) let ranks begin again at the first samples, so that all are seen.

        Raises:
            ValueError: If there is no such rank, or the buffer is negative.
        """
        if not 0 <= rank < ranks or buffer < 0:
            raise ValueError(f"no rank {rank} of {ranks}, or no buffer of {buffer}")
        self._shards = samples.shard_numbers()
        self._seed, self._shuffle, self._buffer = seed, shuffle, buffer
        self._rank, self._ranks, self._drop = rank, ranks, drop_last
        self.epoch = 0
        self.begin = 0

    def __len__(self) -> int:
        """Returns how many numbers an epoch has, wherever it is begun."""
        total = len(self._shards)
        return total // self._ranks if self._drop else -(-total // self._ranks)

    @property
    def identity(self) -> dict[str, Any]:
        """What the order follows from, but for the epoch."""
        return {
            "seed": self._seed, "shuffle": self._shuffle, "buffer": self._buffer,
            "rank": self._rank, "ranks": self._ranks,
        }  # fmt: skip

    def set_epoch(self, epoch: int, begin: int = 0) -> None:
        """Says which epoch comes next, and with which of its numbers it begins."""
        self.epoch, self.begin = epoch, begin

    def __iter__(self) -> Iterator[int]:
        yield from self.order()[self.begin :].tolist()

    def order(self) -> NDArray[np.int64]:
        """Returns all numbers of the epoch, for this rank."""
        numbers = np.arange(len(self._shards))
        chance = np.random.default_rng([self._seed, self.epoch])
        if self._shuffle and len(numbers):
            _, shards = np.unique(self._shards, return_inverse=True)
            numbers = np.argsort(chance.permutation(shards.max() + 1)[shards], kind="stable")
        share = np.resize(numbers, len(self) * self._ranks) if len(numbers) else numbers
        mine = share[self._rank * len(self) : (self._rank + 1) * len(self)]
        if self._shuffle and self._buffer:
            chance = np.random.default_rng([self._seed, self.epoch, self._rank])
            mine = mine[np.argsort(np.arange(len(mine)) + chance.random(len(mine)) * self._buffer)]
        return mine
