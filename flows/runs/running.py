"""A run from its first check to its published version, without orchestration."""

from __future__ import annotations

import json
import logging
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Literal

from shapely.geometry import MultiPolygon

from collectors.geo import boxes_of
from collectors.transport import Redaction
from flows.catalogue.blocks import checked_box
from flows.catalogue.catalogue import find_catalogue, load_catalogue
from flows.catalogue.regions import read_polygons, say_nothing
from flows.catalogue.text import CatalogueError
from flows.cells.services import open_services
from flows.planning.plan_files import compare, newest_plan, runs_since
from flows.planning.plan_keys import plan_key
from flows.products.block_list import check_no_open_request
from flows.products.tables import check_products
from flows.products.versions import read_version, settle_seed
from flows.publishing.publish import publish
from flows.publishing.splitting import check_splits
from flows.runs.building import SilentWatcher, Wish, check_window, collect_all, plan_orders
from flows.runs.cell_log import CellLog
from flows.runs.run_report import as_json
from flows.runs.runners import check_runner
from flows.settings import Settings, read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from flows.catalogue.catalogue import Catalogue
    from flows.cells.orders import Order, Summary
    from flows.cells.services import Services
    from flows.runs.building import Watcher
    from flows.runs.runners import RunnerName

    Submit = Callable[[Sequence[Order], Services, Watcher], list[Summary]]


class RunFailedError(Exception):
    """Some cells of a run failed; the others are done and published.

    Attributes:
        outcome: The run's outcome, as `flows.runs.run_report.as_json` gives it.
    """

    def __init__(self, outcome: dict[str, Any]) -> None:
        failed = outcome["cells"].get("failed", 0)
        cells = "1 cell" if failed == 1 else f"{failed:,} cells"
        super().__init__(f"{cells} failed; what is finished is kept, run again to go on")
        self.outcome = outcome


@dataclass(slots=True)
class Surroundings:
    """What a run is given besides its parameters; none of it may stand in a parameter.

    Attributes:
        settings: Keys, addresses and limits.
        watcher: Hears how it goes.
        now: What counts as now, UTC, aware: uploads after it are left for the next run.
        started: When the run really began, UTC, aware; names its record.
        clock: The time as it goes on, UTC, aware; a budget is a month's.
        interrupted: Set when whoever started the run stopped it.
        outcome: Set when the run is done: what it came to, as `flows.runs.run_report.as_json`
            gives it.
    """

    settings: Settings
    watcher: Watcher = field(default_factory=SilentWatcher)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    interrupted: bool = False
    outcome: dict[str, Any] | None = None


SURROUNDINGS: ContextVar[Surroundings | None] = ContextVar("surroundings", default=None)
"""Set by the command line; a Prefect worker leaves it, and the environment is read."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a run is asked to do, in plain values.

    Attributes:
        kind: The command.
        root: Where the dataset is.
        catalogue_path: The catalogue's file.
        since: First local day of capture; None for the catalogue's.
        until: Last local day of capture; None for the day of the run.
        cells: Take only so many cells of each region.
        seed: Seed of chance for a new dataset.
        accept_changed_rules: Go on in cells that other rules judged.
        regions: Names of regions (`build`; none means all of them).
        region: Name of one region (`backfill`).
        bbox: west, south, east, north in degrees (`backfill`).
        geojson: File of polygons (`backfill`).
        sensors: Sensors to pair with (`backfill`; none means the region's, else all).
        runner: Where cells are worked on.
        scheduler: Address of a Dask scheduler; None for that of the settings.
    """

    kind: Literal["build", "backfill"]
    root: str
    catalogue_path: Path | None = None
    since: date | None = None
    until: date | None = None
    cells: int | None = None
    seed: int | None = None
    accept_changed_rules: bool = False
    regions: tuple[str, ...] = ()
    region: str | None = None
    bbox: tuple[float, float, float, float] | None = None
    geojson: Path | None = None
    sensors: tuple[str, ...] = ()
    runner: RunnerName = "threads"
    scheduler: str | None = None


