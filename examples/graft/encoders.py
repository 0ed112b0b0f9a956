"""Two small encoders, one for photos and one for chips, that end in the same space."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

DIMENSIONS: Final = 64

SHRINK: Final = 8
"""Pixels of a chip that are averaged, each way, before anything is learned."""

DARKEST: Final = 0.02
"""Added before logarithms are taken. Colours are products of the light and of what it falls on; of
their logarithms, one can be taken from the other by a sum."""

PATCH_PX: Final = 16
"""Pixels along the side of a patch, as in GRAFT's ViT-B/16."""


class PhotoEncoder(nn.Module):
    """Photos, (P, 3, rows, columns) from 0 to 1, to embeddings, (P, D).

    What is above and what is below stay apart to the end: the sky tells of the light, the ground of
    the place.
    """

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 16, 32, 48)
        self.layers = nn.Sequential(
            nn.BatchNorm2d(widths[0]),
            *(
                nn.Sequential(
                    nn.Conv2d(before, after, 3, stride=2, padding=1),
                    nn.BatchNorm2d(after),
                    nn.GELU(),
                )
                for before, after in pairwise(widths)
            ),
            nn.AdaptiveAvgPool2d((4, 1)),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(4 * widths[-1], 96),
            nn.GELU(),
            nn.Linear(96, DIMENSIONS),
        )

    def forward(self, photos: Tensor) -> Tensor:
        """See the class."""
        embeddings: Tensor = self.layers((photos + DARKEST).log())
        return embeddings


class SatelliteEncoder(nn.Module):
    """Shrunk chips, (N, bands, rows, columns), to a map, (N, D, patches down, patches across).

    A patch is seen by itself and all are seen alike, so the map cannot tell where in the chip a
    patch lies: that photos lie around the middle is of no use to it.

    Args:
        bands: How many.
    """

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.patches = nn.Sequential(
            nn.BatchNorm2d(bands),
            nn.Conv2d(bands, 64, 1),
            nn.GELU(),
            nn.AvgPool2d(PATCH_PX // SHRINK),
            nn.BatchNorm2d(64),
            nn.Conv2d(64, 96, 1),
            nn.BatchNorm2d(96),
            nn.GELU(),
        )
        self.pixel_head = nn.Conv2d(96, DIMENSIONS, 1)
        self.image_head = nn.Sequential(nn.Linear(96, 96), nn.GELU(), nn.Linear(96, DIMENSIONS))

    def forward(self, chips: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the embeddings of the chips, (N, D), and the map of their patches."""
        features = self.patches((chips + DARKEST).log())
        image: Tensor = self.image_head(features.mean(dim=(2, 3)))
        return image, self.pixel_head(features)
