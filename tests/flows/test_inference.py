"""A dataset's engine and weights are fixed by its first build."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from collectors.storage import open_store
from collectors.transport import SetupError
from flows.cells.cell import _check_rules
from flows.cells.inference import INFERENCE, Inference, settle_inference
from flows.cells.state import CellState

if TYPE_CHECKING:
    from pathlib import Path

    from collectors.storage import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty dataset."""
    return open_store(str(tmp_path / "dataset"))


def never() -> str:
    """Stands in for the choice where none may be made."""
    raise AssertionError


def test_first_build_chooses_and_all_others_follow(store: Store) -> None:
    """A second machine neither measures nor decides, whatever its own best engine is."""
    first = settle_inference(store, "auto", "a" * 64, lambda: "bfloat16")
    assert first == Inference("bfloat16", "a" * 64)
    assert settle_inference(store, "auto", "b" * 64, never) == first
    assert settle_inference(store, "bfloat16", "a" * 64, never) == first


def test_another_engine_is_refused(store: Store) -> None:
    """With both names and what to do."""
    settle_inference(store, "channels_last", "a" * 64, never)
    with pytest.raises(SetupError, match=r"engine channels_last, not onnx.*INDOOR_ENGINE"):
        settle_inference(store, "onnx", "a" * 64, never)


def test_of_two_that_begin_at_once_one_is_followed(store: Store) -> None:
    """The other writes first while this one still measures."""

    def measure() -> str:
        settle_inference(store, "eager", "a" * 64, never)
        return "bfloat16"

    assert settle_inference(store, "auto", "a" * 64, measure).engine == "eager"


def test_an_earlier_datasets_commits_say_it(store: Store) -> None:
    """Datasets that have no record of it were judged as their commits say."""
    commit = {"engine": {"engine": "eager"}, "weights": "c" * 64}
    store.create("cells/r001c001/000001.json", json.dumps(commit).encode())
    assert settle_inference(store, "auto", "a" * 64, never) == Inference("eager", "c" * 64)


def test_an_unknown_engine_is_not_another_one(store: Store) -> None:
    """A dataset of a later release is left alone."""
    store.create(INFERENCE, json.dumps({"engine": "quantum", "weights": "a"}).encode())
    with pytest.raises(SetupError, match="quantum"):
        settle_inference(store, "auto", "a" * 64, never)


def test_other_weights_stop_a_cell_that_nobody_has_begun() -> None:
    """The dataset's first weights hold for all its cells, unless told to go on."""
    order = SimpleNamespace(cell_id="r001c001", accept_changed_rules=False)
    catalogue = SimpleNamespace(judgement="j")
    services = SimpleNamespace(weights="b" * 64, first_weights="a" * 64, catalogue=catalogue)
    empty = CellState("r001c001")
    with pytest.raises(SetupError, match=r"dataset's photos.*aaaaaaaaaaaa"):
        _check_rules(empty, order, services)
    _check_rules(empty, SimpleNamespace(accept_changed_rules=True), services)
    services.first_weights = services.weights
    _check_rules(empty, order, services)
