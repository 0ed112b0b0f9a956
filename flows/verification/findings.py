"""What a check of a promise found: how much was looked at, and the first offenders."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

SHOWN_OFFENDERS: Final = 5


@dataclass(slots=True)
class Finding:
    """One promise of a dataset, and what came of checking it.

    Attributes:
        name: Name of the invariant.
        promise: What it says.
        checked: How many things were looked at.
        broken: How many of them break it.
        offenders: The first of those, in words.
        notes: What else is to be said.
    """

    name: str
    promise: str
    checked: int = 0
    broken: int = 0
    offenders: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def expect(self, holds: bool, offender: str) -> None:
        """Notes one thing that was looked at."""
        self.checked += 1
        if not holds:
            self.broken += 1
            if len(self.offenders) < SHOWN_OFFENDERS:
                self.offenders.append(offender)
