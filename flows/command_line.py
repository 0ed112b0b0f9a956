"""The command line `terrapair`. Heavy libraries are imported by the commands that need them."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from importlib.metadata import version as release_of
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Optional

import typer

from flows.commands import (
    catalog,
    describing,
    export,
    indoor,
    looking,
    plan,
    render,
    report,
    search,
    series,
    upkeep,
)
from flows.commands.console import (
    WRONG_USE,
    AsJson,
    CatalogFile,
    Root,
    finish,
    local_path,
    plain_errors,
    reporting,
    stop,
)
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
from flows.prefect_runs import run_with_prefect as _run_with_prefect

if TYPE_CHECKING:
    from flows.runs.running import Task

app = typer.Typer(
    name="terrapair",
    help=(
        "Builds, and keeps up to date, a dataset that pairs photos taken on the ground with"
        " satellite chips of the same place and time.\n\n"
        "Begin with `terrapair demo`, which needs no keys. `terrapair doctor` says what a real run"
        " still needs."
    ),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
Photos = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(
        help="Parquet or CSV of photos to find instead of made-up ones: photo_id, owner, lat,"
        " lon, date_taken, accuracy; optional licence, title, tags, indoor."
    ),
]
Scenes = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(help="Parquet file, or folder of them, with scenes instead of made-up ones."),
]
Awkward = Annotated[
    float,
    typer.Option(
        min=0, max=1, metavar="SHARE",
        help="Share of photos with a broken, odd or hostile file or title, and of places that one"
        " owner floods.",
    ),
]  # fmt: skip
FaultPlan = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(
        "--faults", metavar="FILE",
        help="JSON of what is to go wrong at the services, and how often; the form is in"
        " collectors/sandbox/README.md.",
    ),
]  # fmt: skip
Changed = Annotated[
    bool,
    typer.Option("--accept-changed-rules", help="Go on in cells that were judged by other rules."),
]
Runner = Annotated[
    Literal["threads", "dask"],
    typer.Option(help="Where cells are worked on: threads here, or the workers of Dask."),
]
Scheduler = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        metavar="ADDRESS",
        help="Dask's scheduler, such as tcp://host:8786; TERRAPAIR_DASK_SCHEDULER by default.",
    ),
]


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(f"terrapair {release_of('terrapair')}")
        raise typer.Exit


@app.callback()
def begin(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_tell_version, is_eager=True, help="Print the release and end."
        ),
    ] = False,
) -> None:
    """Takes what stands before the command."""


@app.command()
def demo(
    root: Annotated[
        Path,
        typer.Option(parser=local_path, metavar="PATH", help="Where to build; may exist already."),
    ] = Path("demo"),
    photos: Photos = None,
    scenes: Scenes = None,
    awkward: Awkward = 0.0,
    faults: FaultPlan = None,
    seed: Annotated[int, typer.Option(help="Seed of the made-up world and of chance.")] = 0,
    cells: Annotated[int, typer.Option(min=1, help="Cells of each region.")] = 6,
    as_json: AsJson = False,
) -> None:
    """Builds a small dataset without any key, against stand-ins for both services on this machine.

    The stand-ins speak the real services' protocols; only their addresses differ from a real run.
    Pictures and pixels are made up. Run it again with the same root: nothing is fetched twice.

    Example: `terrapair demo --root ./demo --seed 7`
    """
    from flows.demo import World, run_demo

    with reporting(as_json) as (console, display):
        outcome = run_demo(
            root=root, world=World(seed, photos, scenes, awkward, faults), cells=cells,
            watcher=display, run=_run_with_prefect,
        )  # fmt: skip
        finish(console, outcome, as_json=as_json)
        if not as_json:
            console.print(
                f"Look at it:  terrapair catalog --root {root}\n"
                f"             terrapair catalog show chips --root {root} --limit 3\n"
                f"Check it:    terrapair verify --root {root}",
                highlight=False, soft_wrap=True,
            )  # fmt: skip


@app.command()
def build(
    regions: Regions = None,
    root: Root = "dataset",
    catalog: CatalogFile = None,
    since: Since = None,
    until: Until = None,
    cells: Cells = None,
    seed: Seed = None,
    accept_changed_rules: Changed = False,
    runner: Runner = "threads",
    scheduler: Scheduler = None,
    as_json: AsJson = False,
) -> None:
    """Builds the catalogue's regions, or brings them up to date.

    Stop it when you like and run it again: finished work is kept. `--since` and `--until` are the
    first and last local day of capture (by default from the catalogue's `taken_since` to today).

    Example: `terrapair build bay-area --root s3://bucket/terrapair`
    """
    from flows.runs.running import Task

    task = Task(
        "build", root, catalog, day_of(since), day_of(until), cells, seed, accept_changed_rules,
        regions=tuple(regions or ()), runner=runner, scheduler=scheduler,
    )  # fmt: skip
    _real_run(task, as_json=as_json)


@app.command()
def backfill(
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
    accept_changed_rules: Changed = False,
    runner: Runner = "threads",
    scheduler: Scheduler = None,
    as_json: AsJson = False,
) -> None:
    """Collects an ad-hoc region into the same dataset: a region, a box or a file of polygons.

    Example: `terrapair backfill --bbox 6.0 46.1 7.1 46.6 --since 2021-01-01 --sensor sentinel2`
    """
    from flows.runs.running import Task

    if sum(one is not None for one in (region, bbox, geojson)) != 1:
        stop("give one of --region NAME, --bbox W S E N and --geojson FILE", WRONG_USE)
    task = Task(
        "backfill", root, catalog, day_of(since), day_of(until), cells, seed, accept_changed_rules,
        region=region, bbox=bbox, geojson=geojson, sensors=tuple(sensor or ()),
        runner=runner, scheduler=scheduler,
    )  # fmt: skip
    _real_run(task, as_json=as_json)


@app.command()
def sandbox(
    seed: Annotated[int, typer.Option(help="Seed of the made-up world.")] = 0,
    photos: Photos = None,
    scenes: Scenes = None,
    awkward: Awkward = 0.0,
    faults: FaultPlan = None,
    weights: Annotated[
        Path, typer.Option(help="Where the made-up weights of the indoor filter are kept.")
    ] = Path("sandbox-weights.pth.tar"),
) -> None:
    """Serves both services on loopback until stopped, and prints the settings that point at them.

    Example: `terrapair sandbox > sandbox.env &` and, when the file is written (the weights take
    half a minute to fit the first time), `set -a; . ./sandbox.env; terrapair doctor`
    """
    from flows.demo import World, serve_sandbox

    with plain_errors():
        serve_sandbox(World(seed, photos, scenes, awkward, faults), weights)


def _real_run(task: Task, *, as_json: bool) -> None:
    """Runs a build or a backfill with the settings of the environment."""
    from flows.runs.running import Surroundings, check_task
    from flows.settings import read_settings

    with reporting(as_json) as (console, display):
        check_task(task, read_settings())
        around = Surroundings(read_settings(), display, datetime.now(UTC))
        outcome = _run_with_prefect(task, around)
        finish(console, outcome, as_json=as_json)


app.add_typer(catalog.catalog_app, name="catalog")
app.add_typer(export.export_app, name="export")
app.add_typer(indoor.indoor_app, name="indoor")
app.command()(plan.plan)
app.command()(looking.verify)
app.command()(looking.budget)
app.command()(looking.doctor)
app.command()(upkeep.sweep)
app.command()(upkeep.forget)
app.command()(upkeep.recheck)
app.command()(describing.publish)
app.command()(describing.describe)
app.command()(describing.sample)
app.command()(render.render)
app.command()(series.series)
app.command()(search.search)
app.command()(report.report)
app.command()(report.serve_report)


def main() -> None:
    """Entry point of the console script."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s")
    # These repeat, with whole addresses or bodies, what our own errors say without keys.
    for name in ("flickrapi", "httpx", "urllib3", "googleapiclient", "prefect"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    app()
