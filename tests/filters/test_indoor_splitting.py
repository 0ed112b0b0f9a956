"""Labelled pictures are parted by content: what looks alike stays on one side."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

from filters.indoor_splitting import ALIKE_BITS, content_groups, hold_back

BITS = 40
"""Hashes of so many bits, all in the low ones, are near one another often enough."""

hashes = st.lists(st.integers(0, 2**BITS - 1).map(lambda one: one & (one >> 1)), max_size=30)


@given(hashes)
def test_groups_are_the_components_of_what_is_alike(codes: list[int]) -> None:
    """Two pictures share a group exactly if a chain of alike ones leads from one to the other."""
    bits = np.array([[code >> bit & 1 for bit in range(64)] for code in codes]).reshape(-1, 64)
    apart = (bits[:, None, :] != bits[None, :, :]).sum(axis=2)
    _, expected = connected_components(apart <= ALIKE_BITS)
    found = content_groups(codes)
    assert ((found[:, None] == found) == (expected[:, None] == expected)).all()


def test_one_picture_brings_several_groups_together() -> None:
    """Three that are not alike become one group when one comes that is like each of them."""
    centre = 0
    around = [0b1111, 0b1111 << 8, 0b1111 << 16]
    assert len(set(content_groups(around).tolist())) == 3
    assert len(set(content_groups([*around, centre]).tolist())) == 1


@given(
    st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=2, max_size=60),
    st.integers(0, 100),
)
def test_whole_groups_are_held_back_and_no_more_than_asked(
    pictures: list[tuple[int, bool]], seed: int
) -> None:
    """Each group is on one side, each kind on both, and no kind gives more than its share."""
    groups = np.array([group for group, _ in pictures])
    labels = np.array([indoor for _, indoor in pictures])
    if labels.all() or not labels.any():
        return
    try:
        held = hold_back(groups, labels, share=0.2, seed=seed)
    except ValueError as error:
        assert "cannot be parted" in str(error)  # noqa: PT017 - either outcome is fine
        return
    assert not set(groups[held]) & set(groups[~held])
    for kind in (False, True):
        of_kind = labels == kind
        assert 1 <= int((held & of_kind).sum()) <= max(1, round(0.2 * int(of_kind.sum())))
        assert (~held & of_kind).any()


def test_pictures_that_all_look_alike_are_refused() -> None:
    """There is nothing to hold back that was not learnt from."""
    with pytest.raises(ValueError, match="taken indoors cannot be parted"):
        hold_back(np.zeros(10, np.int64), np.arange(10) % 2 == 0, share=0.2, seed=0)
