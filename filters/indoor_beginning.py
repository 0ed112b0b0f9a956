"""What a network is before it has seen a picture, when it is trained from nothing.

With some hundred pictures the early layers cannot be learnt: they are given. The first layer is a
bank of filters as every trained network finds it and as the classical indoor classifiers use it
(Szummer and Picard, "Indoor-Outdoor Image Classification", CAIVD 1998: colour in opponent axes and
oriented texture): Gabor filters of six directions and three wavelengths, levels of brightness and
of colour, edges of colour, spots. The two following stages average their answers over areas, keep
them, and mix them at random; all other blocks hand on what they get.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import nn

from filters.indoor_checkpoint import bare_network

if TYPE_CHECKING:
    from torchvision.models import ResNet

_SIDE: Final = 7
_DIRECTIONS: Final = 6
_WAVELENGTHS_PX: Final = (2.5, 4.0, 6.5)

_LUMA: Final = (0.299, 0.587, 0.114)
_RED_BLUE: Final = (0.5, 0.0, -0.5)
_GREEN: Final = (-0.25, 0.5, -0.25)
"""Brightness and two opponent axes, on R, G, B. The second and third are 0 for every grey."""

_OPEN: Final = 2.0
"""Added after normalisation where a channel shall be handed on and not be cut at its mean."""


def random_network(seed: int, classes: int = 365) -> ResNet:
    """Returns a ResNet18 with random weights, from a generator of its own.

    Convolutions as in He et al., "Delving Deep into Rectifiers", ICCV 2015; the last layer is small
    and normal, batch normalisation changes nothing yet.
    """
    chance = torch.Generator().manual_seed(seed)
    network: ResNet = bare_network(classes).to(memory_format=torch.channels_last)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(
                module.weight, mode="fan_out", nonlinearity="relu", generator=chance
            )
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.01, generator=chance)
            nn.init.zeros_(module.bias)
    return network


@torch.no_grad()
def prepared_network(seed: int, classes: int) -> ResNet:
    """Returns a network whose first layers are given, and whose last block is to be trained.

    The normalisation of the given layers still has to be set to the pictures, see
    `filters.indoor_training`.
    """
    network = random_network(seed, classes)
    chance = torch.Generator().manual_seed(seed + 1)
    filters, levels = _bank()
    network.conv1.weight.copy_(filters)
    network.bn1.bias.copy_(levels)
    for layer in (network.layer1, network.layer2, network.layer3, network.layer4):
        for block in layer:
            block.bn2.weight.zero_()
    for layer in (network.layer2, network.layer3):
        _average_and_mix(layer[0], chance)
    trained = network.layer4[0]
    trained.bn2.weight.fill_(1.0)
    nn.init.dirac_(trained.conv2.weight)
    return network


def _bank() -> tuple[torch.Tensor, torch.Tensor]:
    """Returns the first layer's filters (64, 3, 7, 7), and what is added to their answers.

    Answers are counted in standard deviations from their mean over the pictures.
    """
    reach = torch.arange(_SIDE) - _SIDE // 2
    y, x = torch.meshgrid(reach, reach, indexing="ij")
    axes = [torch.tensor(axis).view(3, 1, 1) for axis in (_LUMA, _RED_BLUE, _GREEN)]
    luma, red_blue, green = axes
    filters: list[torch.Tensor] = []
    levels: list[float] = []

    def add(plane: torch.Tensor, axis: torch.Tensor, level: float = 0.0) -> None:
        both = axis * plane
        filters.append(both / both.norm())
        levels.append(level)

    for wavelength in _WAVELENGTHS_PX:
        for step in range(_DIRECTIONS):
            for phase in (0.0, math.pi / 2):
                plane = _gabor(x, y, wavelength, math.pi * step / _DIRECTIONS, phase)
                add(plane, luma)
    blob = torch.exp(-(x**2 + y**2) / (2 * 1.5**2))
    for level in (1.5, 0.5, -0.5, -1.5):
        for sign in (1, -1):
            add(sign * blob, luma, level)
            add(sign * blob, red_blue, level)
    for level in (1.0, 0.0, -1.0):
        for sign in (1, -1):
            add(sign * blob, green, level)
    for axis in (red_blue, green):
        for direction in (0.0, math.pi / 2):
            add(_gabor(x, y, 6.5, direction, math.pi / 2), axis)
    spot = torch.exp(-(x**2 + y**2) / 2)
    ring = torch.exp(-(x**2 + y**2) / (2 * 2.5**2))
    centre = spot / spot.sum() - ring / ring.sum()
    add(centre, luma)
    add(-centre, luma)
    return torch.stack(filters), torch.tensor(levels)


def _gabor(
    x: torch.Tensor, y: torch.Tensor, wavelength: float, direction: float, phase: float
) -> torch.Tensor:
    """Returns a wave under a bell, without its mean."""
    along = x * math.cos(direction) + y * math.sin(direction)
    bell = torch.exp(-(x**2 + y**2) / (2 * (0.45 * wavelength + 0.6) ** 2))
    wave = torch.cos(2 * math.pi * along / wavelength + phase) * bell
    return wave - bell * wave.sum() / bell.sum()


def _average_and_mix(block: Any, chance: torch.Generator) -> None:
    """Makes a block halve its maps: all channels averaged over 3 × 3, and as many mixtures.

    The mixtures look at single places, so that what is small is not lost.
    """
    kept = block.conv1.in_channels
    mixtures = torch.randn(kept, kept, generator=chance) / math.sqrt(kept)
    block.conv1.weight.zero_()
    block.conv1.weight[:kept] = torch.eye(kept)[:, :, None, None] / 9
    block.conv1.weight[kept:, :, 1, 1] = mixtures
    block.bn1.bias[:kept] = _OPEN
    nn.init.dirac_(block.conv2.weight)
    block.bn2.weight.fill_(1.0)
    block.bn2.bias.fill_(_OPEN)
    block.downsample[1].weight.zero_()
