"""From outputs to scores: the mass, its temperature, and the vote."""

from __future__ import annotations

import pytest
import torch

from filters.indoor_scores import Scoring, is_indoor
from filters.places365 import INDOOR


def test_temperature_divides_the_outputs() -> None:
    """Two classes, two apart: at temperature 2 they count as one apart."""
    outputs = torch.tensor([[2.0, 0.0]])
    warm = Scoring((True, False), 2.0).scores(outputs, "mass")
    assert float(warm) == pytest.approx(1 / (1 + 2.718281828**-1), abs=1e-6)


@pytest.mark.parametrize("votes", range(11))
def test_vote_is_the_share_among_the_ten_best(votes: int) -> None:
    """The Places team's demo takes five of ten for outdoors."""
    inside = [place for place, one in enumerate(INDOOR) if one][:votes]
    outside = [place for place, one in enumerate(INDOOR) if not one][: 10 - votes]
    outputs = torch.full((1, 365), -5.0)
    # Far ahead or barely: the vote does not look at it.
    outputs[0, inside] = torch.linspace(9, 8, votes) if votes else torch.empty(0)
    outputs[0, outside] = 1.0
    score = float(Scoring().scores(outputs, "top10_vote"))
    assert score == pytest.approx(votes / 10)
    assert is_indoor(score, 0.5, "top10_vote") == (votes > 5)


def test_rules_that_cannot_be_used_are_refused() -> None:
    """Two classes cannot send ten voters; an unknown rule is never another one."""
    with pytest.raises(ValueError, match="10 classes or more"):
        Scoring((True, False)).check("top10_vote")
    with pytest.raises(ValueError, match="no rule"):
        Scoring().check("median")


@pytest.mark.parametrize(
    "given", [((True, True), 1.0), ((True, False), 0.0), ((True, False), float("nan"))]
)
def test_senseless_scoring_is_refused(given: tuple) -> None:
    """One kind alone, or a temperature that is no positive number."""
    with pytest.raises(ValueError, match=r"kinds|temperature"):
        Scoring(*given)
