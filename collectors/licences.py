"""The licences of Flickr's photos, and the line that credits a photo.

Source of the table: `flickr.photos.licenses.getInfo` as it answered on 2025-06-19.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from collectors.records import Photo

TITLE_LENGTH: Final = 200
"""Longest title, and longest owner's name, in an attribution line, in characters."""

_BIDI_CONTROLS: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of the text after them, and so of the whole line."""


class UnknownLicence(ValueError):  # noqa: N818
    """A licence id or code that the table does not have."""


@dataclass(frozen=True, slots=True)
class Licence:
    """A licence, or a statement in its place.

    Attributes:
        code: SPDX identifier where there is one, else a word of this project's own.
        name: Name for people.
        url: Its text.
        adaptable: Whether adapted copies (a smaller copy, a crop) may be passed on.
        noncommercial: Whether use is limited to noncommercial purposes.
    """

    code: str
    name: str
    url: str
    adaptable: bool
    noncommercial: bool


def _creative_commons(elements: str, version: str) -> Licence:
    """Makes a Creative Commons licence from its elements, such as `BY-NC-SA`, and its version."""
    return Licence(
        code=f"CC-{elements}-{version}",
        name=f"CC {elements} {version}",
        url=f"https://creativecommons.org/licenses/{elements.lower()}/{version}/",
        adaptable="ND" not in elements,
        noncommercial="NC" in elements,
    )


LICENCES: Final = MappingProxyType(
    {
        0: Licence(
            "all-rights-reserved",
            "All Rights Reserved",
            "https://www.flickrhelp.com/hc/en-us/articles/10710266545556-Using-Flickr-images-shared-by-other-members",
            adaptable=False,
            noncommercial=False,
        ),
        1: _creative_commons("BY-NC-SA", "2.0"),
        2: _creative_commons("BY-NC", "2.0"),
        3: _creative_commons("BY-NC-ND", "2.0"),
        4: _creative_commons("BY", "2.0"),
        5: _creative_commons("BY-SA", "2.0"),
        6: _creative_commons("BY-ND", "2.0"),
        7: Licence(
            "no-known-copyright-restrictions",
            "No known copyright restrictions",
            "https://www.flickr.com/commons/usage/",
            adaptable=True,
            noncommercial=False,
        ),
        8: Licence(
            "US-Gov",
            "United States Government Work",
            "https://www.usa.gov/government-copyright",
            adaptable=True,
            noncommercial=False,
        ),
        9: Licence(
            "CC0-1.0",
            "CC0 1.0",
            "https://creativecommons.org/publicdomain/zero/1.0/",
            adaptable=True,
            noncommercial=False,
        ),
        10: Licence(
            "CC-PDM-1.0",
            "Public Domain Mark 1.0",
            "https://creativecommons.org/publicdomain/mark/1.0/",
            adaptable=True,
            noncommercial=False,
        ),
        11: _creative_commons("BY", "4.0"),
        12: _creative_commons("BY-SA", "4.0"),
        13: _creative_commons("BY-ND", "4.0"),
        14: _creative_commons("BY-NC", "4.0"),
        15: _creative_commons("BY-NC-SA", "4.0"),
        16: _creative_commons("BY-NC-ND", "4.0"),
    }
)
"""Flickr's numeric licence id → licence."""

_IDS_BY_CODE: Final = {licence.code: number for number, licence in LICENCES.items()}


def licence_by_id(licence_id: int) -> Licence:
    """Returns the licence of one of Flickr's numeric ids.

    Raises:
        UnknownLicence: If the table has no such id.
    """
    try:
        return LICENCES[licence_id]
    except KeyError:
        raise UnknownLicence(
            f"Flickr's licence id {licence_id} is not in collectors/licences.py, which knows "
            f"{min(LICENCES)} to {max(LICENCES)}: look up what it means before photos carry it"
        ) from None


def licence_id_by_code(code: str) -> int:
    """Returns Flickr's numeric id of a licence code such as `CC-BY-2.0`.

    Raises:
        UnknownLicence: If no licence has that code.
    """
    try:
        return _IDS_BY_CODE[code]
    except KeyError:
        raise UnknownLicence(
            f"{code!r} is not the code of a licence; known are {', '.join(_IDS_BY_CODE)}"
        ) from None


def licence_by_code(code: str) -> Licence:
    """Returns the licence of a code such as `CC-BY-2.0`.

    Raises:
        UnknownLicence: If no licence has that code.
    """
    return LICENCES[licence_id_by_code(code)]


def differences(listed: Mapping[int, str]) -> list[str]:
    """Compares Flickr's own list with the table.

    Creative Commons licences are compared by their address, which says what they are: Flickr has
    changed the names of all of them before.

    Args:
        listed: Flickr's id → address of the licence.

    Returns:
        One line for each difference; none if the table still holds.
    """
    lines = [f"id {number} is new ({listed[number]})" for number in listed.keys() - LICENCES]
    lines += [f"id {number} is gone" for number in LICENCES.keys() - listed]
    for number in LICENCES.keys() & listed:
        if _commons_path(LICENCES[number].url) != _commons_path(listed[number]):
            lines.append(f"id {number} is {listed[number]}, not {LICENCES[number].url}")
    return sorted(lines)


def _commons_path(url: str) -> str | None:
    """Returns what a Creative Commons address names, such as `licenses/by/2.0`; else None."""
    match = re.search(r"creativecommons\.org/((?:licenses|publicdomain)/[a-z-]+/[0-9.]+)", url)
    return match[1] if match else None


def attribution(photo: Photo) -> str:
    """Returns the line that credits a photo: `"Title" by Owner (CC BY 2.0), via Flickr`.

    It is one line of plain text: white space is collapsed, and control characters, characters that
    turn the direction of the text, and halves of surrogate pairs are removed.

    Raises:
        UnknownLicence: If the photo's licence id is not in the table.
    """
    title = _one_line(photo.title) or "Untitled"
    owner = _one_line(photo.owner_name) or photo.owner
    return f'"{title}" by {owner} ({licence_by_id(photo.licence).name}), via Flickr'


def _one_line(text: str) -> str:
    """Returns text fit for a line, cut at `TITLE_LENGTH` characters."""
    kept = "".join(
        character
        for character in " ".join(text.split())
        if unicodedata.category(character) not in {"Cc", "Cs"} and character not in _BIDI_CONTROLS
    )
    line = " ".join(kept.split())
    if all(unicodedata.category(character) == "Cf" for character in line):
        return ""  # nothing of it would be seen
    return line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1].rstrip() + "…"
