"""Chance, quotas, and who is downloaded next: all of it pure.

Chance is a seeded hash of the photo's id, never the state of a generator, so the order in which
photos arrive never matters.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from collectors.records import Photo

_ROUNDING_DIGITS: Final = 9
"""Shares are rounded to this many digits before rounding up, so that 0.07 × 100 is 7, not 8."""


def photo_hash(seed: int, photo_id: str) -> int:
    """Returns a photo's place in the order of chance: 64 bits, the same for ever.

    Args:
        seed: The dataset's seed, any whole number.
        photo_id: Flickr's id.
    """
    return seeded_hash(seed, photo_id)


def seeded_hash(seed: int, text: str) -> int:
    """Returns 64 bits of BLAKE2b (RFC 7693) of a text, keyed by the seed's decimal digits."""
    key = blake2b(str(seed).encode()).digest()
    return int.from_bytes(blake2b(text.encode(), digest_size=8, key=key).digest(), "big")


def quota_for(quota: int, share: float) -> int:
    """Scales a quota by the share of a cell that a region holds: rounded up, at least 1.

    Args:
        quota: Photos to keep in a whole cell, 1 or more.
        share: 0 < share ≤ 1.

    Raises:
        ValueError: If either is out of range.
    """
    if quota < 1 or not 0 < share <= 1:
        msg = f"a quota is 1 or more and a share above 0 up to 1, not {quota} and {share}"
        raise ValueError(msg)
    return _part_of(quota, share)


def _part_of(quota: int, share: float) -> int:
    return max(1, math.ceil(round(quota * share, _ROUNDING_DIGITS)))


@dataclass(frozen=True, slots=True, order=True)
class Candidate:
    """A photo that passed the screen and waits to be downloaded; sorts by chance, then by id.

    Attributes:
        rank: Its `photo_hash`.
        photo_id: Flickr's id.
        owner: Flickr's id of the owner.
    """

    rank: int
    photo_id: str
    owner: str

    @classmethod
    def of(cls, photo: Photo, seed: int) -> Candidate:
        """Gives a photo its place in the order of chance."""
        return cls(photo_hash(seed, photo.photo_id), photo.photo_id, photo.owner)


def choose(
    waiting: Iterable[Candidate],
    *,
    kept_by_owner: Mapping[str, int],
    kept: int,
    quota: int,
    owner_share: float,
    batch: int,
) -> list[Candidate]:
    """Picks the photos to download next, in hash order.

    Args:
        waiting: Photos that may be downloaded, in any order.
        kept_by_owner: Photos of each owner that the cell keeps already.
        kept: Photos that the cell keeps already.
        quota: Photos to keep in the cell.
        owner_share: No owner may have more than this share of the quota, rounded up, at least 1.
        batch: The most to pick.

    Returns:
        At most `batch`, never more than `quota - kept`; those passed over for their owner's share
        may come up again once others of that owner were rejected.

    Raises:
        ValueError: If the owner share is not above 0 and up to 1.
    """
    if not 0 < owner_share <= 1:
        msg = f"an owner's share is above 0 up to 1, not {owner_share}"
        raise ValueError(msg)
    room = min(quota - kept, batch)
    limit = _part_of(quota, owner_share)
    taken = Counter(kept_by_owner)
    chosen: list[Candidate] = []
    for candidate in sorted(set(waiting)):
        if len(chosen) >= room:
            break
        if taken[candidate.owner] < limit:
            taken[candidate.owner] += 1
            chosen.append(candidate)
    return chosen
