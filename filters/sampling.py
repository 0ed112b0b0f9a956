"""Chance and quotas.

Chance is a seeded hash of the photo's id, never the state of a generator, so the order in which
photos arrive never matters.
"""

from __future__ import annotations

import math
from hashlib import blake2b
from typing import Final

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
    return part_of(quota, share)


def part_of(quota: int, share: float) -> int:
    """Returns a share of a quota, rounded up but not for rounding errors, at least 1."""
    return max(1, math.ceil(round(quota * share, _ROUNDING_DIGITS)))
