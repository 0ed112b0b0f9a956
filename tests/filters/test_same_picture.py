"""Whether two pictures are the same, and which of several is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from filters.same_picture import agreement, settle
from tests.filters.real_pictures import COPIES, PHOTOGRAPHS, jpeg, photograph, stored, tiles

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

PAIRS = st.sets(
    st.tuples(st.integers(0, 12), st.integers(0, 12)).filter(lambda one: one[0] < one[1])
)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        *((name, path) for name in COPIES for path in PHOTOGRAPHS[6:8]),
        *(("cropped by 5 %, corner", path) for path in PHOTOGRAPHS),
    ],
    ids=str,
)
def test_a_copy_agrees_with_its_original(name: str, path: Path) -> None:
    """Grass and gravel whatever was done to them, and every photograph when it was cropped."""
    original = stored(jpeg(photograph(path)))
    copy = stored(COPIES[name](photograph(path)))
    assert agreement(original, copy) > 0.97
    assert agreement(copy, original) > 0.97


def test_other_photographs_do_not_agree() -> None:
    """No two of them, nor two parts of a wall or of a lawn."""
    files = [stored(jpeg(photograph(path))) for path in PHOTOGRAPHS[::2]]
    for path in PHOTOGRAPHS[1], PHOTOGRAPHS[6]:
        files += [stored(jpeg(part)) for part in tiles(photograph(path), 2)]
    found = [agreement(one, other) for at, one in enumerate(files) for other in files[:at]]
    assert max(found) < 0.9


def test_brightness_and_contrast_do_not_count() -> None:
    """A copy that somebody made brighter is still a copy."""
    picture = photograph(PHOTOGRAPHS[0])
    other = ImageEnhance.Contrast(ImageEnhance.Brightness(picture).enhance(1.2)).enhance(0.8)
    assert agreement(jpeg(picture), jpeg(other)) > 0.95


def test_a_mirrored_picture_is_another() -> None:
    """It cannot be laid over the original."""
    picture = photograph(PHOTOGRAPHS[0])
    mirrored = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert agreement(jpeg(picture), jpeg(mirrored)) < 0.8


def test_pictures_of_one_shade_agree_with_nothing() -> None:
    """Not even with one another, and nothing is divided by zero."""
    flat = jpeg(Image.new("RGB", (336, 336), (90, 90, 90)))
    assert agreement(flat, flat) == 0
    assert agreement(flat, jpeg(photograph(PHOTOGRAPHS[0]))) == 0


@given(PAIRS, PAIRS)
def test_of_those_that_are_kept_no_two_are_the_same(
    near: set[tuple[int, int]], same: set[tuple[int, int]]
) -> None:
    """And each dropped one repeats one that is kept."""
    both = near & same
    repeats = settle(near, lambda one, other: (one, other) in same)
    assert all((kept, later) in both and kept not in repeats for later, kept in repeats.items())
    assert not [pair for pair in both if repeats.keys().isdisjoint(pair)]


@given(PAIRS, st.randoms())
def test_the_order_of_pairs_does_not_matter(near: set[tuple[int, int]], chance: Random) -> None:
    """Nor which end of a pair comes first."""
    pairs = sorted(near)
    chance.shuffle(pairs)
    turned = [(other, one) for one, other in pairs]
    assert settle(turned, lambda _one, _other: True) == settle(near, lambda _one, _other: True)


def test_the_first_of_several_is_named() -> None:
    """A chain keeps its ends apart: what was dropped drops nothing."""
    assert settle([(0, 1), (1, 2), (0, 3), (2, 3)], lambda _one, _other: True) == {1: 0, 3: 0}


def test_the_question_is_asked_only_where_it_matters() -> None:
    """Not after an answer was yes, and not about one that is dropped."""
    asked: list[tuple[int, int]] = []

    def same(one: int, other: int) -> bool:
        asked.append((one, other))
        return True

    settle([(0, 1), (0, 2), (1, 2), (0, 3), (2, 3)], same)
    assert asked == [(0, 1), (0, 2), (0, 3)]


def test_arrays_of_noise_do_not_agree() -> None:
    """Moving edges about finds no agreement where there is none."""
    chance = np.random.default_rng(4)
    files = [jpeg(Image.fromarray(chance.integers(0, 255, (24, 32), dtype=np.uint8))
                  .resize((448, 336), Image.Resampling.BICUBIC)) for _ in range(6)]  # fmt: skip
    assert max(agreement(one, other) for at, one in enumerate(files) for other in files[:at]) < 0.6
