"""Hashes of pictures: what is near, and that nothing near is missed."""

from __future__ import annotations

import io

import imagehash
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from filters.hash_index import TOLERANCE as ACROSS
from filters.hash_index import near_pairs
from filters.picture_hashes import TOLERANCE, WINDOWS, as_numbers, near_pictures, picture_hash
from tests.filters.real_pictures import COPIES, PHOTOGRAPHS, jpeg, photograph, stored

WORDS = st.integers(0, 2**64 - 1)


def apart(one: np.ndarray, other: np.ndarray) -> int:
    """Bits in which the whole of one and the nearest window of the other differ."""
    pairs = [(one[0], window) for window in other] + [(other[0], window) for window in one]
    return min((int(a) ^ int(b)).bit_count() for a, b in pairs)


def planted(chance: np.random.Generator, count: int) -> np.ndarray:
    """Random hashes, of which each second picture is 0 to 20 bits from the one before it."""
    hashes = chance.integers(0, 2**64, (count, len(WINDOWS)), dtype=np.uint64)
    for one in range(0, count - 1, 2):
        bits = chance.choice(64, chance.integers(0, 21), replace=False)
        flipped = np.bitwise_or.reduce(np.uint64(1) << bits.astype(np.uint64), initial=np.uint64(0))
        window = chance.integers(len(WINDOWS))
        if chance.random() < 0.5:
            hashes[one + 1, window] = hashes[one, 0] ^ flipped
        else:
            hashes[one, window] = hashes[one + 1, 0] ^ flipped
    return hashes


def test_the_first_hash_is_the_library_s() -> None:
    """The first 16 digits are imagehash's, of the picture brought to 128 × 128."""
    file = stored(jpeg(photograph(PHOTOGRAPHS[0])))
    text = picture_hash(file)
    assert len(text) == 16 * len(WINDOWS)
    grey = Image.open(io.BytesIO(file)).convert("L").resize((128, 128), Image.Resampling.LANCZOS)
    whole = imagehash.phash(grey)
    assert imagehash.hex_to_hash(text[:16]) - whole <= 2
    assert as_numbers([text])[0, 0] == int(text[:16], 16)


@pytest.mark.parametrize("name", COPIES)
def test_copies_are_near(name: str) -> None:
    """Whatever became of a photograph; two photographs are not near."""
    files = [photograph(path) for path in PHOTOGRAPHS]
    hashes = as_numbers([picture_hash(stored(jpeg(one))) for one in files])
    copies = as_numbers([picture_hash(stored(COPIES[name](one))) for one in files])
    found = set(near_pictures(np.concatenate([hashes, copies]), len(hashes)))
    count = len(files)
    assert {(one, one + count) for one in range(count)} <= found
    others = {(one, other) for one, other in found if one != other % count and one < count}
    assert not others


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_a_picture_without_contrast_has_no_hash(shade: int) -> None:
    """A lens cap is like every other lens cap: its noise says nothing."""
    noise = np.random.default_rng(1).normal(shade, 3, (336, 448)).clip(0, 255).astype(np.uint8)
    assert picture_hash(jpeg(Image.fromarray(noise))) == ""


def test_what_is_no_hash_is_refused() -> None:
    """Too short, or not of hexadecimal digits."""
    with pytest.raises(ValueError, match="160 hexadecimal"):
        as_numbers(["ab"])
    with pytest.raises(ValueError, match="non-hexadecimal"):
        as_numbers(["x" * 160])
    assert as_numbers([]).shape == (0, len(WINDOWS))


@given(st.lists(st.lists(WORDS, min_size=10, max_size=10), max_size=6), st.integers(0, 6))
def test_pictures_are_compared_with_all_before_them(rows: list[list[int]], first: int) -> None:
    """Each later one with each earlier one, both ways, and nothing else."""
    hashes = np.array(rows, dtype=np.uint64).reshape(-1, len(WINDOWS))
    hashes[1:] ^= hashes[:1] * np.uint64(len(rows) % 2)
    expected = {
        (one, other)
        for other in range(first, len(hashes)) for one in range(other)
        if apart(hashes[one], hashes[other]) <= TOLERANCE
    }  # fmt: skip
    assert set(near_pictures(hashes, first)) == expected


@pytest.mark.parametrize("seed", range(3))
def test_the_index_finds_what_a_look_at_all_pairs_finds(seed: int) -> None:
    """Up to the tolerance every pair, beyond it none."""
    hashes = planted(np.random.default_rng(seed), 300)
    expected = {
        (one, other)
        for other in range(len(hashes)) for one in range(other)
        if apart(hashes[one], hashes[other]) <= ACROSS
    }  # fmt: skip
    assert len(expected) > 40
    found = near_pairs(hashes)
    assert [tuple(pair) for pair in found.tolist()] == sorted(expected)


def test_an_index_of_nothing_and_of_equals() -> None:
    """No pictures give no pairs; of equal ones every pair is found once."""
    none = near_pairs(np.empty((0, len(WINDOWS)), dtype=np.uint64))
    assert none.shape == (0, 2)
    same = near_pairs(np.full((4, len(WINDOWS)), 5, dtype=np.uint64))
    assert same.tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]


@pytest.mark.parametrize("shelf", [2_999, 700, 90])
def test_many_small_shelves_hold_what_one_does(shelf: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever bits are flipped, those that part the shelves too; also where most are empty."""
    hashes = planted(np.random.default_rng(4), 300)
    whole = near_pairs(hashes)
    assert len(whole) > 40
    monkeypatch.setattr("filters.hash_index._SHELF", shelf)
    monkeypatch.setattr("filters.hash_index._READ", 7)
    assert near_pairs(hashes).tolist() == whole.tolist()


def test_many_equals_are_compared_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost where a piece ends, even in the middle of one asker's neighbours."""
    hashes = planted(np.random.default_rng(9), 200)
    hashes[50:80] = hashes[50]
    whole = near_pairs(hashes)
    monkeypatch.setattr("filters.hash_index._CHUNK", 7)
    monkeypatch.setattr("filters.picture_hashes._CHUNK", 7)
    assert near_pairs(hashes).tolist() == whole.tolist()
    assert set(map(tuple, whole.tolist())) <= set(near_pictures(hashes, 0))
