"""Which chips are fetched together and share a shard, and what comes of them depends on."""

from __future__ import annotations

from collections import defaultdict
from hashlib import blake2b
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from collectors.chips import Scene
from flows.cells.steps import adapter

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

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


def name_of_task(
    chips: Sequence[Chip], scenes: Mapping[str, Sequence[Scene]], generations: Mapping[str, int]
) -> str:
    """Returns a name of what is asked of a batch: 16 hexadecimal digits.

    The same chips may be wanted for another day and from other scenes, under another order or some
    days later; what was fetched then is not what is asked for now.

    Args:
        chips: The chips of the batch, in order.
        scenes: For each of them, the scenes that are tried, best first.
        generations: For those that are asked for again, the generation to be made: the answer that
            was committed, or one of that time, must not do for a new one.
    """
    asked = [
        (str(chip.target_date), generations.get(chip.chip_id, 0), tuple(scenes[chip.chip_id]))
        for chip in chips
    ]
    said = adapter(tuple[tuple[str, int, tuple[Scene, ...]], ...]).dump_json(tuple(asked))
    return blake2b(said, digest_size=8).hexdigest()
