"""The share of a chip that one owner may have."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.owner_share import OwnerRoom, owner_limit


@pytest.mark.parametrize(
    ("photos", "share", "limit"), [(25, 0.2, 5), (25, 0.01, 1), (25, 0.5, 13), (25, 1.0, 25)]
)
def test_a_share_is_rounded_up(photos: int, share: float, limit: int) -> None:
    """Everyone has room for at least one photo."""
    assert owner_limit(photos, share) == limit


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1, float("nan")])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    """Above 0, up to 1."""
    with pytest.raises(ValueError, match="share above 0"):
        owner_limit(25, share)


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"))),
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"))),
    st.integers(1, 4),
)
def test_nobody_gets_more_than_the_limit(
    before: list[tuple[str, str]], now: list[tuple[str, str]], limit: int
) -> None:
    """What is there counts and stays; each owner and each chip has a count of its own."""
    room = OwnerRoom(limit, before)
    taken = Counter(before)
    for chip, owner in now:
        assert room.admits(chip, owner) == (taken[chip, owner] < limit)
        if room.admits(chip, owner):
            room.take(chip, owner)
            taken[chip, owner] += 1
        else:
            with pytest.raises(ValueError, match="already"):
                room.take(chip, owner)
    assert all(count <= max(limit, Counter(before)[key]) for key, count in taken.items())
