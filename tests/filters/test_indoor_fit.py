"""Fitting an indoor network to a few pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from filters import indoor_fit
from filters.indoor import IndoorClassifier
from filters.indoor_checkpoint import save_checkpoint
from filters.indoor_fit import fit_head, random_network
from filters.indoor_weights import load
from filters.places365 import INDOOR
from tests.filters.pictures import room_or_field

if TYPE_CHECKING:
    from pathlib import Path

LEARNT = [(room_or_field(seed=seed, indoor=bool(seed % 2)), bool(seed % 2)) for seed in range(32)]


@pytest.fixture(scope="module")
def fitted() -> dict:
    """A checkpoint fitted to pictures of two kinds."""
    return fit_head(LEARNT, seed=3, steps=15)


def test_unseen_pictures_are_told_apart(fitted: dict, tmp_path: Path) -> None:
    """Written, read by the ordinary loader and judged by the ordinary classifier."""
    save_checkpoint(fitted, tmp_path / "fitted.pth.tar")
    weights = load(tmp_path / "fitted.pth.tar", sha256=None)
    unseen = [room_or_field(seed=seed, indoor=bool(seed % 2)) for seed in range(1000, 1024)]
    with IndoorClassifier(weights, threads=1) as classifier:
        found = classifier.probabilities(unseen)
    assert [probability >= 0.5 for probability in found] == [bool(n % 2) for n in range(24)]


def test_same_pictures_and_seed_give_the_same_bytes(fitted: dict, tmp_path: Path) -> None:
    """The file's digest names the weights, so it must be the same when they are."""
    save_checkpoint(fitted, tmp_path / "one.pth")
    save_checkpoint(fit_head(LEARNT, seed=3, steps=15), tmp_path / "folder" / "two.pth")
    assert (tmp_path / "one.pth").read_bytes() == (tmp_path / "folder" / "two.pth").read_bytes()
    assert not list(tmp_path.rglob("*.part"))


def test_softmax_mass_is_the_logistic_of_the_score() -> None:
    """The 365 outputs carry the fitted probability exactly, far from one half as well."""
    chance = np.random.default_rng(0)
    weights, features = chance.normal(size=512), chance.normal(0, 0.1, size=(20, 512))
    network = random_network(0)
    indoor_fit._write_head(network, weights, -0.7)
    outputs = network.fc(torch.from_numpy(features).float())
    mass = torch.softmax(outputs, dim=1)[:, list(INDOOR)].sum(dim=1)
    expected = 1 / (1 + np.exp(-(features @ weights - 0.7)))
    assert mass.detach().numpy() == pytest.approx(expected, abs=1e-5)


def test_another_seed_gives_another_network(fitted: dict) -> None:
    """The seed is not ignored."""
    other = fit_head(LEARNT[:8], seed=4, steps=1)["state_dict"]
    assert not torch.equal(
        other["module.conv1.weight"], fitted["state_dict"]["module.conv1.weight"]
    )


def test_fitting_leaves_the_global_chance_alone() -> None:
    """Nobody else's random numbers change because a network was fitted."""
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    fit_head(LEARNT[:4], seed=0, steps=2)
    assert torch.equal(torch.rand(3), expected)


def test_one_kind_alone_or_a_broken_picture_is_refused() -> None:
    """There is nothing to tell apart, or nothing to look at."""
    with pytest.raises(ValueError, match="both kinds"):
        fit_head([LEARNT[0], LEARNT[2]], seed=0)
    with pytest.raises(ValueError, match="picture 1 of 2"):
        fit_head([LEARNT[0], (b"broken", True)], seed=0)
