"""Fits an indoor network to some hundred labelled pictures, in seconds on a CPU.

Not for real photos, for which the public Places365 weights are better by far: for pictures that no
public network has seen, such as those of the sandbox, and as the ground for training one's own.

A ResNet18 is used as a shallow one. All blocks but one are reduced to their shortcuts, by the
weight 0 at the end of their other branch. What is left before that one block is random and stays
so: its output is computed once. The one block is trained on it, and the last layer is a logistic
regression on what the block then sees.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from filters.indoor_checkpoint import ARCH, PREFIX, bare_network
from filters.indoor_engines import network_input
from filters.indoor_pictures import Unreadable, prepare
from filters.places365 import INDOOR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray
    from torchvision.models import ResNet

STEPS: Final = 300
"""Steps of training. Fewer pictures come up more often in them: the time hardly depends on how many
there are. 1200 pictures of the sandbox are 8 epochs."""

_BATCH: Final = 32
_LEARNING_RATE: Final = 3e-3
_WEIGHT_DECAY: Final = 0.02

_WINDOW: Final = 10
"""Rows and columns of the 14 × 14 map that a step looks at, at random: cheaper, and more varied."""

_CALIBRATION_PICTURES: Final = 96
"""Enough for the means and variances of the random part: each picture has thousands of values."""

_NEWTON_STEPS: Final = 12
"""Newton's method on a logistic regression has converged to rounding long before."""

_PENALTY: Final = 1.0
"""Weight of the squared norm against the summed log likelihood, on standardised features."""


def fit_head(
    pictures: Sequence[tuple[bytes, bool]], *, seed: int, threads: int = 1, steps: int = STEPS
) -> dict[str, Any]:
    """Makes a ResNet18 checkpoint in the Places365 format that knows these pictures.

    Args:
        pictures: JPEG files and whether each was taken indoors; both kinds must be there.
        seed: Of all chance. The same pictures, seed and number of threads give the same weights on
            the same machine.
        threads: Threads that PyTorch computes with meanwhile.
        steps: Steps of training, 1 or more.

    Returns:
        What `save_checkpoint` writes. The softmax mass on the indoor classes is the fitted
        probability, spread evenly over them.

    Raises:
        ValueError: If a picture cannot be decoded, or a kind is missing.
    """
    labels = np.array([indoor for _, indoor in pictures], dtype=bool)
    if labels.all() or not labels.any():
        msg = "pictures of both kinds are needed, indoors and outdoors"
        raise ValueError(msg)
    prepared = _prepared([jpeg for jpeg, _ in pictures])
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        network = _fitted(prepared, labels, seed, steps)
    finally:
        torch.set_num_threads(before)
    state = {f"{PREFIX}{name}": tensor for name, tensor in network.state_dict().items()}
    return {"arch": ARCH, "state_dict": state}


