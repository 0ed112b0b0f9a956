"""What judges a dataset's photos: engine and weights, fixed by the first build for all machines."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, get_args

from collectors.storage import Missing
from collectors.transport import SetupError
from filters.indoor_engines import Engine
from flows.cells.state import latest_generations, read_commit

if TYPE_CHECKING:
    from collections.abc import Callable

    from collectors.storage import Store
    from flows.settings import WantedEngine

INFERENCE: Final = "inference.json"
"""Created exclusively by the first build; each commit and each manifest repeats what it says."""


@dataclass(frozen=True, slots=True)
class Inference:
    """What a dataset was begun with.

    Attributes:
        engine: How the indoor filter's network is run.
        weights_sha256: Hex digest of its weights.
    """

    engine: Engine
    weights_sha256: str


def settle_inference(
    store: Store, wanted: WantedEngine, weights_sha256: str, choose: Callable[[], Engine]
) -> Inference:
    """Returns what judges a dataset's photos, writing it down with the first build.

    Photos judged by another engine would be judged a little differently, so a second machine takes
    the engine of the first, or does not take part.

    Args:
        store: The dataset.
        wanted: The engine that is set; "auto" for the dataset's own, or the best for a new one.
        weights_sha256: Of the weights that are there, for a new dataset.
        choose: Finds the best engine that this machine offers.

    Raises:
        SetupError: If another engine is wanted than the dataset has.
    """
    found = _find(store)
    if found is None:
        begun = Inference(choose() if wanted == "auto" else wanted, weights_sha256)
        record = {"schema": "terrapair/1", "engine": begun.engine, "weights": weights_sha256}
        if store.create(INFERENCE, json.dumps(record).encode()):
            return begun
        found = _find(store)
        assert found is not None  # noqa: S101 - another build has just written it
    if wanted not in {"auto", found.engine}:
        raise SetupError(
            store.root,
            f"this dataset's photos are judged with the engine {found.engine}, not {wanted}.",
            "Leave TERRAPAIR_INDOOR_ENGINE away, or begin another dataset under another root.",
        )
    return found


def _find(store: Store) -> Inference | None:
    """Returns what is written down; for a dataset of an earlier release, what a commit says."""
    try:
        record = json.loads(store.read(INFERENCE))
        name, weights = str(record["engine"]), str(record["weights"])
    except Missing:
        latest = latest_generations(store)
        if not latest:
            return None
        commit = read_commit(store, min(latest), 1)
        name, weights = str(commit["engine"]["engine"]), str(commit["weights"])
    for engine in get_args(Engine):
        if engine == name:
            return Inference(engine, weights)
    raise SetupError(
        store.root,
        f"its photos are judged with the engine {name!r}, which this release does not have.",
        "Use the release that began it, or another root.",
    )
