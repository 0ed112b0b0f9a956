"""The classes of Places365 against the published lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from filters.places365 import CLASSES, INDOOR

if TYPE_CHECKING:
    from pathlib import Path


def test_classes_are_the_published_ones_in_their_order(shared_data: Path) -> None:
    """All 365 names stand at the index that the networks use."""
    lines = (shared_data / "places365_labels" / "categories_places365.txt").read_text().split("\n")
    published = {int(index): path[3:] for path, index in (line.split() for line in lines if line)}
    assert dict(enumerate(CLASSES)) == published


def test_indoor_classes_are_the_published_ones(shared_data: Path) -> None:
    """1 is indoors and 2 is outdoors in the published list, for all 365."""
    lines = (shared_data / "places365_labels" / "IO_places365.txt").read_text().split("\n")
    published = {path[3:]: kind == "1" for path, kind in (line.split() for line in lines if line)}
    assert dict(zip(CLASSES, INDOOR, strict=True)) == published


def test_counts_hold_without_the_published_lists() -> None:
    """160 classes are indoors and 205 outdoors, each named once."""
    assert (len(CLASSES), len(set(CLASSES)), len(INDOOR), sum(INDOOR)) == (365, 365, 365, 160)
