"""The command `plan`."""

from __future__ import annotations

import contextlib
import json
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Optional

import typer
from rich.console import Console

from flows.commands.console import (
    WRONG_USE,
    AsJson,
    CatalogFile,
    Root,
    local_path,
    plain_errors,
    stop,
)
from flows.commands.display import showing
from flows.commands.order_options import (
    Box,
    Cells,
    Polygons,
    Region,
    Regions,
    Seed,
    Sensors,
    Since,
    Until,
    day_of,
)

if TYPE_CHECKING:
    from collectors.storage import Store
    from flows.runs.running import Task

PROBES: Final = 6
"""Groups of cells that a plan looks at, unless told otherwise."""


def plan(
    regions: Regions = None,
    root: Root = "dataset",
    region: Region = None,
    bbox: Box = None,
    geojson: Polygons = None,
    since: Since = None,
    until: Until = None,
    sensor: Sensors = None,
    catalog: CatalogFile = None,
    cells: Cells = None,
    seed: Seed = None,
    probes: Annotated[
        int, typer.Option(min=1, help="Groups of cells to look at, with up to 3 searches each.")
    ] = PROBES,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask nobody: from the dataset, else from assumptions.")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the plan even where no dataset is yet.")
    ] = False,
    compare: Annotated[
        bool, typer.Option("--compare", help="Show what came of the newest plan, and make none.")
    ] = False,
    map_file: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "--map",
            parser=local_path,
            metavar="FILE",
            help="Write the cells with figures, as GeoJSON.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Says what a build or backfill would bring and take, with a map, before anything is started.

    It takes the arguments of both. A few searches, photos and scenes are looked at, and nothing of
    them is stored; a dataset at the root speaks for itself. Figures are low, likely and high.

    Example: `terrapair plan bay-area --since 2020-01-01 --root s3://bucket/terrapair`
    """
    with plain_errors():
        if compare:
            given = (regions, region, bbox, geojson, since, until, sensor, catalog, cells, map_file)
            if any(given) or seed is not None or offline or keep or probes != PROBES:
                stop("--compare makes no plan: beside it stand --root and --json alone", WRONG_USE)
            _compare(root, as_json=as_json)
            return
        if sum(one is not None for one in (regions or None, region, bbox, geojson)) > 1:
            stop("give one of REGION…, --region NAME, --bbox W S E N and --geojson FILE", WRONG_USE)
        if map_file is not None and not map_file.parent.is_dir():
            stop(f"{map_file}: there is no folder {map_file.parent}", WRONG_USE)
        from flows.runs.running import Task

        ad_hoc = any(one is not None for one in (region, bbox, geojson))
        task = Task(
            "backfill" if ad_hoc else "build", root, catalog, day_of(since), day_of(until), cells,
            seed, regions=tuple(regions or ()), region=region, bbox=bbox, geojson=geojson,
            sensors=tuple(sensor or ()),
        )  # fmt: skip
        if sensor and not ad_hoc:
            stop("--sensor goes with --region, --bbox or --geojson, as for backfill", WRONG_USE)
        made, kept = _make(task, probes=probes, offline=offline, keep=keep)
        if map_file is not None:
            from flows.planning.plan_view import as_geojson

            map_file.write_text(json.dumps(as_geojson(made), indent=1), encoding="utf-8")
        if as_json:
            typer.echo(json.dumps({**made, "kept": kept, "start": start_of(task)}, indent=1))
            return
        from flows.planning.plan_view import show_plan

        console = Console()
        show_plan(console, made)
        if kept:
            console.print(f"kept: {kept}", highlight=False, soft_wrap=True)
        else:
            console.print(
                f"not kept: there is no dataset at {root} yet; with --keep it is, and the build"
                " says what came of it",
                highlight=False, markup=False, soft_wrap=True,
            )  # fmt: skip
        console.print(f"Start it:  {start_of(task)}", highlight=False, markup=False, soft_wrap=True)


def _make(
    task: Task, *, probes: int, offline: bool, keep: bool
) -> tuple[dict[str, Any], str | None]:
    """Makes the plan and keeps it where it can be kept."""
    from collectors.storage import open_store
    from flows.catalogue.catalogue import find_catalogue, load_catalogue
    from flows.limits.budgets import monthly_requests, read_spending
    from flows.planning.miniature import Question
    from flows.planning.opening import find_dataset, open_orders, opened, seed_of
    from flows.planning.plan_files import last_run, write_plan
    from flows.planning.planning import make_plan
    from flows.runs.building import plan_orders
    from flows.runs.running import wishes_of
    from flows.settings import read_settings

    console = Console(stderr=True)

    def line(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    settings, now = read_settings(), datetime.now(UTC)
    path = find_catalogue(task.catalogue_path)
    catalogue = load_catalogue(path)
    wishes = wishes_of(task, catalogue, path.parent, line)
    store = find_dataset(task.root, settings)
    seed = seed_of(store, task.seed)
    orders = plan_orders(
        wishes, taken_from=task.since or catalogue.flickr.taken_since,
        taken_until=task.until or now.date(), now=now, seed=seed, cells=task.cells,
    )  # fmt: skip
    left_over = open_orders(orders, catalogue, store, line)
    question = Question(orders, left_over, task.since, task.until, seed, probes)
    allowed = monthly_requests(settings)
    spent = read_spending(store, now).used if store is not None and allowed else 0
    with contextlib.ExitStack() as stack:
        progress = stack.enter_context(showing(console))
        outside = None
        if not offline and left_over:
            outside = stack.enter_context(
                opened(settings, catalogue, store, allowed, lambda: datetime.now(UTC), line)
            )
        made = make_plan(
            question, catalogue, settings, store=store, outside=outside, allowed=allowed,
            left=None if allowed is None else max(0, allowed - spent), progress=progress,
        )  # fmt: skip
    made["after_run"] = "" if store is None else last_run(store)
    if store is None and keep:
        store = open_store(task.root, patience_s=settings.patience_seconds)
    return made, None if store is None else store.uri(write_plan(store, made))


def _compare(root: str, *, as_json: bool) -> None:
    """Shows what came of a dataset's newest plan."""
    from flows.planning.plan_files import compare, newest_plan, runs_since
    from flows.planning.plan_view import show_comparison

    store = _readable(root)
    found = None if store is None else newest_plan(store)
    if store is None or found is None:
        stop(f"no plan is kept at {root}; `terrapair plan --root {root}` makes one", WRONG_USE)
    compared = compare(found, runs_since(store, found))
    if as_json:
        typer.echo(json.dumps(compared, indent=1))
    elif not compared["runs"]:
        stop(f"nothing was built since the newest plan at {root} was made", 0)
    else:
        show_comparison(Console(), compared)


def _readable(root: str) -> Store | None:
    from collectors.storage import open_store

    if "://" not in root and not Path(root).expanduser().is_dir():
        return None
    return open_store(root, writable=False)


def start_of(task: Task) -> str:
    """Returns the command that does what was planned, as a shell takes it."""
    words = ["terrapair", task.kind, *task.regions]
    given: dict[str, object] = {
        "--region": task.region, "--geojson": task.geojson, "--since": task.since,
        "--until": task.until, "--catalog": task.catalogue_path, "--cells": task.cells,
        "--seed": task.seed, "--root": task.root,
    }  # fmt: skip
    if task.bbox is not None:
        words += ["--bbox", *(f"{edge:g}" if float(f"{edge:g}") == edge else repr(edge)
                              for edge in task.bbox)]  # fmt: skip
    for sensor in task.sensors:
        words += ["--sensor", sensor]
    for name, value in given.items():
        if value is not None:
            words += [name, str(value)]
    return shlex.join(words)
