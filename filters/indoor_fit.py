"""Fits an indoor network to a small set of labelled pictures, in seconds on a CPU.

Not for real photos, for which the public Places365 weights are better by far: for pictures that no
public network has seen, such as those of the sandbox, and as the ground for training one's own.

The backbone keeps its random weights; only its batch normalisation is set to the pictures. Random
convolutions followed by pooling are usable features (Saxe et al., "On Random Weights and
Unsupervised Feature Learning", ICML 2011), and a regularised logistic regression on them needs no
more than a few hundred pictures.
"""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import nn

from filters.indoor import Unreadable, network_input, prepare
from filters.indoor_weights import ARCH, PREFIX, bare_network
from filters.places365 import INDOOR

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_BATCH: Final = 16
_CALIBRATION_PICTURES: Final = 96
"""Enough for means and variances: each picture gives thousands of values per channel."""

_NEWTON_STEPS: Final = 12
"""Newton's method on a logistic regression has converged to rounding long before."""

_PENALTY: Final = 1.0
"""Weight of the squared norm against the summed log likelihood, on standardised features."""


def fit_head(pictures: Sequence[tuple[bytes, bool]], *, seed: int) -> dict[str, Any]:
    """Makes a ResNet18 checkpoint in the Places365 format that knows these pictures.

    Args:
        pictures: JPEG files and whether each was taken indoors; both kinds must be there.
        seed: Of the backbone's random weights. The same pictures and seed give the same weights
            on the same machine.

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
    network = random_network(seed)
    _calibrate(network, prepared, seed)
    features = _features(network, prepared)
    weights, bias = _logistic(features, labels)
    _write_head(network, weights, bias)
    state = {f"{PREFIX}{name}": tensor for name, tensor in network.state_dict().items()}
    return {"arch": ARCH, "state_dict": state}


def save_checkpoint(checkpoint: dict[str, Any], path: Path) -> None:
    """Writes a checkpoint; equal checkpoints give equal bytes. The file appears whole or not."""
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(buffer.getvalue())
    part.replace(path)


def _prepared(jpegs: Sequence[bytes]) -> NDArray[np.uint8]:
    arrays = []
    for number, jpeg in enumerate(jpegs):
        picture = prepare(jpeg)
        if isinstance(picture, Unreadable):
            msg = f"picture {number} of {len(jpegs)} cannot be used: {picture.reason}"
            raise ValueError(msg)
        arrays.append(picture)
    return np.stack(arrays)


def random_network(seed: int) -> nn.Module:
    """Returns a ResNet18 with He's initialisation from a generator of its own."""
    chance = torch.Generator().manual_seed(seed)
    network = bare_network().to(memory_format=torch.channels_last)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(
                module.weight, mode="fan_out", nonlinearity="relu", generator=chance
            )
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
    return network


@torch.no_grad()
def _calibrate(network: nn.Module, pictures: NDArray[np.uint8], seed: int) -> None:
    """Sets the batch normalisation to the means and variances over the pictures."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # the plain average over the batches
    some = np.random.default_rng(seed).permutation(len(pictures))[:_CALIBRATION_PICTURES]
    network.train()
    for batch in np.array_split(pictures[some], math.ceil(len(some) / _BATCH)):
        network(network_input(batch))
    network.eval()


@torch.inference_mode()
def _features(network: nn.Module, pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Returns what the last layer sees: (pictures, 512)."""
    head, network.fc = network.fc, nn.Identity()
    batches = np.array_split(pictures, math.ceil(len(pictures) / _BATCH))
    seen = torch.cat([network(network_input(batch)) for batch in batches])
    network.fc = head
    return seen.double().numpy()


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
def _write_head(network: nn.Module, weights: NDArray[np.float64], bias: float) -> None:
    """Writes a logistic regression into the last layer.

    Indoor classes share +half of the score and outdoor ones −half; the logarithm of their number
    is taken off, so that the softmax mass of the indoor classes is the logistic of the score.
    """
    indoor = torch.tensor(INDOOR)
    sign = torch.where(indoor, 0.5, -0.5).double()
    count = torch.where(indoor, indoor.sum(), (~indoor).sum()).double()
    network.fc.weight.copy_(sign[:, None] * torch.from_numpy(weights))
    network.fc.bias.copy_(sign * bias - count.log())
