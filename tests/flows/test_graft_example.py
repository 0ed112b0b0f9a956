"""The GRAFT example: what counts as found, what as chance, and how pairs are spoiled."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from examples.graft.encoders import PATCH_PX, SHRINK
from examples.graft.ground import Ground
from examples.graft.retrieval import Level, retrieve
from examples.graft.training import CROP_PX, Encoders, spoil, train

SIDE_PX = 448
CHIPS = 6
OF_CHIP = 3


def made_ground(seed: int = 0) -> Ground:
    """A world of flat colours: each patch of a chip has its own, and a photo shows its patch's."""
    rng = np.random.default_rng(seed)
    patches = SIDE_PX // PATCH_PX
    colours = rng.random((CHIPS, 3, patches, patches)).astype(np.float32)
    grown = PATCH_PX // SHRINK
    chips = colours.repeat(grown, axis=2).repeat(grown, axis=3)
    of = np.repeat(np.arange(CHIPS), OF_CHIP)
    corner = (SIDE_PX - CROP_PX) / 2
    points = rng.uniform(corner, corner + CROP_PX, (len(of), 2))
    row, column = (points // PATCH_PX).astype(int).T
    photos = np.broadcast_to(colours[of, :, row, column][:, :, None, None], (len(of), 3, 36, 48))
    return Ground(
        torch.from_numpy(chips), torch.from_numpy(photos.copy()),
        torch.from_numpy(points.astype(np.float32)), torch.from_numpy(of),
        tuple(f"cell {chip // 2}" for chip in range(CHIPS)),
    )  # fmt: skip


class MeanColour(nn.Module):
    """Photos to their mean colour around grey."""

    def forward(self, photos: Tensor) -> Tensor:
        """See the class."""
        return photos.mean(dim=(2, 3)) - 0.5


class PatchColours(nn.Module):
    """Chips to the mean colour of each patch, and of one patch that stands for the chip."""

    def forward(self, chips: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        maps = nn.functional.avg_pool2d(chips, PATCH_PX // SHRINK) - 0.5
        return maps[:, :, 0, 0], maps


def test_who_knows_the_colours_finds_every_pixel() -> None:
    """Photos in the right patch, rows first, with a crop in between: all are found."""
    _, pixel = retrieve(Encoders(MeanColour(), PatchColours()), made_ground())
    assert pixel.found.tolist() == [1.0] * (CHIPS * OF_CHIP)
    assert pixel.over_chance == pytest.approx((CROP_PX / PATCH_PX) ** 2)


@pytest.mark.parametrize("how", ["swapped", "mirrored"])
def test_who_knows_the_colours_notices_wrong_pixels(how: str) -> None:
    """Then hardly a photo is found, and spoiling twice is as if nothing was done."""
    ground = made_ground()
    wrong = spoil(ground, how, 0)
    _, pixel = retrieve(Encoders(MeanColour(), PatchColours()), wrong)
    assert pixel.found.sum() <= 2
    torch.testing.assert_close(spoil(wrong, how, 0).points, ground.points)


def test_shuffling_gives_photos_to_others_and_keeps_all() -> None:
    """The same photos, seldom where they were; chips and pixels as before."""
    ground = made_ground()
    shuffled = spoil(ground, "shuffled", 4)
    stayed = (shuffled.photos == ground.photos).flatten(1).all(dim=1).sum()
    assert int(stayed) <= 4
    assert sorted(shuffled.photos[:, 0, 0, 0].tolist()) == sorted(
        ground.photos[:, 0, 0, 0].tolist()
    )
    assert torch.equal(shuffled.points, ground.points)


class Silent(nn.Module):
    """Says the same of everything."""

    def forward(self, seen: Tensor) -> Tensor:
        """See the class."""
        return torch.ones(len(seen), 3)


class SilentMaps(nn.Module):
    """Says the same of every chip and patch."""

    def forward(self, chips: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        side = chips.shape[2] * SHRINK // PATCH_PX
        return torch.ones(len(chips), 3), torch.ones(len(chips), 3, side, side)


def test_who_says_the_same_of_all_is_at_chance() -> None:
    """Ties share the first place, so an answer without knowledge is exactly once chance."""
    for level in retrieve(Encoders(Silent(), SilentMaps()), made_ground()):
        assert level.over_chance == pytest.approx(1.0)
        assert level.interval() == pytest.approx((1.0, 1.0))


def test_the_interval_draws_cells_not_photos() -> None:
    """Photos that stand and fall together tell no more than one: the interval stays wide."""
    found = np.repeat([0.0, 1.0, 0.0, 1.0], 100)
    cell = np.repeat(np.arange(4), 100)
    together = Level(found, np.full(400, 0.1), cell)
    apart = Level(found, np.full(400, 0.1), np.arange(400))
    assert together.over_chance == apart.over_chance == pytest.approx(5.0)
    low, high = together.interval()
    assert (low, high) == pytest.approx((0.0, 10.0))
    low, high = apart.interval()
    assert 4.0 < low < 5.0 < high < 6.0


def test_the_same_seed_trains_the_same_encoders() -> None:
    """Two steps of training, twice: the same weights; with another seed others."""
    ground = made_ground()
    one, again, other = (train(ground, seed=seed, steps=2) for seed in (1, 1, 2))
    last = [list(encoders.photo.parameters())[-2] for encoders in (one, again, other)]
    assert torch.equal(last[0], last[1])
    assert not torch.equal(last[0], last[2])
