"""What the tests of the indoor filter share; PyTorch is imported only where it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from filters.indoor_weights import Weights


@pytest.fixture(scope="session")
def checkpoint() -> dict[str, object]:
    """A checkpoint in the public format, with random weights and the public file's age.

    The public file was written before batch normalisation counted its batches.
    """
    from filters.indoor_beginning import random_network

    state = random_network(7).state_dict()
    named = {
        f"module.{name}": tensor
        for name, tensor in state.items()
        if not name.endswith("num_batches_tracked")
    }
    return {"epoch": 90, "arch": "resnet18", "state_dict": named, "best_prec1": 54.2}


@pytest.fixture(scope="session")
def checkpoint_file(
    checkpoint: dict[str, object], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """That checkpoint in PyTorch's old file layout, the public file's."""
    import torch

    path = tmp_path_factory.mktemp("weights") / "old_layout.pth.tar"
    torch.save(checkpoint, path, _use_new_zipfile_serialization=False)
    return path


@pytest.fixture(scope="session")
def weights() -> Weights:
    """A network with random weights, calibrated on nothing."""
    from filters.indoor_beginning import random_network
    from filters.indoor_weights import Weights

    return Weights(random_network(7).eval(), "0" * 64)
