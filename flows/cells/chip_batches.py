"""Which chips are fetched together and share a shard."""

from __future__ import annotations

from collections import defaultdict
from operator import itemgetter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from collectors.chips import Chip

CHIP_BATCH: Final = 32
"""Chips in a shard: about 100 MB of Sentinel-2, and seconds of work to repeat at most."""


def chip_batches(chips: Iterable[Chip]) -> list[list[Chip]]:
    """Returns chips in batches of one sensor each, those of different sensors by turns.

    Whoever reads one sensor's shards reads no other's. And one sensor's chips take far more
    computing than another's: by turns, there is always something to compute while the rest waits
    for Earth Engine.
    """
    by_sensor: defaultdict[str, list[Chip]] = defaultdict(list)
    for chip in sorted(chips, key=lambda chip: chip.chip_id):
        by_sensor[chip.sensor].append(chip)
    placed = [
        (start / len(queue), name, queue[start : start + CHIP_BATCH])
        for name, queue in by_sensor.items()
        for start in range(0, len(queue), CHIP_BATCH)
    ]
    return [batch for *_, batch in sorted(placed, key=itemgetter(0, 1))]
