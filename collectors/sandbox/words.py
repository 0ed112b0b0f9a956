"""Titles and tags of made-up photos: short, mostly plain, now and then awkward to print."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

from collectors.sandbox.chance import Draws

if TYPE_CHECKING:
    from numpy.typing import NDArray

_COUNT: Final = 1024

_ADJECTIVES: Final = ("Old", "Quiet", "Golden", "Long", "Early", "Last", "Hidden", "Winter", "Blue")
_NOUNS: Final = (
    "bridge", "harbour", "street", "meadow", "ridge", "market", "station", "garden", "valley",
    "tower", "shore", "crossing", "orchard", "square", "trail", "window", "kitchen", "lookout",
)  # fmt: skip
_ENDINGS: Final = ("", "", "", " at dusk", " in the rain", " after work", ", day 2", " (again)")
_CAMERA_NAMES: Final = ("IMG_{}", "DSC0{}", "P10{}", "DSCF{}", "_MG_{}", "2019{}")
_FOREIGN: Final = (
    "夕方の橋", "古い駅", "Мост на закате", "Утро в горах", "جسر قديم", "الميناء", "다리 위에서",
    "Γέφυρα", "Größe & Maß", "Été à la montagne", "Ñandú – camino", "गाँव की सड़क", "🌄 dawn",
)  # fmt: skip
_MARKED_UP: Final = (
    "<b>Bridge</b> &amp; river", "Tom & Jerry's <i>cafe</i>", 'The "old" mill', "a < b > c",
    "<script>alert(1)</script>", "path\\to\\nowhere", "50% off; 'really'", "=SUM(A1:A2)",
    "  leading and trailing  ", "two\nlines", "tab\there",
)  # fmt: skip
_TAGS: Final = (
    "travel", "street", "bridge", "river", "sunset", "winter", "hiking", "city", "architecture",
    "interior", "museum", "family", "nikon", "canon", "iphone", "blackandwhite", "outdoor",
    "clouds", "geotagged", "2019", "日本", "été", "landscape", "coffee",
)  # fmt: skip


@cache
def titles() -> NDArray[np.str_]:
    """Gives the titles that photos are given.

    Returns:
        Texts, shape (1024,): about one in ten empty, one in five a camera's file name, a few with
        marks of HTML or not in Latin letters.
    """
    return np.array([_make_title(Draws("title", number)) for number in range(_COUNT)])


@cache
def tags() -> NDArray[np.str_]:
    """Gives the tags that photos are given.

    Returns:
        Texts of 0 to 6 words with blanks between them, shape (1024,).
    """
    rows = []
    for number in range(_COUNT):
        draws = Draws("tags", number)
        words = [draws.pick(_TAGS) for _ in range(max(0, draws.integer(-3, 6)))]
        rows.append(" ".join(dict.fromkeys(words)))
    return np.array(rows)


def _make_title(draws: Draws) -> str:
    kind = draws.uniform()
    if kind < 0.10:
        return ""
    if kind < 0.30:
        return draws.pick(_CAMERA_NAMES).format(draws.integer(1000, 9999))
    if kind < 0.36:
        return draws.pick(_FOREIGN)
    if kind < 0.40:
        return draws.pick(_MARKED_UP)
    return f"{draws.pick(_ADJECTIVES)} {draws.pick(_NOUNS)}{draws.pick(_ENDINGS)}"
