"""Pages of long answers: a token names the answer and the row at which the next page begins."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from collectors.sandbox.earth_engine_errors import EarthEngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_KEPT: Final = 8
_Row = TypeVar("_Row")


@dataclass(slots=True)
class Pages(Generic[_Row]):
    """Answers of which pages may still be asked for; the oldest are forgotten and made anew."""

    _kept: dict[str, Sequence[_Row]] = field(default_factory=dict)

    def page(
        self,
        question: object,
        compute: Callable[[], Sequence[_Row]],
        *,
        size: object,
        token: object,
        most: int,
    ) -> tuple[Sequence[_Row], str | None]:
        """Return the rows of a page, and the token of the next one, None after the last.

        Args:
            question: What was asked, as JSON values; a token holds for the same question only.
            compute: Gives all rows.
            size: The request's `pageSize`; None or 0 means `most`.
            token: The request's `pageToken`; None or "" means the first page.
            most: Most rows of a page.

        Raises:
            EarthEngineError: Size or token are of no use.
        """
        length = _parse_size(size, most)
        digest = hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()[:16]
        start = _parse_token(token, digest)
        rows = self._kept.get(digest)
        if rows is None:
            rows = compute()
        if start + length >= len(rows):
            return rows[start : start + length], None
        while len(self._kept) >= _KEPT:
            self._kept.pop(next(iter(self._kept)), None)
        self._kept[digest] = rows
        return rows[start : start + length], f"{digest}-{start + length}"


def _parse_size(size: object, most: int) -> int:
    if isinstance(size, str) and size.isdigit():
        size = int(size)
    if size is None or size == 0:
        return most
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        message = "pageSize must be a positive number."
        raise EarthEngineError(message)
    return min(size, most)


def _parse_token(token: object, digest: str) -> int:
    if not token:
        return 0
    owner, _, start = str(token).partition("-")
    if owner != digest or not start.isdigit():
        message = "Invalid page token: it belongs to another request."
        raise EarthEngineError(message)
    return int(start)
