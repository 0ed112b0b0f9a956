"""The Prefect flows: `build` for the catalogue's regions, `backfill` for an ad-hoc one.

Kept thin: decorators over `flows.runs.running`, which runs without them. A task is a cell.
"""

# Prefect reads the annotations of a flow when it is made, so they are not postponed, and what they
# name is imported for real.
from datetime import date
from pathlib import Path
from typing import Any

from prefect import flow

from flows.runs.cell_tasks import run_as_tasks
from flows.runs.runners import RunnerName
from flows.runs.running import Task


@flow(name="build")
def build(
    root: str,
    regions: list[str] | None = None,
    catalog: Path | None = None,
    since: date | None = None,
    until: date | None = None,
    cells: int | None = None,
    seed: int | None = None,
    accept_changed_rules: bool = False,
    runner: RunnerName = "threads",
    scheduler: str | None = None,
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
        runner: Where cells are worked on: threads of this process, or the workers of Dask.
        scheduler: Address of a Dask scheduler; TERRAPAIR_DASK_SCHEDULER by default.

    Returns:
        The outcome, as `flows.runs.run_report.as_json` gives it.
    """
    return run_as_tasks(
        Task(
            "build", root, catalog, since, until, cells, seed, accept_changed_rules,
            regions=tuple(regions or ()), runner=runner, scheduler=scheduler,
        )
    )  # fmt: skip


@flow(name="backfill")
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
    runner: RunnerName = "threads",
    scheduler: str | None = None,
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
        runner: Where cells are worked on: threads of this process, or the workers of Dask.
        scheduler: Address of a Dask scheduler; TERRAPAIR_DASK_SCHEDULER by default.

    Returns:
        The outcome, as `flows.runs.run_report.as_json` gives it.
    """
    return run_as_tasks(
        Task(
            "backfill", root, catalog, since, until, cells, seed, accept_changed_rules,
            region=region, bbox=bbox, geojson=geojson, sensors=tuple(sensors or ()),
            runner=runner, scheduler=scheduler,
        )
    )  # fmt: skip
