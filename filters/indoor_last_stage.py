"""Trains the last stage of a network on the maps that the layers before it found."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray
    from torchvision.models import ResNet

STEPS: Final = 400
_LOOK_EVERY: Final = 20
_PATIENCE: Final = 10
"""Looks at the held-back part without a new best, after which training ends."""

_BATCH: Final = 32
_WEIGHT_DECAY: Final = 0.02
_FROM_NOTHING_RATE: Final = 3e-3
_GIVEN_RATE: Final = 2e-4
_AVERAGED: Final = 0.05
"""Share of each step in the running average of the weights, which is what is looked at and kept:
single steps on so few pictures sway."""

_SMOOTHING: Final = 0.05
"""Share of the other class in what is to be learnt: answers are not driven to certainty."""

_WINDOW: Final = 14
"""Rows and columns of the 14 × 14 map that a step looks at, at random: cheaper, and more varied."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the held-back part.

    Attributes:
        step: Steps of training before it.
        loss: Mean cross entropy of the training steps since the look before.
        held_back_loss: Of the held-back part, balanced over the classes.
        held_back_accuracy: Mean over the classes.
    """

    step: int
    loss: float
    held_back_loss: float
    held_back_accuracy: float


@dataclass(frozen=True, slots=True)
class Sets:
    """Maps before the last stage, (pictures, 256, 14, 14), float16, and labels.

    Training maps hold each picture in `forms` forms, one whole set after the other.
    """

    maps: torch.Tensor
    labels: NDArray[np.bool_]
    held_maps: torch.Tensor
    held_labels: NDArray[np.bool_]
    forms: int


def _last_stage(network: ResNet, maps: torch.Tensor, *, whole: bool) -> torch.Tensor:
    """Computes the outputs from the maps.

    From nothing, only the last stage's first convolution and shortcut are there to be trained: the
    second convolution hands on, and the second block adds nothing.
    """
    if whole:
        found = network.layer4(maps)
    else:
        block: Any = network.layer4[0]
        found = torch.relu(block.bn1(block.conv1(maps)))
        found = torch.relu(block.bn2(found) + block.downsample(maps))
    outputs: torch.Tensor = network.fc(found.mean((2, 3)))
    return outputs


@torch.no_grad()
def outputs_of(network: ResNet, maps: torch.Tensor, *, whole: bool = True) -> torch.Tensor:
    """Returns the outputs for maps, (pictures, classes), in eval mode.

    Args:
        network: The network.
        maps: What the layers before the last stage found.
        whole: Whether all of the last stage does something; False for a network that was begun from
            nothing, where a sixth of the work gives the same.
    """
    network.eval()
    return torch.cat([_last_stage(network, part.float(), whole=whole)
                      for part in torch.split(maps, _BATCH)])  # fmt: skip


def train_last_stage(
    network: ResNet, sets: Sets, seed: int, steps: int, given: bool,
    on_look: Callable[[Look, int], None] | None,
) -> list[Look]:  # fmt: skip
    """Trains the last stage; the network ends as it was at its best look."""
    stage: Any = network.layer4
    nn.init.zeros_(network.fc.weight)
    nn.init.zeros_(network.fc.bias)
    expected = torch.from_numpy((~sets.labels).astype(np.int64))
    share = sets.labels.mean()
    balance = torch.tensor([0.5 / share, 0.5 / (1 - share)], dtype=torch.float32)
    if given:
        _fit_head(network, sets, expected, balance)
        learnt = [*stage.parameters(), *network.fc.parameters()]
        rate = _GIVEN_RATE
    else:
        block = stage[0]
        learnt = [
            *block.conv1.parameters(), *block.bn1.parameters(), *block.bn2.parameters(),
            *block.downsample.parameters(), *network.fc.parameters(),
        ]  # fmt: skip
        rate = _FROM_NOTHING_RATE
    optimiser = torch.optim.AdamW(learnt, lr=rate, weight_decay=_WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
    chance = torch.Generator().manual_seed(seed)
    averaged = copy.deepcopy(network)
    curve = [_look(averaged, sets, 0, float("nan"), whole=given)] if given else []
    kept = _state(averaged)
    losses: list[float] = []
    for step, chosen in zip(range(1, steps + 1), _draws(len(sets.maps), chance), strict=False):
        top, left, mirrored = torch.randint(
            0, sets.maps.shape[-1] - _WINDOW + 1, (3,), generator=chance
        ).tolist()
        seen = sets.maps[chosen][:, :, top : top + _WINDOW, left : left + _WINDOW].float()
        seen = seen.flip(3) if mirrored % 2 else seen
        stage.train(not given)  # given means and variances stay: some hundred pictures move them
        outputs = _last_stage(network, seen, whole=given)
        loss = functional.cross_entropy(
            outputs, expected[chosen], balance, label_smoothing=_SMOOTHING
        )
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        _average(averaged, network)
        losses.append(float(loss.detach()))
        if step % _LOOK_EVERY == 0 or step == steps:
            curve.append(_look(averaged, sets, step, float(np.mean(losses)), whole=given))
            losses.clear()
            if on_look is not None:
                on_look(curve[-1], steps)
            best = min(range(len(curve)), key=lambda place: curve[place].held_back_loss)
            if best == len(curve) - 1:
                kept = _state(averaged)
            elif len(curve) - 1 - best >= _PATIENCE:
                break
    network.load_state_dict(kept)
    network.eval()
    return curve


@torch.no_grad()
def _average(averaged: ResNet, network: ResNet) -> None:
    """Moves the running average a step towards the weights."""
    for one, now in ((averaged.layer4, network.layer4), (averaged.fc, network.fc)):
        for old, new in zip(one.state_dict().values(), now.state_dict().values(), strict=True):
            if old.is_floating_point():
                old.lerp_(new, _AVERAGED)


def _state(network: ResNet) -> dict[str, torch.Tensor]:
    return copy.deepcopy(network.state_dict())


def _look(network: ResNet, sets: Sets, step: int, loss: float, *, whole: bool) -> Look:
    """Looks at the held-back part, each class counting as much as the other."""
    outputs = outputs_of(network, sets.held_maps, whole=whole)
    right = (outputs[:, 0] >= outputs[:, 1]).numpy() == sets.held_labels
    wrong = functional.cross_entropy(
        outputs, torch.from_numpy((~sets.held_labels).astype(np.int64)), reduction="none"
    ).numpy()
    kinds = (sets.held_labels, ~sets.held_labels)
    return Look(
        step, loss,
        float(np.mean([wrong[kind].mean() for kind in kinds])),
        float(np.mean([right[kind].mean() for kind in kinds])),
    )  # fmt: skip


def _fit_head(network: ResNet, sets: Sets, expected: torch.Tensor, balance: torch.Tensor) -> None:
    """Fits the last layer alone to what the given network finds, by L-BFGS."""
    with torch.no_grad():
        features = torch.cat([network.layer4(part.float()).mean((2, 3))
                              for part in torch.split(sets.maps, _BATCH)])  # fmt: skip
    optimiser = torch.optim.LBFGS(
        network.fc.parameters(), max_iter=100, line_search_fn="strong_wolfe"
    )

    def evaluate() -> float:
        optimiser.zero_grad()
        loss = functional.cross_entropy(network.fc(features), expected, balance)
        loss = loss + 1e-3 * network.fc.weight.square().sum()
        loss.backward()
        return float(loss.detach())

    optimiser.step(evaluate)  # type: ignore[no-untyped-call]


def _draws(number: int, chance: torch.Generator) -> Iterator[torch.Tensor]:
    """Yields batches of places without end; each place comes up once before any comes again."""
    while True:
        yield from torch.split(torch.randperm(number, generator=chance), _BATCH)