def run_task(task: Task, submit: Submit | None = None) -> dict[str, Any]:
    """Does what is asked, publishes, and writes the outcome down under `runs/`.

    Args:
        task: What is asked.
        submit: Runs the cells side by side; one after the other if it is left out.

    Returns:
        The outcome, as `flows.runs.run_report.as_json` gives it.

    Raises:
        CatalogueError: If the catalogue, the region or the window cannot be used.
        SetupError: If keys, logins, weights or the root are missing or wrong.
        RunFailedError: If some cells failed; the others are published.
        BudgetSpent: If nothing was left of the month's budget to begin with.
    """
    around = SURROUNDINGS.get() or Surroundings(read_settings())
    hide_secrets(around.settings.secrets)
    log = None
    if around.settings.log_json is not None:
        log = CellLog(around.watcher, around.settings.log_json, around.settings.secrets)
        around.watcher = log
    path = find_catalogue(task.catalogue_path)
    catalogue = load_catalogue(path)
    check_products(catalogue)
    wishes = wishes_of(task, catalogue, path.parent, around.watcher.line)
    services = open_services(
        around.settings, catalogue, task.root, tell=around.watcher.line, clock=around.clock
    )
    try:
        seed = settle_seed(services.store, task.seed)
        check_no_open_request(services.store)
        newest = read_version(services.store, revoked_too=True)
        check_splits(catalogue.splits, newest, task.root)
        orders = plan_orders(
            wishes,
            taken_from=task.since or catalogue.flickr.taken_since,
            taken_until=task.until or around.now.date(),
            now=around.now,
            seed=seed,
            cells=task.cells,
            accept_changed_rules=task.accept_changed_rules,
        )
        each = None
        if submit is not None:

            def each(orders: Sequence[Order]) -> list[Summary]:
                return submit(orders, services, around.watcher)

        summary = collect_all(orders, services, around.watcher, each)
        version, new = publish(services.store, catalogue, seed, around.watcher.line)
        outcome = as_json(summary, version, new=new, root=task.root)
        _set_beside_plan(outcome, plan_key(orders, catalogue, task.since, task.until), services)
        name = f"runs/{around.started:%Y%m%dT%H%M%S%f}-{task.kind}.json"
        services.store.create(name, json.dumps(outcome, indent=1).encode())
        around.outcome = outcome
        if log is not None:
            log.end(outcome)
    except KeyboardInterrupt:
        around.interrupted = True
        raise
    finally:
        services.close()
    if summary.cells["failed"]:
        raise RunFailedError(outcome)
    return outcome


def _set_beside_plan(outcome: dict[str, Any], key: str, services: Services) -> None:
    """Adds what was planned, where there is a plan, and what has come of it in all runs since."""
    outcome["plan_key"] = key
    plan = newest_plan(services.store, key)
    if plan is not None:
        outcome["planned"] = compare(plan, [*runs_since(services.store, plan), outcome])


def check_task(task: Task, settings: Settings) -> None:
    """Checks what can be checked without asking anybody, before anything is started.

    Raises:
        CatalogueError: If the catalogue, the region or the window cannot be used.
        SetupError: If a key, a project, a file with a login or Dask's scheduler is missing.
    """
    path = find_catalogue(task.catalogue_path)
    catalogue = load_catalogue(path)
    check_products(catalogue)
    wishes_of(task, catalogue, path.parent)
    check_window(task.since or catalogue.flickr.taken_since, task.until)
    check_runner(task.runner, task.scheduler, settings)
    settings.flickr_login()
    settings.earth_engine_project_name()
    settings.earth_engine_credentials()


def wishes_of(
    task: Task, catalogue: Catalogue, folder: Path, tell: Callable[[str], None] = say_nothing
) -> list[Wish]:
    """Returns the regions that are asked for; `tell` hears of polygons that had to be repaired.

    Raises:
        CatalogueError: If a region or a sensor is unknown, or not exactly one ground is given.
    """
    everything = tuple(catalogue.sensors)
    unknown = set(task.sensors) - set(everything)
    if unknown:
        raise CatalogueError(
            f"there is no sensor {', '.join(sorted(unknown))}; the catalogue has"
            f" {', '.join(everything)}"
        )
    if task.kind == "build":
        names = tuple(dict.fromkeys(task.regions or catalogue.regions))  # each once
    elif sum(one is not None for one in (task.region, task.bbox, task.geojson)) != 1:
        raise CatalogueError("give one ground: a region's name, a bbox, or a GeoJSON file")
    elif task.region is not None:
        names = (task.region,)
    else:
        return [_ad_hoc(task, everything, tell)]
    return [
        Wish(
            name,
            catalogue.polygons(name, folder, tell),
            task.sensors or catalogue.regions[name].sensors or everything,
        )
        for name in names
    ]


def _ad_hoc(task: Task, everything: tuple[str, ...], tell: Callable[[str], None]) -> Wish:
    sensors = task.sensors or everything
    if task.geojson is not None:
        return Wish(task.geojson.stem, read_polygons(task.geojson, tell), sensors)
    assert task.bbox is not None  # noqa: S101 - one of the two is given
    try:
        boxes = [box.polygon() for box in boxes_of(*checked_box(task.bbox))]
    except ValueError as error:
        raise CatalogueError(f"bbox: {error}") from None
    return Wish("bbox", boxes[0] if len(boxes) == 1 else MultiPolygon(boxes), sensors)


def hide_secrets(secrets: Sequence[str]) -> None:
    """Keeps keys out of everything that is logged from here on."""
    redaction = Redaction(secrets)
    loggers = [logging.getLogger(), *map(logging.getLogger, list(logging.root.manager.loggerDict))]
    for logger in loggers:
        for handler in logger.handlers:
            if not any(isinstance(one, Redaction) for one in handler.filters):
                handler.addFilter(redaction)
