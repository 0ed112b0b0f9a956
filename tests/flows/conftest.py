"""A sandbox with weights, and datasets built against it, shared by the tests of the flows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from filelock import FileLock

from collectors.sandbox import Sandbox
from flows.demo import make_weights
from flows.runs.building import SilentWatcher
from tests.flows.reports import Reported, make_hostile, write
from tests.flows.runs import Run, small_catalogue
from tests.flows.small_worlds import shrink

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


KEPT_BYTES = 2**30

FITTED: Final = {"count": 320, "steps": 60}
"""A third of the demo's effort: a few more photos are misjudged, the same ones in every build."""


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder that all workers of a run have in common."""
    folder = tmp_path_factory.getbasetemp()
    return folder if worker_id == "master" else folder.parent


@pytest.fixture(scope="session")
def weights(shared: Path) -> Path:
    """Weights of the indoor filter that suit the sandbox's pictures, fitted once for a run."""
    with FileLock(shared / "weights.lock"):
        return make_weights(shared / "weights.pth.tar", SilentWatcher(), **FITTED)


@pytest.fixture(scope="session")
def sandbox(weights: Path) -> Iterator[Sandbox]:
    """Both services on loopback."""
    with Sandbox(seed=3, weights=weights, keep_bytes=KEPT_BYTES) as box:
        yield box


@pytest.fixture(scope="session")
def run(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs builds against the sandbox, one cell after the other, without Prefect."""
    folder = tmp_path_factory.mktemp("run")
    return Run(sandbox, small_catalogue(folder / "data_catalog.yaml"), folder / "cache")


@pytest.fixture(scope="session")
def quick(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same with a third of the photos, and chips of an eighth of the pixels."""
    folder = tmp_path_factory.mktemp("quick")
    catalogue = small_catalogue(folder / "data_catalog.yaml", shrink, quota=8)
    return Run(run.sandbox, catalogue, run.cache)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue of a few photos a cell and small chips, for builds that are made many times."""
    return small_catalogue(tmp_path_factory.mktemp("tiny") / "tiny.yaml", shrink, quota=6)


@pytest.fixture(scope="session")
def built(run: Run, shared: Path) -> Path:
    """A dataset of both sensors in two cells, and of Sentinel-2 in others. Not to be changed.

    The worker that asks first builds it for all.
    """
    root = shared / "built" / "dataset"
    with FileLock(shared / "built.lock"):
        if not root.exists():
            making = shared / "building" / "dataset"
            run.build(making)
            making.parent.rename(root.parent)
    return root


@pytest.fixture(scope="session")
def reported(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Reported:
    """A report on a dataset with hostile titles and a few wrong checksums. Not to be changed."""
    folder = tmp_path_factory.mktemp("reported")
    make_hostile(built, folder / "dataset")
    return Reported(folder / "dataset", write(folder / "dataset", folder / "report"))
