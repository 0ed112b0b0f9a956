"""How many photos of one owner a chip takes: pure counting, for one placement."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from filters.sampling import quota_for

if TYPE_CHECKING:
    from collections.abc import Iterable


def owner_limit(photos_per_chip: int, share: float) -> int:
    """Returns how many photos of one owner a chip takes: rounded up, at least 1.

    The share is one of the photos that a chip may have, not of those that it has: a chip is filled
    over years, and what it may take from somebody must not depend on who comes first.

    Args:
        photos_per_chip: Photos that a chip may have, 1 or more.
        share: 0 < share ≤ 1; 1 leaves everyone all of it.

    Raises:
        ValueError: If either is out of range.
    """
    return quota_for(photos_per_chip, share)


class OwnerRoom:
    """Room that is left to each owner in each chip; counted down while photos are placed."""

    def __init__(self, limit: int, members: Iterable[tuple[str, str]] = ()) -> None:
        """Counts what chips have already.

        Args:
            limit: Photos of one owner in a chip, at most; see `owner_limit`.
            members: Chip id and owner of each photo that is paired already.
        """
        self._limit = limit
        self._taken = Counter(members)

    def admits(self, chip_id: str, owner: str) -> bool:
        """Says whether a chip takes another photo of an owner."""
        return self._taken[chip_id, owner] < self._limit

    def take(self, chip_id: str, owner: str) -> None:
        """Counts a photo that is placed.

        Raises:
            ValueError: If the owner has no room left in that chip.
        """
        if not self.admits(chip_id, owner):
            msg = f"chip {chip_id} has {self._limit} photos of {owner} already"
            raise ValueError(msg)
        self._taken[chip_id, owner] += 1
