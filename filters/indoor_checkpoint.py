"""The form of a Places365 checkpoint, read so that nothing in it can run code.

`{"arch": "resnet18", "state_dict": {"module.conv1.weight": tensor, ...}, ...}`, in PyTorch's old
or new file layout; the prefix `module.` is there in the public file and may be missing.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import torch
from torchvision.models import ResNet, resnet18

from filters.places365 import CLASSES

if TYPE_CHECKING:
    from pathlib import Path

ARCH: Final = "resnet18"
"""The only architecture that is read; the checkpoint names its own under `arch`."""

PREFIX: Final = "module."
"""Left in the names of the public checkpoint by `torch.nn.DataParallel`."""

_UNREADABLE: Final = (
    RuntimeError, pickle.UnpicklingError, EOFError, ValueError, LookupError, TypeError,
    AttributeError, OverflowError, AssertionError, OSError, struct.error,
)  # fmt: skip
"""What `torch.load` raises on bytes that are no checkpoint: its two readers check little."""


class WeightsError(Exception):
    """The weights cannot be used; says what is wrong, where, and what to do."""


def bare_network() -> ResNet:
    """Returns a ResNet18 with 365 outputs whose parameters are not set; no randomness is used."""
    with torch.device("meta"):
        network = resnet18(weights=None, num_classes=len(CLASSES))
    return network.to_empty(device="cpu")


def read_checkpoint(data: bytes, path: Path) -> ResNet:
    """Returns the network that a checkpoint holds, in eval mode, on the CPU.

    Args:
        data: The file's content.
        path: Where it came from, for messages.

    Raises:
        WeightsError: If it is no checkpoint or holds another network.
    """
    state = _state_of(_unpack(data, path), path)
    network = bare_network()
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise _unusable(path, f"its tensors are not those of a {ARCH}: {error}") from error
    return network.eval()


def _unpack(data: bytes, path: Path) -> Mapping[Any, Any]:
    if data.lstrip()[:1] == b"<":
        raise _unusable(path, "it is a web page")
    try:
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        first_line = str(error).partition("\n")[0]
        why = f"it is cut off, or no PyTorch checkpoint of plain tensors ({first_line})"
        raise _unusable(path, why) from error
    if not isinstance(content, Mapping):
        raise _unusable(path, f"it holds a {type(content).__name__}, not a checkpoint")
    return content


def _state_of(checkpoint: Mapping[Any, Any], path: Path) -> dict[str, torch.Tensor]:
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
    if tuple(outputs) != (len(CLASSES),):
        why = f"its outputs are {tuple(outputs)}, not the {len(CLASSES)} classes of Places365"
        raise _unusable(path, why)
    return state


def _unusable(path: Path, why: str) -> WeightsError:
    return WeightsError(
        f"{path} cannot be used as indoor weights: {why}. "
        "Delete the file so that it is fetched again, or name another checkpoint."
    )
