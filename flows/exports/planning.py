"""Which samples an export has, in which order, and what is written together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.sampling import seeded_hash
from flows.exports.forms import Group, Portion

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from filters.splits import Split
    from flows.samples.sample_tables import CellSamples
    from flows.samples.samples import Samples


def groups_of(samples: Samples, splits: Sequence[Split] | None) -> list[Group]:
    """Parts samples by sensor and, where splits are given, by split, in the order of their numbers.

    It holds some 30 bytes for each sample.

    Args:
        samples: The samples.
        splits: Splits wanted, in order; a chip with pairs of two of them is in both groups. None
            for all pairs, unparted.
    """
    asked: list[str | None] = [None] if splits is None else list(splits)
    found: dict[tuple[str, str | None], list[NDArray[np.int64]]] = {}
    first = 0
    for cell in samples.cells:
        sensors = np.asarray(cell.chips["sensor"].to_pylist(), dtype=object)
        for split in asked:
            sizes, counts = _sizes(cell, split)
            for sensor in sorted(set(sensors.tolist())):
                mine = np.flatnonzero((sensors == sensor) & (counts > 0))
                if mine.size:
                    found.setdefault((sensor, split), []).append(
                        np.stack([mine + first, sizes[mine]])
                    )
        first += cell.chips.num_rows
    groups = []
    for sensor in sorted({sensor for sensor, _ in found}):
        before = 0
        for split in asked:
            if (sensor, split) in found:
                numbers, sizes = np.concatenate(found[sensor, split], axis=1)
                groups.append(Group(sensor, split, numbers, sizes, before))
                before += len(numbers)
    return groups


def _sizes(cell: CellSamples, split: str | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns, for each chip of a cell, the bytes of chip and photos, and the number of photos."""
    chips, pairs, photos = cell.chips, cell.pairs, cell.photos
    starts = chips["first_pair"].to_numpy()
    of_chip = np.searchsorted(starts, np.arange(pairs.num_rows), side="right") - 1
    weights = photos["size"].to_numpy()[pairs["photo"].to_numpy()]
    if split is not None:
        wanted = pc.equal(pairs["split"].cast("string"), split).to_numpy(zero_copy_only=False)
        of_chip, weights = of_chip[wanted], weights[wanted]
    counts = np.bincount(of_chip, minlength=chips.num_rows)
    bytes_of_photos = np.bincount(of_chip, weights=weights, minlength=chips.num_rows)
    return chips["size"].to_numpy() + bytes_of_photos.astype(np.int64), counts.astype(np.int64)


def shuffled(group: Group, samples: Samples, seed: int) -> Group:
    """Returns a group in an order of chance: by a seeded hash of its chips' names.

    Args:
        group: In the order of the samples' numbers.
        samples: The samples.
        seed: Orders chance.
    """
    hashes = np.zeros(len(group.numbers), np.uint64)
    first = done = 0
    for cell in samples.cells:
        after = first + cell.chips.num_rows
        mine = group.numbers[done : np.searchsorted(group.numbers, after)] - first
        for place, chip in enumerate(cell.chips["chip_id"].take(pa.array(mine)).to_pylist()):
            hashes[done + place] = seeded_hash(seed, chip)
        done, first = done + len(mine), after
    order = np.argsort(hashes, kind="stable")
    return replace(group, numbers=group.numbers[order], sizes=group.sizes[order])


def cut(
    group: Group, *, most_bytes: int | None = None, most_samples: int | None = None
) -> Iterator[Portion]:
    """Divides a group into portions that hold as much as they may, and one sample at least.

    Args:
        group: The group.
        most_bytes: Bytes of chips and photos of a portion.
        most_samples: Samples of a portion.
    """
    first = number = size = 0
    for place, one in enumerate(group.sizes.tolist()):
        full = most_bytes is not None and size + one > most_bytes
        full = full or (most_samples is not None and place - first >= most_samples)
        if full and place > first:
            yield Portion(f"{group.name}-{number:06d}", group, first, place)
            first, size, number = place, 0, number + 1
        size += one
    if len(group.sizes) > first:
        yield Portion(f"{group.name}-{number:06d}", group, first, len(group.sizes))
