"""The words for a chip: what was measured of it, where and when it lies, and what its photos say.

Nothing is guessed. Land cover is the scene classification's, the season that of the scene's date,
the place what the catalogue and the time zone say; owners' titles and tags stay as they wrote them.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from filters.seasons import Season, season_of, tells_of_the_ground

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

GROUND: Final[Mapping[str, str]] = {
    "vegetation": "vegetation", "bare": "bare ground", "water": "water", "snow": "snow",
}  # fmt: skip
"""Classes of the scene classification that say what covers the ground, and the words for them."""

WORTH_A_WORD_PCT: Final = 5.0
"""Share of a chip from which on a class is named. Under it, misread pixels count for too much."""

MOSTLY_PCT: Final = 50.0
"""Share of a chip from which on it is mostly of a class."""

_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
"""English, whatever the machine's language is."""

_SCRIPTS: Final[Mapping[str, str]] = {
    "CJK": "Han", "IDEOGRAPHIC": "Han", "FULLWIDTH": "Latin", "HALFWIDTH": "Katakana",
    "FEMININE": "Latin", "MASCULINE": "Latin", "MICRO": "Greek", "MODIFIER": "",
    "MATHEMATICAL": "", "DOUBLE": "", "SCRIPT": "", "BLACK": "",
}  # fmt: skip
"""What begins a character's name in Unicode, where that is not the script's own name."""


@dataclass(frozen=True, slots=True)
class PhotoWords:
    """What an owner wrote of a photo; text by strangers, in any language.

    Attributes:
        photo_id: The photo.
        split: What its pair with the chip is for.
        title: Its title.
        tags: Its tags, separated by spaces.
        picture_hash: Hashes of its picture; see `filters.picture_hashes`.
    """

    photo_id: str
    split: str
    title: str
    tags: str
    picture_hash: str

    @property
    def scripts(self) -> tuple[str, ...]:
        """The scripts of its letters, by name, such as `Cyrillic`."""
        return scripts_of(f"{self.title} {self.tags}")


@dataclass(frozen=True, slots=True)
class ChipText:
    """What is known of a chip that can be put into words.

    Attributes:
        chip_id: The chip.
        sensor: Its sensor.
        cell: Its cell.
        day: Date of its scene, UTC.
        lon: Longitude of its centre, degrees.
        lat: Latitude of its centre, degrees.
        side_m: Length of a side, metres.
        place: Where its bytes are: `shard`, `offset`, `size` and `sha256`.
        regions: Titles of the catalogue's regions that hold its centre.
        countries: English names of the countries that its photos' time zones belong to.
        cover: Percent of its valid pixels by class of the scene classification; None where that is
            not known.
        photos: Its photos, by id.
    """

    chip_id: str
    sensor: str
    cell: str
    day: date
    lon: float
    lat: float
    side_m: float
    place: Mapping[str, Any]
    regions: tuple[str, ...]
    countries: tuple[str, ...]
    cover: Mapping[str, float] | None
    photos: tuple[PhotoWords, ...]

    @property
    def season(self) -> Season:
        """The meteorological season of its scene."""
        return season_of(self.day, self.lat)

    @property
    def season_words(self) -> str:
        """The season; nothing between the tropics, where its name would say little."""
        return self.season.value if tells_of_the_ground(self.lat) else ""

    @property
    def date_words(self) -> str:
        """Month and year of its scene, such as `January 2021`."""
        return f"{_MONTHS[self.day.month - 1]} {self.day.year}"

    @property
    def ground(self) -> tuple[tuple[str, float], ...]:
        """Classes worth a word with their percent, the largest first."""
        known = (self.cover or {}).items()
        named = [(name, share) for name, share in known
                 if name in GROUND and share >= WORTH_A_WORD_PCT]  # fmt: skip
        return tuple(sorted(named, key=lambda one: (-one[1], one[0])))

    @property
    def kind(self) -> str | None:
        """The class that covers most of the ground; None if none is worth a word."""
        return self.ground[0][0] if self.ground else None

    @property
    def cover_words(self) -> str:
        """The land cover, such as `mostly snow, some bare ground`."""
        words = [
            f"{'mostly' if share >= MOSTLY_PCT else 'some'} {GROUND[name]}"
            for name, share in self.ground
        ]
        return ", ".join(words)

    @property
    def place_words(self) -> str:
        """Regions, countries and the coordinates of the centre to a tenth of a degree."""
        north, east = round(self.lat, 1), round(self.lon, 1)
        point = (
            f"{abs(north)}° {'N' if north >= 0 else 'S'} {abs(east)}° {'E' if east >= 0 else 'W'}"
        )
        return ", ".join((*self.regions, *self.countries, point))

    def sentence(self, sensor: str) -> str:
        """Returns a sentence of what was measured; nothing in it is an owner's words.

        Args:
            sensor: What the sensor is called, such as `Sentinel-2`.
        """
        when = f"in {self.season_words}, {self.date_words}" if self.season_words else (
            f"in {self.date_words}"
        )  # fmt: skip
        ground = f": {self.cover_words}" if self.cover_words else ""
        return f"{sensor} over {self.place_words} {when}{ground}."

    def record(self) -> dict[str, Any]:
        """Returns it as values of JSON."""
        return {
            "chip_id": self.chip_id, "sensor": self.sensor, "cell": self.cell,
            "date": self.day.isoformat(), "season": self.season_words or None,
            "lon": round(self.lon, 6), "lat": round(self.lat, 6), "regions": list(self.regions),
            "countries": list(self.countries),
            "cover": None if self.cover is None else dict(self.cover),
            "photos": [
                {"photo_id": one.photo_id, "title": one.title, "tags": one.tags,
                 "scripts": list(one.scripts)}
                for one in self.photos
            ],
        }  # fmt: skip


def scripts_of(text: str) -> tuple[str, ...]:
    """Returns the scripts of a text's letters by name, in the order of the alphabet.

    The script is certain, unlike the language: of two words in Latin letters nobody can tell.
    """
    return tuple(sorted({_script(one) for one in text if one.isalpha()} - {""}))


def _script(letter: str) -> str:
    first = unicodedata.name(letter, "").partition(" ")[0].partition("-")[0]
    return _SCRIPTS.get(first, first.capitalize())


def words_of(photos: Iterable[PhotoWords], name: str) -> Sequence[str]:
    """Returns the titles or the tags of photos, each once, without empty ones."""
    found = (" ".join(getattr(one, name).split()) for one in photos)
    return list(dict.fromkeys(one for one in found if one))
