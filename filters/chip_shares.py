"""Which photo goes to which chip, once the chips are there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from numpy.typing import NDArray


_PAIRS_AT_ONCE: Final = 1 << 18
"""Pairs turned into Python numbers at once: as many as bound the memory."""


@dataclass(frozen=True, slots=True)
class OwnerLimit:
    """How many photos of one owner a chip may have.

    Attributes:
        most: The limit.
        owners: (photos,) the owner of each photo.
        held: What chips have already: photos by chip's number and owner.
    """

    most: int
    owners: Sequence[str]
    held: dict[tuple[int, str], int] = field(default_factory=dict)


def share_out(
    photos: int,
    pairs: tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]],
    ids: Sequence[str],
    room: Sequence[int],
    limit: OwnerLimit | None = None,
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Gives photos, one after the other, to the nearest chip that has room.

    Args:
        photos: How many there are.
        pairs: Photo, chip and squared distance wherever a chip's area holds a photo.
        ids: Id of each chip; of equally near ones the smaller takes the photo.
        room: How many photos each chip may take.
        limit: How many of one owner; None for no limit.

    Returns:
        (photos,) the chip of each photo, or −1; and (photos,) whether a chip is left with room that
        did not take it for its owner's sake. In the end, not when it was the photo's turn: who
        looks at the same photos and chips again has to find the same.
    """
    photo, chip, distance = pairs
    order = np.lexsort((distance, photo))
    photo, chip, distance = photo[order], chip[order], distance[order]
    if ((photo[1:] == photo[:-1]) & (distance[1:] == distance[:-1])).any():
        by_id = np.empty(len(ids), dtype=np.intp)
        by_id[np.argsort(np.array(ids))] = np.arange(len(ids))
        order = np.lexsort((by_id[chip], distance, photo))
        photo, chip = photo[order], chip[order]
    left = list(room)
    chosen = [-1] * photos
    held = {} if limit is None else dict(limit.held)
    for start in range(0, len(photo), _PAIRS_AT_ONCE):
        block = slice(start, start + _PAIRS_AT_ONCE)
        for i, j in zip(photo[block].tolist(), chip[block].tolist(), strict=True):
            if left[j] <= 0 or chosen[i] >= 0:
                continue
            if limit is not None:
                key = (j, limit.owners[i])
                if held.get(key, 0) >= limit.most:
                    continue
                held[key] = held.get(key, 0) + 1
            chosen[i] = j
            left[j] -= 1
    given = np.array(chosen, dtype=np.intp)
    beside_room = np.zeros(photos, dtype=np.bool_)
    beside_room[photo[np.array(left, dtype=np.intp)[chip] > 0]] = True
    return given, beside_room & (given < 0)


def lower_median(days: Iterable[date]) -> date:
    """Returns the middle date, of an even number the earlier of the two in the middle."""
    ordered = sorted(days)
    return ordered[(len(ordered) - 1) // 2]


def lower_medians(
    chips: NDArray[np.intp], days: NDArray[np.datetime64]
) -> tuple[list[int], list[date]]:
    """Returns the chips that have photos, in order, and the lower median of each one's dates.

    Args:
        chips: (pairs,) the chip of each photo.
        days: (pairs,) the date of each photo.
    """
    order = np.lexsort((days, chips))
    members, first, count = np.unique(chips[order], return_index=True, return_counts=True)
    middle = days[order][first + (count - 1) // 2].astype("datetime64[D]")
    return members.tolist(), middle.tolist()
