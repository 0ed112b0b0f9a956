"""The Prefect flows: `build` for the catalogue's regions, `backfill` for an ad-hoc one.

Kept thin: decorators over `flows.running`, which runs without them. A task is a cell.
"""

# Prefect reads the annotations of a flow when it is made, so they are not postponed, and what they
# name is imported for real.
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect import flow, task, unmapped
from prefect.cache_policies import NO_CACHE
from prefect.task_runners import ThreadPoolTaskRunner

from flows.building import collect_guarded
from flows.running import Task, run_task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flows.building import Watcher
    from flows.orders import Order, Summary
    from flows.services import Services


CELLS_SIDE_BY_SIDE: Any = ThreadPoolTaskRunner(max_workers=4)
"""Enough to keep Flickr, the CPU and Earth Engine busy with different cells at once."""


@task(name="cell", task_run_name="cell-{order.cell_id}", cache_policy=NO_CACHE, retries=0)
def collect_cell_task(order: Any, services: Any, watcher: Any) -> Any:
    """Collects one cell; see `flows.building.collect_guarded`."""
    return collect_guarded(order, services, watcher)


def submit_cells(
    orders: "Sequence[Order]", services: "Services", watcher: "Watcher"
) -> "list[Summary]":
    """Runs each cell as a task on the flow's runner and waits for all of them.

    Raises:
        SetupError: The first one, once every cell that had begun is done.
    """
    futures = collect_cell_task.map(list(orders), unmapped(services), unmapped(watcher))
    for future in futures:
        future.wait()
    return [future.result() for future in futures]


@flow(name="build", task_runner=CELLS_SIDE_BY_SIDE)
def build(
    root: str,
    regions: list[str] | None = None,
    catalog: Path | None = None,
    since: date | None = None,
    until: date | None = None,
    cells: int | None = None,
    seed: int | None = None,
    accept_changed_rules: bool = False,
) -> dict[str, Any]:
    """Builds, or brings up to date, the regions of the catalogue.

    Args:
        root: Where the dataset is: a path, s3://… or gs://….
        regions: Names of regions; all of the catalogue's by default.
        catalog: The catalogue; data_catalog.yaml by default.
        since: First local day of capture; the catalogue's `taken_since` by default.
        until: Last local day of capture; today by default.
        cells: Take only so many cells of each region.
        seed: Seed of chance for a new dataset.
        accept_changed_rules: Go on in cells that other rules judged.

    Returns:
        The outcome, as `flows.run_report.as_json` gives it.
    """
    return run_task(
        Task(
            "build", root, catalog, since, until, cells, seed, accept_changed_rules,
            regions=tuple(regions or ()),
        ),
        submit_cells,
    )  # fmt: skip


@flow(name="backfill", task_runner=CELLS_SIDE_BY_SIDE)
def backfill(
    root: str,
    region: str | None = None,
    bbox: tuple[float, float, float, float] | None = None,
    geojson: Path | None = None,
    catalog: Path | None = None,
    since: date | None = None,
    until: date | None = None,
    sensors: list[str] | None = None,
    cells: int | None = None,
    seed: int | None = None,
    accept_changed_rules: bool = False,
) -> dict[str, Any]:
    """Collects an ad-hoc region into the same dataset: exactly one of region, bbox and geojson.

    Args:
        root: Where the dataset is.
        region: A region of the catalogue.
        bbox: west, south, east, north in degrees.
        geojson: A file of polygons.
        catalog: The catalogue.
        since: First local day of capture.
        until: Last local day of capture.
        sensors: Pair with these sensors; the region's, or all, by default.
        cells: Take only so many cells.
        seed: Seed of chance for a new dataset.
        accept_changed_rules: Go on in cells that other rules judged.

    Returns:
        The outcome, as `flows.run_report.as_json` gives it.
    """
    return run_task(
        Task(
            "backfill", root, catalog, since, until, cells, seed, accept_changed_rules,
            region=region, bbox=bbox, geojson=geojson, sensors=tuple(sensors or ()),
        ),
        submit_cells,
    )  # fmt: skip
