"""What became of photos since they were found: on demand, as their owners do it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_LICENCE = 16


@dataclass(frozen=True, slots=True)
class PhotoChanges:
    """Photos that are no longer as the world made them.

    Attributes:
        gone: ids of photos that were deleted.
        private: ids of photos that only their owner sees.
        licences: the licence numbers that photos have now, by id.
    """

    gone: frozenset[str] = frozenset()
    private: frozenset[str] = frozenset()
    licences: Mapping[str, int] = field(default_factory=dict)

    @property
    def hidden(self) -> frozenset[str]:
        """Ids of photos that no search finds, and whose files lead to the placeholder."""
        return self.gone | self.private

    def __bool__(self) -> bool:
        return bool(self.hidden or self.licences)


def parse_changes(document: Any) -> PhotoChanges:
    """Reads changes: {"gone": [ids], "private": [ids], "licences": {id: number}}.

    Raises:
        ValueError: when it is something else.
    """
    known = {"gone", "private", "licences"}
    if not isinstance(document, dict) or set(document) - known:
        raise ValueError(f"changes are an object with some of {', '.join(sorted(known))}")
    licences = {str(name): int(one) for name, one in dict(document.get("licences", {})).items()}
    if not all(0 <= one <= _MOST_LICENCE for one in licences.values()):
        raise ValueError(f"a licence is a number from 0 to {_MOST_LICENCE}")
    return PhotoChanges(
        frozenset(map(str, document.get("gone", []))),
        frozenset(map(str, document.get("private", []))),
        licences,
    )
