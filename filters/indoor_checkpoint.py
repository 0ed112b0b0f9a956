"""The forms of a checkpoint of the indoor filter, read so that nothing in it can run code.

The public one of Places365: `{"arch": "resnet18", "state_dict": {"module.conv1.weight": tensor,
...}, ...}`, in PyTorch's old or new file layout; the prefix `module.` is there in the public file
and may be missing.

Our own, of `terrapair indoor train`, says more: `{"format": "terrapair-indoor/1", "arch":
"resnet18", "classes": ["indoor", "outdoor"], "indoor": [true, false], "preparation": {...},
"temperature": 1.4, "training": {...}, "state_dict": {...}}`.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import torch
from torchvision.models import ResNet, resnet18

from filters.indoor_engines import DEVIATION, MEAN
from filters.indoor_pictures import CROP_PX, SHORTER_SIDE_PX
from filters.indoor_scores import Scoring
from filters.places365 import CLASSES

if TYPE_CHECKING:
    from pathlib import Path

ARCH: Final = "resnet18"
"""The only architecture that is read; the checkpoint names its own under `arch`."""

PREFIX: Final = "module."
"""Left in the names of the public checkpoint by `torch.nn.DataParallel`."""

FORMAT: Final = "terrapair-indoor/1"
"""Stands under `format` in our own checkpoints."""

PREPARATION: Final = {
    "shorter_side_px": SHORTER_SIDE_PX,
    "crop_px": CROP_PX,
    "interpolation": "bilinear",
    "mean": list(MEAN),
    "deviation": list(DEVIATION),
}
"""How pictures are prepared for the networks that are read; our own checkpoints carry it."""

_UNREADABLE: Final = (
    RuntimeError, pickle.UnpicklingError, EOFError, ValueError, LookupError, TypeError,
    AttributeError, OverflowError, AssertionError, OSError, struct.error,
)  # fmt: skip
"""What `torch.load` raises on bytes that are no checkpoint: its two readers check little."""


class WeightsError(Exception):
    """The weights cannot be used; says what is wrong, where, and what to do."""


def bare_network(classes: int = len(CLASSES)) -> ResNet:
    """Returns a ResNet18 whose parameters are not set; no randomness is used."""
    with torch.device("meta"):
        network = resnet18(weights=None, num_classes=classes)
    return network.to_empty(device="cpu")


def read_checkpoint(data: bytes, path: Path) -> tuple[ResNet, Scoring, Mapping[str, Any]]:
    """Returns what a checkpoint holds.

    Args:
        data: The file's content.
        path: Where it came from, for messages.

    Returns:
        The network in eval mode on the CPU, what its outputs mean, and how it was trained (empty
        where the checkpoint does not say).

    Raises:
        WeightsError: If it is no checkpoint or holds another network.
    """
    content = _unpack(data, path)
    scoring = _scoring_of(content, path)
    state = _state_of(content, path, len(scoring.indoor))
    network = bare_network(len(scoring.indoor))
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise _unusable(path, f"its tensors are not those of a {ARCH}: {error}") from error
    training = content.get("training", {})
    return network.eval(), scoring, training if isinstance(training, Mapping) else {}


def own_checkpoint(
    network: ResNet, classes: tuple[str, ...], scoring: Scoring, training: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns a network in our own form, for `torch.save`.

    Args:
        network: A ResNet18.
        classes: Names of its outputs, in their order.
        scoring: What the outputs mean.
        training: How it was trained: plain numbers, texts, lists and mappings.
    """
    return {
        "format": FORMAT,
        "arch": ARCH,
        "classes": list(classes),
        "indoor": list(scoring.indoor),
        "preparation": PREPARATION,
        "temperature": scoring.temperature,
        "training": dict(training),
        "state_dict": {
            name: tensor.detach().clone().contiguous()
            for name, tensor in network.state_dict().items()
        },
    }


def save_checkpoint(checkpoint: Mapping[str, Any], path: Path) -> None:
    """Writes a checkpoint; equal checkpoints give equal bytes. The file appears whole or not."""
    buffer = io.BytesIO()
    torch.save(dict(checkpoint), buffer)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(buffer.getvalue())
    part.replace(path)


def _scoring_of(content: Mapping[Any, Any], path: Path) -> Scoring:
    """Returns what the outputs mean: our own checkpoints say, the public one has Places365's."""
    form = content.get("format")
    if form is None:
        return Scoring()
    if form != FORMAT:
        raise _unusable(path, f"its form is {form!r}, and this release reads {FORMAT!r}")
    if content.get("preparation") != PREPARATION:
        raise _unusable(path, "it wants pictures prepared in another way than this release does")
    classes, indoor, temperature = (
        content.get(key) for key in ("classes", "indoor", "temperature")
    )
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise _unusable(path, "its 'classes' are no list of names")
    if not isinstance(indoor, list) or not all(isinstance(one, bool) for one in indoor):
        raise _unusable(path, "its 'indoor' is no list of true and false")
    if len(indoor) != len(classes):
        raise _unusable(
            path, f"it has {len(classes)} classes, and says of {len(indoor)} what they are"
        )
    if not isinstance(temperature, float):
        raise _unusable(path, f"its 'temperature' is {temperature!r}")
    try:
        return Scoring(tuple(indoor), temperature)
    except ValueError as error:
        raise _unusable(path, str(error)) from error


def _unpack(data: bytes, path: Path) -> Mapping[Any, Any]:
    if data.lstrip()[:1] == b"<":
        raise _unusable(path, "it is a web page")
    try:
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        seen = str(error).partition("\n")[0].partition(". ")[0]  # then comes PyTorch's own advice
        why = f"it is cut off, or no PyTorch checkpoint of plain tensors ({seen})"
        raise _unusable(path, why) from error
    if not isinstance(content, Mapping):
        raise _unusable(path, f"it holds a {type(content).__name__}, not a checkpoint")
    return content


def _state_of(checkpoint: Mapping[Any, Any], path: Path, classes: int) -> dict[str, torch.Tensor]:
    """Returns the named tensors of a checkpoint, checked, without their prefix."""
    arch = checkpoint.get("arch")
    if arch != ARCH:
        raise _unusable(path, f"its architecture is {arch!r}, not {ARCH!r}")
    named = checkpoint.get("state_dict")
    if not isinstance(named, Mapping):
        raise _unusable(path, "it has no 'state_dict'")
    state: dict[str, torch.Tensor] = {}
    for name, value in named.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise _unusable(path, f"{name!r} in its 'state_dict' is no named tensor")
        if not bool(torch.isfinite(value).all()):
            raise _unusable(path, f"{name!r} holds numbers that are not finite")
        state[name.removeprefix(PREFIX)] = value
    outputs = state["fc.bias"].shape if "fc.bias" in state else ()
    if tuple(outputs) != (classes,):
        whose = "of Places365" if classes == len(CLASSES) else "that it names"
        why = f"its outputs are {tuple(outputs)}, not the {classes} classes {whose}"
        raise _unusable(path, why)
    return state


def _unusable(path: Path, why: str) -> WeightsError:
    return WeightsError(
        f"{path} cannot be used as indoor weights: {why}. "
        "Name another checkpoint; one that was downloaded is fetched again once it is deleted."
    )
