"""How far something is: who works says it, and who shows it decides how."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Hears what is being done, how much of it is done, and of how much; 0 where nobody knows."""


def no_progress(_what: str, _done: int, _of: int) -> None:
    """Hears how far something is, and does nothing."""
