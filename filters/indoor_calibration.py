"""How sure a network may be: its temperature, found on pictures that it did not learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from torch.nn import functional

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

TEMPERATURES: Final = np.geomspace(0.5, 10.0, 200)
"""What is tried. Below, a network that is right on a small part would be made certain of all."""


def fit_temperature(outputs: torch.Tensor, indoor: NDArray[np.bool_]) -> float:
    """Returns the temperature of the least cross entropy (Guo et al., ICML 2017).

    Args:
        outputs: (pictures, 2), the first for indoors.
        indoor: (pictures,), what they are. Each kind counts as much as the other.
    """
    margins = (outputs[:, 0] - outputs[:, 1]).double()
    signed = margins.clone()
    signed[~np.asarray(indoor)] *= -1
    kinds = (np.asarray(indoor), ~np.asarray(indoor))
    losses = []
    for temperature in TEMPERATURES:
        wrong = functional.softplus(-signed / temperature).numpy()
        losses.append(np.mean([wrong[kind].mean() for kind in kinds if kind.any()]))
    return float(TEMPERATURES[int(np.argmin(losses))])
