"""The temperature that makes a network as sure as it is right."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from filters.indoor_calibration import TEMPERATURES, fit_temperature

STEP = float(TEMPERATURES[1] / TEMPERATURES[0])


def overconfident(factor: float, seed: int) -> tuple[torch.Tensor, np.ndarray]:
    """Returns outputs whose margins are `factor` times what the labels bear out."""
    chance = np.random.default_rng(seed)
    margins = chance.normal(0, 2, 4000)
    indoor = chance.random(4000) < 1 / (1 + np.exp(-margins))
    outputs = torch.from_numpy(np.column_stack([margins, np.zeros(4000)]) * factor).float()
    return outputs, indoor


@pytest.mark.parametrize("factor", [0.7, 1.0, 3.0])
def test_the_temperature_is_that_of_least_cross_entropy(factor: float) -> None:
    """It is the nearest on its scale to what a general minimiser finds, balanced over the kinds."""
    outputs, indoor = overconfident(factor, 5)
    margins = (outputs[:, 0] - outputs[:, 1]).numpy().astype(float)

    def loss(temperature: float) -> float:
        right = 1 / (1 + np.exp(-np.where(indoor, margins, -margins) / temperature))
        return -(np.log(right[indoor]).mean() + np.log(right[~indoor]).mean())

    best = minimize_scalar(loss, bounds=(0.5, 10), method="bounded", options={"xatol": 1e-6}).x
    found = fit_temperature(outputs, indoor)
    assert best / STEP < found < best * STEP


def test_a_network_that_is_right_on_all_is_not_made_certain() -> None:
    """The least temperature that is tried bounds how sure a small part can make it."""
    outputs = torch.tensor([[4.0, 0.0], [0.0, 4.0]])
    assert fit_temperature(outputs, np.array([True, False])) == TEMPERATURES[0]
