"""Our own form of a checkpoint: what it carries comes back, and what does not fit is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from filters.indoor_beginning import random_network
from filters.indoor_checkpoint import own_checkpoint, save_checkpoint
from filters.indoor_scores import Scoring
from filters.indoor_weights import WeightsError, load

if TYPE_CHECKING:
    from pathlib import Path


def checkpoint() -> dict[str, Any]:
    """Returns a checkpoint of two classes, the second one indoors."""
    scoring = Scoring((False, True), 1.7)
    return own_checkpoint(random_network(1, 2), ("outside", "inside"), scoring, {"seed": 1})


def test_what_it_carries_comes_back(tmp_path: Path) -> None:
    """Classes, calibration, training record and every tensor."""
    save_checkpoint(checkpoint(), tmp_path / "own.pth")
    found = load(tmp_path / "own.pth", sha256=None)
    assert found.scoring == Scoring((False, True), 1.7)
    assert found.training == {"seed": 1}
    expected = random_network(1, 2).state_dict()
    assert all(torch.equal(one, expected[k]) for k, one in found.network.state_dict().items())


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "later form": ({"format": "terrapair-indoor/2"}, "this release reads"),
    "other preparation": ({"preparation": {"crop_px": 448}}, "prepared in another way"),
    "classes that are no names": ({"classes": [1, 2]}, "no list of names"),
    "classes of no kind": ({"indoor": ["yes", "no"]}, "true and false"),
    "a kind too many": ({"indoor": [True, False, True]}, "2 classes, and says of 3"),
    "one kind alone": ({"indoor": [True, True]}, "both kinds"),
    "no temperature": ({"temperature": None}, "temperature"),
    "frozen": ({"temperature": 0.0}, "temperature"),
    "more classes than outputs": (
        {"classes": ["a", "b", "c"], "indoor": [True, False, True]}, r"outputs are \(2,\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", list(MISTAKES))
def test_what_does_not_fit_is_refused(mistake: str, tmp_path: Path) -> None:
    """Nothing is guessed: each says what is wrong and where."""
    changed, said = MISTAKES[mistake]
    save_checkpoint(checkpoint() | changed, tmp_path / "own.pth")
    with pytest.raises(WeightsError, match=said) as caught:
        load(tmp_path / "own.pth", sha256=None)
    assert "own.pth" in str(caught.value)
