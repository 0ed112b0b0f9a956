"""Which photos of an awkward world are awkward, and in what way."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from collectors.sandbox.chance import hash_keys


class AwkwardFile(StrEnum):
    """What the photo host answers for one photo, instead of the announced JPEG."""

    GONE = "gone"
    """404 without a body."""
    PLACEHOLDER = "placeholder"
    """A redirection to a picture that says so."""
    BUSY = "busy"
    """429 at the first request for the file; the next one is answered."""
    CUT_OFF = "cut_off"
    """Less than was announced at the first request for the file; the next one is whole."""
    EMPTY = "empty"
    """No bytes, called a JPEG."""
    PNG = "png"
    """A PNG, called one."""
    MISLABELLED = "mislabelled"
    """A PNG, called a JPEG."""
    PAGE = "page"
    """A page of HTML with status 200."""
    BROKEN = "broken"
    """The first half of the JPEG, with a header that agrees."""
    OTHER_SIZE = "other_size"
    """A good JPEG of another size than was announced."""
    BOMB = "bomb"
    """A few hundred bytes that claim to be 50,000 x 50,000 pixels."""
    CMYK = "cmyk"
    """A good JPEG in CMYK."""
    GREY = "grey"
    """A good JPEG in shades of grey."""
    TURNED = "turned"
    """A good JPEG that lies on its side; its EXIF says how to turn it."""


# Each kind comes as often as any other.
_KINDS: Final = tuple(AwkwardFile)
_TO_UNIT: Final = 2.0**-64

TITLES: Final = (
    "<script>alert(document.cookie)</script><img src=x onerror=alert(1)>",
    "</td></tr></table><!-- &lt;b&gt; &amp;amp; -->",
    '=HYPERLINK("http://127.0.0.1/?"&A1,"click")',
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "+1-2;DROP TABLE photos;--",
    "\x1b[31mred\x1b[0m \x07bell \x08\x7f",
    "nul \x00 inside, line\r\nbreak, \u2028 separator",
    "\u202egpj.elif\u202c \u200fעברית\u200e and العربية",
    "half a pair: \ud83d end",
    "👩\u200d👩\u200d👧\u200d👦 Z̸̧̛̯a̵l̷g̶o̶ \ufeff",
    "x" * 10_240,
    "word " * 2_048,
)
"""Titles that a careless program shows, prints or stores wrongly; two are 10 kB long."""


def awkward_file(photo_id: str, share: float) -> AwkwardFile | None:
    """Says what is awkward about a photo's file.

    Args:
        photo_id: the photo.
        share: part of all photos whose file is awkward, 0..1.

    Returns:
        What is; None for a good file.
    """
    if not _is_drawn("file", photo_id, share):
        return None
    return _KINDS[hash_keys("which file", photo_id) % len(_KINDS)]


def awkward_title(photo_id: str, share: float) -> str | None:
    """Gives the awkward title of a photo; None where it has its own, in the given share."""
    if not _is_drawn("title", photo_id, share):
        return None
    return TITLES[hash_keys("which title", photo_id) % len(TITLES)]


def is_flooded(seed: int, tile: int, share: float) -> bool:
    """Says whether one owner has taken most of a tile's photos, in a world with this share."""
    return _is_drawn("flood", f"{seed} {tile}", share)


def _is_drawn(what: str, key: str, share: float) -> bool:
    return hash_keys("awkward", what, key) * _TO_UNIT < share
