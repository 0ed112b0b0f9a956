"""The figures of an evaluation against sums by hand, and the parting by content."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.indoor_evaluation import THRESHOLDS, auc, calibration_error, contact_sheet, evaluate
from filters.indoor_splitting import ALIKE_BITS, content_groups, hold_back

SCORES = [0.9, 0.8, 0.4, 0.1, 0.7, 0.2]
TRUTH = [True, True, True, False, False, False]


def test_figures_of_six_pictures() -> None:
    """Four of six right; eight of nine pairs in order; the surest mistake first."""
    found = evaluate(SCORES, TRUTH, threshold=0.5)
    assert found.confusion == {
        "indoor": {"indoor": 2, "outdoor": 1}, "outdoor": {"indoor": 1, "outdoor": 2},
    }  # fmt: skip
    assert found.at.accuracy == pytest.approx(4 / 6)
    assert found.at.balanced_accuracy == pytest.approx(4 / 6)
    assert found.auc == pytest.approx(8 / 9)
    assert found.worst == (4, 2)
    assert [row.threshold for row in found.table] == list(THRESHOLDS)
    assert found.table[0].indoor_rejected == 1


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.booleans()), min_size=2))
def test_auc_is_the_share_of_ordered_pairs(pictures: list) -> None:
    """Counted pair by pair, ties half."""
    scores, truth = (np.array(one) for one in zip(*pictures, strict=True))
    if truth.all() or not truth.any():
        return
    pairs = [(a > b) + (a == b) / 2 for a in scores[truth] for b in scores[~truth]]
    assert auc(scores, truth) == pytest.approx(np.mean(pairs))


def test_calibration_error_of_two_bins() -> None:
    """Four pictures at 0.75 of which half are indoors, four at 0.05 of which none is."""
    scores = np.array([0.75] * 4 + [0.05] * 4)
    truth = np.array([True, True] + [False] * 6)
    assert calibration_error(scores, truth) == pytest.approx((0.25 * 4 + 0.05 * 4) / 8)


def test_one_kind_alone_cannot_be_evaluated() -> None:
    """There is no balance and no order to speak of."""
    with pytest.raises(ValueError, match="both kinds"):
        evaluate([0.5, 0.6], [True, True], threshold=0.5)


def test_contact_sheet_shows_every_picture() -> None:
    """Seven pictures in two rows, each of its own colour where it belongs."""
    tiles = [(np.full((224, 224, 3), 30 * n, np.uint8), f"{n}") for n in range(7)]
    sheet = np.asarray(contact_sheet(tiles))
    assert sheet.shape == (2 * 174, 6 * 160, 3)
    assert sheet[80, 5 * 160 + 80, 0] == 150
    assert sheet[174 + 80, 80, 0] == 180


def test_alike_is_passed_on() -> None:
    """A is like B and B like C, so A and C are together; D is alone."""
    near, nearer = (1 << ALIKE_BITS) - 1, ((1 << ALIKE_BITS) - 1) << ALIKE_BITS
    groups = content_groups([0, near | nearer, near, 2**64 - 1])
    assert groups[0] == groups[1] == groups[2] != groups[3]


@given(
    st.lists(st.tuples(st.integers(0, 30), st.booleans()), min_size=20, max_size=60),
    st.integers(0, 5),
)
def test_groups_are_never_parted(pictures: list, seed: int) -> None:
    """Whole groups are held back, and no more than the share of either kind."""
    groups, labels = (np.array(one) for one in zip(*pictures, strict=True))
    try:
        held = hold_back(groups, labels, share=0.2, seed=seed)
    except ValueError:
        return
    assert all(len(set(held[groups == group])) == 1 for group in np.unique(groups))
    for kind in (True, False):
        assert 0 < (held & (labels == kind)).sum() <= max(1, round(0.2 * (labels == kind).sum()))
