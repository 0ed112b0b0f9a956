"""What people type, and what was measured: land cover and seasons by their everyday names.

The scene classification of Sentinel-2 knows vegetation, ground without plants, water and snow. A
forest and a meadow are both vegetation to it, and a city is bare ground, so these words find more
than they say; what it cannot tell at all is named in `UNTOLD`, so that whoever asks can be told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from filters.seasons import Season

if TYPE_CHECKING:
    from collections.abc import Mapping

_OF_CLASSES: Final[Mapping[tuple[str, ...], str]] = {
    ("vegetation",): (
        "vegetation vegetated forest forested wood woodland wooded tree jungle rainforest grass"
        " grassland grassy meadow pasture prairie savanna green greenery leafy plant shrub scrub"
        " bush"
    ),
    ("bare",): (
        "bare barren soil desert sand sandy dune rock rocky stone stony gravel scree fallow"
        " ploughed plowed"
    ),
    ("water",): (
        "water lake sea ocean river pond reservoir lagoon bay fjord strait stream"
    ),
    ("snow",): "snow snowy snowfield ice icy glacier glaciated frozen",
    ("vegetation", "bare"): (
        "field farmland farm cropland crop agriculture agricultural arable countryside"
    ),
}  # fmt: skip
"""Words in the singular, by the classes that they stand for. A field is green or bare."""

COVER: Final[Mapping[str, tuple[str, ...]]] = {
    word: classes for classes, words in _OF_CLASSES.items() for word in words.split()
}

SEASONS: Final[Mapping[str, Season]] = {
    word: season
    for season, words in (
        (Season.WINTER, "winter wintry wintertime winterly midwinter"),
        (Season.SPRING, "spring springtime"),
        (Season.SUMMER, "summer summery summertime midsummer"),
        (Season.AUTUMN, "autumn autumnal fall"),
    )
    for word in words.split()
}

UNTOLD: Final = frozenset({
    "city", "town", "urban", "built-up", "building", "house", "village", "suburb", "road",
    "highway", "airport", "industry", "industrial", "settlement",
})  # fmt: skip
"""What people look for that the classification cannot tell from bare ground: built-up ground."""

FILLERS: Final = frozenset({
    "a", "an", "the", "of", "in", "on", "at", "by", "to", "from", "near", "over", "under",
    "into", "during", "for", "with", "and", "or", "is", "are", "was", "that", "this", "there",
    "where", "which", "some", "any", "all", "mostly", "many", "few", "more", "less", "very",
    "landscape", "land", "ground", "covered", "cover", "area", "region", "place", "scene",
    "view", "views", "image", "images", "picture", "pictures", "photo", "photos", "satellite",
    "chip", "chips", "show", "shows", "showing", "find", "me",
})  # fmt: skip
"""English words that say nothing of what is looked for; they need not occur."""

NEGATIONS: Final = frozenset({"without", "not", "no"})
"""Words that exclude what comes next, as a minus does."""


def singular(word: str, known: Mapping[str, object] | frozenset[str]) -> str | None:
    """Returns the form of a word that a table has: as it is, or without the ending of the plural.

    Args:
        word: In small letters.
        known: The table.
    """
    forms = (word, word.removesuffix("s"), word.removesuffix("es"))
    ending = (f"{word[:-3]}y",) if word.endswith("ies") else ()
    return next((one for one in (*forms, *ending) if one in known), None)
