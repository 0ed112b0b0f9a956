"""How well photos find their chip among all chips, and their pixel within the chip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch.nn.functional import normalize

from examples.graft.encoders import PATCH_PX, SHRINK
from examples.graft.training import CROP_PX

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from examples.graft.ground import Ground
    from examples.graft.training import Encoders

RESAMPLES: Final = 4000


@dataclass(frozen=True, slots=True)
class Level:
    """What became of each photo at one level.

    Attributes:
        found: Share of its first place that the right candidate has: 1, 0, or less than 1 where
            candidates tie, (P,).
        chance: The same of an answer at random, (P,).
        cell: Number of the cell that each photo lies in, (P,).
    """

    found: NDArray[np.float64]
    chance: NDArray[np.float64]
    cell: NDArray[np.int64]

    @property
    def over_chance(self) -> float:
        """How many times as often as by chance the right one is found first."""
        return float(self.found.sum() / self.chance.sum())

    def interval(self, seed: int = 0) -> tuple[float, float]:
        """Returns the 95 % interval of `over_chance`, by bootstrap over cells.

        Photos of a cell are alike and stand or fall together, so cells are drawn, not photos.
        """
        cells = np.unique(self.cell)
        sums = np.array(
            [
                (self.found[self.cell == cell].sum(), self.chance[self.cell == cell].sum())
                for cell in cells
            ]
        )
        drawn = np.random.default_rng(seed).integers(len(cells), size=(RESAMPLES, len(cells)))
        found, chance = sums[drawn].sum(axis=1).T
        low, high = np.percentile(found / chance, (2.5, 97.5))
        return float(low), float(high)


@torch.no_grad()
def retrieve(encoders: Encoders, ground: Ground) -> tuple[Level, Level]:
    """Asks for the chip, and for the patch, of every photo.

    Args:
        encoders: As `train` returns them.
        ground: Chips with their photos, of the split `test`.

    Returns:
        The image level, where all chips are candidates; and the pixel level, where all patches of
        the middle of the photo's own chip are, which is where photos can lie. It does not gain
        from a model that knows the chip, only from one that knows the place in it.
    """
    room = (ground.chips.shape[-1] - CROP_PX // SHRINK) // 2
    middle = slice(room, room + CROP_PX // SHRINK)
    image, maps = encoders.satellite(ground.chips[:, :, middle, middle])
    shown = normalize(encoders.photo(ground.photos), dim=1)
    of = ground.chip_of_photo
    cells = {cell: number for number, cell in enumerate(sorted(set(ground.cell_of_chip)))}
    cell = np.array([cells[ground.cell_of_chip[chip]] for chip in of.tolist()])
    to_chips = shown @ normalize(image, dim=1).T
    patches = normalize(maps, dim=1)[of].flatten(2)
    to_patches = torch.einsum("pd,pdn->pn", shown, patches)
    row, column = (
        torch.div(ground.points - room * SHRINK, PATCH_PX, rounding_mode="floor").long().unbind(1)
    )
    own = row * maps.shape[3] + column
    return (
        Level(_first(to_chips, of), np.full(len(of), 1 / to_chips.shape[1]), cell),
        Level(_first(to_patches, own), np.full(len(of), 1 / to_patches.shape[1]), cell),
    )


def _first(scores: torch.Tensor, right: torch.Tensor) -> NDArray[np.float64]:
    own = scores.gather(1, right[:, None])
    better = (scores > own).sum(dim=1)
    tied = (scores == own).sum(dim=1)
    found: NDArray[np.float64] = torch.where(better == 0, 1.0 / tied, 0.0).double().numpy()
    return found
