"""The engines against the reference, and the choice among them."""

from __future__ import annotations

import importlib.util

import pytest
import torch

from filters import indoor_engines
from filters.indoor_beginning import random_network
from filters.indoor_engines import (
    ENGINES,
    Choice,
    EngineUnavailableError,
    choose_engine,
    missing,
    open_engine,
)

CPU = ("channels_last", "bfloat16")


def sharp_network(seed: int = 7) -> torch.nn.Module:
    """Returns a random network that is sure of its answers, as trained ones are."""
    network = random_network(seed)
    with torch.no_grad():
        network.fc.weight.mul_(20)
    return network.eval()


def classes_by(engine: str) -> torch.Tensor:
    """Returns the softmax of one batch."""
    with torch.inference_mode():
        return torch.softmax(open_engine(engine, sharp_network())(indoor_engines._made_up()), dim=1)


@pytest.mark.parametrize(
    ("engine", "limit"), [("channels_last", 1e-5), ("mixed", 0.02), ("bfloat16", 0.02)]
)
def test_engines_agree_with_the_reference(engine: str, limit: float) -> None:
    """Float32 to rounding; bfloat16 within what is promised, and not by being float32."""
    difference = float((classes_by(engine) - classes_by("eager")).abs().sum(dim=1).max()) / 2
    assert 0 < difference <= limit


def test_onnx_agrees_where_it_is_installed_and_is_refused_where_not() -> None:
    """Either the same numbers, or an error that says what to install."""
    if importlib.util.find_spec("onnxruntime") is None:
        with pytest.raises(EngineUnavailableError, match=r"terrapair\[onnx\]"):
            open_engine("onnx", sharp_network())
        return
    assert float((classes_by("onnx") - classes_by("eager")).abs().max()) <= 1e-5


def test_the_network_itself_is_not_changed() -> None:
    """Folding works on a copy: two engines can be opened from one network."""
    network = sharp_network()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    for engine in CPU:
        open_engine(engine, network)
    after = network.state_dict()
    assert list(before) == list(after)
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


def test_what_a_machine_lacks_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """No GPU, no compiler, no library: each a clear error."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(indoor_engines.shutil, "which", lambda _name: None)
    monkeypatch.setattr(indoor_engines.importlib.util, "find_spec", lambda _name: None)
    for engine, why in {"cuda": "GPU", "compiled": "compiler", "onnx": "onnxruntime"}.items():
        assert why in missing(engine)
        with pytest.raises(EngineUnavailableError, match=why):
            open_engine(engine, sharp_network())


def test_quickest_is_chosen_with_a_margin(monkeypatch: pytest.MonkeyPatch) -> None:
    """A near-tie goes to the more exact engine; a GPU to itself."""
    speeds = {"channels_last": 10.0, "bfloat16": 9.5}
    monkeypatch.setattr(indoor_engines, "_measure", lambda runs: {e: speeds[e] for e in runs})
    monkeypatch.setattr(indoor_engines, "MEASURED", CPU)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_engine(sharp_network()) == Choice("channels_last", speeds, {})
    speeds["bfloat16"] = 5.0
    assert choose_engine(sharp_network()).engine == "bfloat16"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_engine(sharp_network()).engine == "cuda"


def test_an_engine_that_judges_differently_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However quick it is."""
    speeds = {"channels_last": 10.0, "bfloat16": 1.0}
    monkeypatch.setattr(indoor_engines, "_measure", lambda runs: {e: speeds[e] for e in runs})
    monkeypatch.setattr(indoor_engines, "MEASURED", CPU)
    monkeypatch.setattr(indoor_engines, "TOLERANCE", 1e-4)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    choice = choose_engine(sharp_network())
    assert choice.engine == "channels_last"
    assert "differ" in choice.passed_over["bfloat16"]


def test_settings_name_the_same_engines() -> None:
    """The setting's list, which is written without PyTorch, is this one and `auto`."""
    from typing import get_args

    from flows.settings import WantedEngine

    assert set(get_args(WantedEngine)) == {*ENGINES, "auto"}
