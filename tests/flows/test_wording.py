"""What is known of a chip, in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.time_zones import country_of
from flows.catalogue.blocks import Region
from flows.wording.chip_texts import ChipText, PhotoWords, scripts_of, words_of
from flows.wording.reading import Regions

TEXT = ChipText(
    "sentinel2_32N_1_2_2021Q1", "sentinel2", "r1c1", date(2021, 1, 17), 7.12, 46.7,
    4480.0, {"shard": "s", "offset": 0, "size": 1, "sha256": "0"}, ("Alps",),
    ("Switzerland",), {"vegetation": 30.0, "snow": 60.0, "water": 4.9, "cloud_high": 5.1},
    (PhotoWords("1", "train", "Мост  на закате", "snow été", ""),
     PhotoWords("2", "train", "", "x", "")),
)  # fmt: skip


def test_a_sentence_says_place_season_date_and_ground() -> None:
    """Clouds are no ground, and what covers less than a twentieth has no word."""
    assert TEXT.sentence("Sentinel-2") == (
        "Sentinel-2 over Alps, Switzerland, 46.7° N 7.1° E in winter, January 2021: mostly"
        " snow, some vegetation."
    )
    assert TEXT.kind == "snow"
    bare = replace(TEXT, cover=None, lat=-3.04, lon=-60.0, regions=(), countries=("Brazil",))
    assert bare.sentence("NAIP") == "NAIP over Brazil, 3.0° S 60.0° W in January 2021."
    assert bare.kind is None


def test_words_of_owners_stay_as_they_are_and_in_no_sentence() -> None:
    """Titles and tags are given once each, blanks aside; the measured sentence has none of them."""
    assert words_of(TEXT.photos, "title") == ["Мост на закате"]
    assert words_of([*TEXT.photos, *TEXT.photos], "tags") == ["snow été", "x"]
    assert "Мост" not in TEXT.sentence("Sentinel-2")
    assert TEXT.record()["photos"][0]["scripts"] == ["Cyrillic", "Latin"]


@pytest.mark.parametrize(
    ("text", "scripts"),
    [
        ("Old bridge, day 2", ("Latin",)), ("夕方の橋", ("Han", "Hiragana")), ("2019 🌄", ()),
        ("다리 위에서", ("Hangul",)), ("جسر قديم", ("Arabic",)), ("", ()), ("ＡＢ ²", ("Latin",)),
    ],
)  # fmt: skip
def test_scripts_are_named_by_letters_alone(text: str, scripts: tuple[str, ...]) -> None:
    """Digits, signs and pictures have no script."""
    assert scripts_of(text) == scripts


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_text_has_scripts(text: str) -> None:
    """Letters without a name, private ones and marks do no harm."""
    assert all(name and name == name.strip() for name in scripts_of(text))


def test_countries_come_from_the_time_zone() -> None:
    """By the tables that the zones' own editors keep; at sea there is none."""
    assert country_of("Europe/Zurich") == "Switzerland"
    assert country_of("America/Los_Angeles") == "United States"
    assert country_of("Etc/GMT+8") is None


def test_regions_hold_points_across_the_antimeridian_too() -> None:
    """By title; a region without one by its name; the fingerprint tells grounds apart."""
    blocks = {"fiji": Region(title="Fiji", box=(177, -20, -178, -16)),
              "alps": Region(box=(5, 45, 8, 47))}  # fmt: skip
    regions = Regions(blocks)
    assert regions.at(179.5, -17) == regions.at(-179, -17) == ("Fiji",)
    assert regions.at(6, 46) == ("alps",)
    assert regions.at(0, 0) == ()
    moved = Regions(blocks | {"alps": Region(box=(5, 45, 8, 48))})
    assert moved.fingerprint != regions.fingerprint == Regions(blocks).fingerprint