def _fitted(
    prepared: NDArray[np.uint8], labels: NDArray[np.bool_], seed: int, steps: int
) -> ResNet:
    network = random_network(seed)
    _reduce(network)
    some = prepared[:: max(1, len(prepared) // _CALIBRATION_PICTURES)]
    _calibrate(network, lambda batch: _stem(network, network_input(batch)), some)
    maps = _mapped(lambda batch: _stem(network, network_input(batch)), prepared)
    _train_block(network.layer4[0], maps, labels, seed, steps)
    _calibrate(network.layer4[0], lambda batch: _block(network.layer4[0], batch), maps)
    features = _mapped(lambda batch: _block(network.layer4[0], batch).mean((2, 3)), maps)
    weights, bias = _logistic(features.double().numpy(), labels)
    _write_head(network, weights, bias)
    return network


def random_network(seed: int) -> ResNet:
    """Returns a ResNet18 with 365 outputs and random weights, from a generator of its own.

    Convolutions as in He et al., "Delving Deep into Rectifiers", ICCV 2015; the last layer is small
    and normal, batch normalisation changes nothing yet.
    """
    chance = torch.Generator().manual_seed(seed)
    network: ResNet = bare_network().to(memory_format=torch.channels_last)
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


def _prepared(jpegs: Sequence[bytes]) -> NDArray[np.uint8]:
    """Returns the pictures as the network sees them: (n, rows, columns, bands)."""
    arrays = []
    for number, jpeg in enumerate(jpegs):
        picture = prepare(jpeg)
        if isinstance(picture, Unreadable):
            msg = f"picture {number} of {len(jpegs)} cannot be used: {picture.reason}"
            raise ValueError(msg)  # noqa: TRY004 - a picture of no use, not a wrong type
        arrays.append(picture)
    return np.stack(arrays)


@torch.no_grad()
def _reduce(network: ResNet) -> None:
    """Reduces all blocks but the one that is trained to their shortcuts.

    The second convolution of that block hands on what the first one found, so that only the
    first one needs to be computed and trained.
    """
    for layer in (network.layer1, network.layer2, network.layer3, network.layer4):
        for block in layer:
            block.bn2.weight.zero_()
    trained = network.layer4[0]
    trained.bn2.weight.fill_(1.0)
    nn.init.dirac_(trained.conv2.weight)


def _stem(network: ResNet, pictures: torch.Tensor) -> torch.Tensor:
    """Computes what a reduced network hands to the trained block: (n, 256, 14, 14)."""
    maps: torch.Tensor = network.maxpool(network.relu(network.bn1(network.conv1(pictures))))
    for layer in (network.layer2, network.layer3):
        maps = torch.relu(layer[0].downsample(maps))
    return maps


def _block(block: Any, maps: torch.Tensor) -> torch.Tensor:
    """Computes the trained block, without the second convolution that only hands on."""
    found = torch.relu(block.bn1(block.conv1(maps)))
    both: torch.Tensor = block.bn2(found) + block.downsample(maps)
    return torch.relu(both)


def _batches(items: Any) -> Iterator[Any]:
    for first in range(0, len(items), _BATCH):
        yield items[first : first + _BATCH]


@torch.no_grad()
def _calibrate(module: nn.Module, compute: Callable[[Any], object], items: Any) -> None:
    """Sets the batch normalisation of a module to the means and variances over all items."""
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.reset_running_stats()
            norm.momentum = None  # the plain average over the batches
    module.train()
    for batch in _batches(items):
        compute(batch)
    module.eval()


@torch.no_grad()
def _mapped(compute: Callable[[Any], torch.Tensor], items: Any) -> torch.Tensor:
    return torch.cat([compute(batch) for batch in _batches(items)])


def _train_block(
    block: Any, maps: torch.Tensor, labels: NDArray[np.bool_], seed: int, steps: int
) -> None:
    """Trains the block together with a last layer of its own, which is then forgotten."""
    chance = torch.Generator().manual_seed(seed)
    head = nn.utils.skip_init(nn.Linear, block.conv2.out_channels, 1)  # type: ignore[no-untyped-call]
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    learnt = [
        *block.conv1.parameters(), *block.bn1.parameters(), *block.bn2.parameters(),
        *block.downsample.parameters(), *head.parameters(),
    ]  # fmt: skip
    optimiser = torch.optim.AdamW(learnt, lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _LEARNING_RATE, total_steps=steps)
    expected = torch.from_numpy(labels).float()
    block.train()
    for _, chosen in zip(range(steps), _draws(len(maps), chance), strict=False):
        top, left, mirrored = torch.randint(
            0, maps.shape[-1] - _WINDOW + 1, (3,), generator=chance
        ).tolist()
        seen = maps[chosen][:, :, top : top + _WINDOW, left : left + _WINDOW]
        seen = seen.flip(3) if mirrored % 2 else seen
        scores = head(_block(block, seen).mean((2, 3)))[:, 0]
        loss = functional.binary_cross_entropy_with_logits(scores, expected[chosen])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    block.eval()


def _draws(number: int, chance: torch.Generator) -> Iterator[torch.Tensor]:
    """Yields batches of places without end; each place comes up once before any comes again."""
    while True:
        yield from torch.split(torch.randperm(number, generator=chance), _BATCH)


def _logistic(
    features: NDArray[np.float64], labels: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], float]:
    """Fits a logistic regression with an L2 penalty by Newton's method.

    Args:
        features: (pictures, features).
        labels: (pictures,), true for indoors.

    Returns:
        The weights, one for each feature, and the bias, for features as they are given.
    """
    mean = features.mean(axis=0)
    deviation = features.std(axis=0) + 1e-6
    design = np.column_stack([(features - mean) / deviation, np.ones(len(features))])
    penalty = np.full(design.shape[1], _PENALTY)
    penalty[-1] = 1e-6
    fitted = np.zeros(design.shape[1])
    for _ in range(_NEWTON_STEPS):
        likely = 1 / (1 + np.exp(-np.clip(design @ fitted, -30, 30)))
        slope = design.T @ (likely - labels) + penalty * fitted
        curve = (design.T * (likely * (1 - likely))) @ design + np.diag(penalty)
        fitted -= np.linalg.solve(curve, slope)
    weights = fitted[:-1] / deviation
    return weights, float(fitted[-1] - weights @ mean)


@torch.no_grad()
def _write_head(network: ResNet, weights: NDArray[np.float64], bias: float) -> None:
    """Writes a logistic regression into the last layer.

    Indoor classes share +half of the score and outdoor ones −half; the logarithm of their number
    is taken off, so that the softmax mass of the indoor classes is the logistic of the score.
    """
    indoor = torch.tensor(INDOOR)
    sign = torch.where(indoor, 0.5, -0.5).double()
    count = torch.where(indoor, indoor.sum(), (~indoor).sum()).double()
    network.fc.weight.copy_(sign[:, None] * torch.from_numpy(weights))
    network.fc.bias.copy_(sign * bias - count.log())
