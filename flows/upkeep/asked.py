"""Who and what is to be forgotten, as it is typed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from collectors.transport import WrongUse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


_OWNER: Final = re.compile(r"[0-9a-f]{1,20}@N[0-9]{1,4}")
"""Flickr's id of an owner: an NSID."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who and what is to be forgotten, by Flickr's ids."""

    photos: frozenset[str] = frozenset()
    owners: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.photos or self.owners)


def read_file(path: Path) -> Asked:
    """Reads a file of ids: one in a line, of photos (digits) and owners (such as 12345678@N01).

    Raises:
        WrongUse: If it cannot be read, or a line is neither.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        seen = getattr(error, "strerror", None) or "it is no text"
        raise WrongUse(
            str(path), f"cannot be read ({seen}).", "Give a file with one id in a line."
        ) from None
    given = [line.strip() for line in lines if line.strip()]
    photos = [one for one in given if "@" not in one]
    return parse_asked(photos, [one for one in given if "@" in one], str(path))


def parse_asked(photos: Sequence[str], owners: Sequence[str], where: str) -> Asked:
    """Checks ids.

    Raises:
        WrongUse: If one cannot be an id; a name of an owner is not one.
    """
    for one in photos:
        if not (one.isascii() and one.isdigit() and len(one) <= 20):
            raise WrongUse(
                where, f"{one!r:.80} is no id of a photo.",
                "It is the number in the address of the photo's page.",
            )  # fmt: skip
    for one in owners:
        if not _OWNER.fullmatch(one):
            raise WrongUse(
                where, f"{one!r:.80} is no id of an owner.",
                "It looks like 12345678@N01; `terrapair catalog show photos` has it in the column"
                " owner.",
            )  # fmt: skip
    return Asked(frozenset(photos), frozenset(owners))
