"""Trains both encoders on the pairs of a split, for both of GRAFT's levels at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

import torch

from examples.graft.encoders import PATCH_PX, SHRINK, PhotoEncoder, SatelliteEncoder
from flows.training.contrastive_losses import embeddings_at, image_level_loss, pixel_level_loss

if TYPE_CHECKING:
    from torch import Tensor

    from examples.graft.ground import Ground

CROP_PX: Final = 224
"""What the encoder sees of a chip of 448 px, as in GRAFT."""

CHIPS_AT_ONCE: Final = 32
LEARNING_RATE: Final = 3e-3
STEPS: Final = 120

Spoiling = Literal["none", "shuffled", "swapped", "mirrored"]
"""What is done to the pairs before training: nothing; each photo goes to another's chip and pixel;
row and column change places; the column is counted from the right."""


@dataclass(frozen=True, slots=True)
class Encoders:
    """What is trained."""

    photo: PhotoEncoder
    satellite: SatelliteEncoder


def spoil(ground: Ground, how: Spoiling, seed: int) -> Ground:
    """Returns the same ground with wrong pairs, to see that wrong pairs teach nothing."""
    if how == "shuffled":
        source = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(ground.photos), generator=source)
        return replace(ground, photos=ground.photos[order])
    if how == "swapped":
        return replace(ground, points=ground.points.flip(1))
    if how == "mirrored":
        width = ground.chips.shape[-1] * SHRINK
        row, column = ground.points.unbind(1)
        return replace(ground, points=torch.stack([row, width - 1e-3 - column], dim=1))
    return ground


def train(ground: Ground, *, seed: int, steps: int = STEPS) -> Encoders:
    """Trains encoders from nothing.

    Args:
        ground: Chips with their photos, of the split `train`.
        seed: Of first weights, batches and crops: the same seed, the same encoders on a machine.
        steps: Batches.

    Returns:
        The encoders, ready to be asked.
    """
    torch.manual_seed(seed)
    source = torch.Generator().manual_seed(seed)
    encoders = Encoders(PhotoEncoder(), SatelliteEncoder(ground.chips.shape[1]))
    parameters = [*encoders.photo.parameters(), *encoders.satellite.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=LEARNING_RATE, weight_decay=0.05)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps)
    left = torch.empty(0, dtype=torch.long)
    for _ in range(steps):
        if len(left) < min(CHIPS_AT_ONCE, len(ground.chips)):
            left = torch.randperm(len(ground.chips), generator=source)
        chosen, left = left[:CHIPS_AT_ONCE], left[CHIPS_AT_ONCE:]
        loss = _loss(encoders, *_draw_batch(ground, chosen, source))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        plan.step()
    encoders.photo.eval()
    encoders.satellite.eval()
    return encoders


def _draw_batch(
    ground: Ground, chosen: Tensor, source: torch.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Crops the chosen chips at random; photos outside of the crop sit this step out.

    Returns:
        Chips, their photos, (row, col) of the photos in the crop, and the photos' chips.
    """
    room = ground.chips.shape[-1] - CROP_PX // SHRINK
    # Around the middle, where the photos are: half of the room, so that few are lost.
    corners = room // 4 + torch.randint(room // 2 + 1, (len(chosen), 2), generator=source)
    side = CROP_PX // SHRINK
    chips = torch.stack(
        [
            ground.chips[chip, :, row : row + side, column : column + side]
            for chip, (row, column) in zip(chosen.tolist(), corners.tolist(), strict=True)
        ]
    )
    number = torch.full((len(ground.chips),), -1)
    number[chosen] = torch.arange(len(chosen))
    photo = (number[ground.chip_of_photo] >= 0).nonzero()[:, 0]
    chip_of_photo = number[ground.chip_of_photo[photo]]
    points = ground.points[photo] - corners[chip_of_photo] * SHRINK
    held = ((points >= 0) & (points < CROP_PX)).all(dim=1)
    return chips, _vary(ground.photos[photo[held]], source), points[held], chip_of_photo[held]


def _vary(photos: Tensor, source: torch.Generator) -> Tensor:
    """Mirrors half of the photos and changes exposure and white balance a little."""
    mirrored = torch.rand(len(photos), 1, 1, 1, generator=source) < 0.5
    photos = torch.where(mirrored, photos.flip(3), photos)
    exposure = 0.12 * torch.randn(len(photos), 1, 1, 1, generator=source)
    balance = 0.04 * torch.randn(len(photos), 3, 1, 1, generator=source)
    return photos * (exposure + balance).exp()


def _loss(
    encoders: Encoders, chips: Tensor, photos: Tensor, points: Tensor, chip_of_photo: Tensor
) -> Tensor:
    image, maps = encoders.satellite(chips)
    shown = encoders.photo(photos)
    under = embeddings_at(maps, chip_of_photo, points, patch_px=PATCH_PX)
    return image_level_loss(image, shown, chip_of_photo, symmetric=True) + pixel_level_loss(
        under, shown, chip_of_photo, symmetric=True
    )
