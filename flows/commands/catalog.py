"""The commands that show what a dataset holds: `catalog` and those under it."""

from __future__ import annotations

import json
from datetime import datetime  # noqa: TC003 - typer reads the annotation at run time
from pathlib import Path  # noqa: TC003 - typer reads the annotation at run time
from typing import Annotated, Any, Optional

import typer
from rich.console import Console

from flows.commands.console import (
    FAILED,
    WRONG_USE,
    AsJson,
    CatalogFile,
    Root,
    local_path,
    plain_errors,
    stop,
)
from flows.commands.display import say, showing
from flows.commands.order_options import day_of

Version = Annotated[
    Optional[str],  # noqa: UP045 - typer reads the annotation at run time
    typer.Option(help="A version, such as v0003; the newest by default."),
]

catalog_app = typer.Typer(
    help=(
        "Shows regions, sources and products, with what exists of them.\n\n"
        "Example: `terrapair catalog --root ./dataset`"
    ),
    invoke_without_command=True,
    no_args_is_help=False,
    rich_markup_mode="markdown",
)


@catalog_app.callback()
def catalog_overview(
    context: typer.Context,
    root: Annotated[
        Optional[str], typer.Option(help="Show what exists of a dataset as well.")  # noqa: UP045
    ] = None,
    catalog: CatalogFile = None,
    as_json: AsJson = False,
) -> None:
    """Shows regions, sources and products, with what exists of them.

    Example: `terrapair catalog --root ./dataset`
    """
    if context.invoked_subcommand is not None:
        if root is not None or catalog is not None or as_json:
            name = context.invoked_subcommand
            stop(f"give options behind the subcommand: terrapair catalog {name} …", WRONG_USE)
        return
    from flows.inspection.overview import show_overview

    with plain_errors():
        show_overview(Console(), root, catalog, as_json=as_json)


@catalog_app.command("versions")
def catalog_versions(root: Root = "dataset", as_json: AsJson = False) -> None:
    """Lists the published versions of a dataset, oldest first.

    Example: `terrapair catalog versions --root ./dataset`
    """
    from flows.inspection.overview import show_versions

    with plain_errors():
        show_versions(Console(), root, as_json=as_json)


@catalog_app.command("diff")
def catalog_diff(
    older: Annotated[str, typer.Argument(metavar="V1", help="A version.")],
    newer: Annotated[str, typer.Argument(metavar="V2", help="A later one.")],
    root: Root = "dataset",
    as_json: AsJson = False,
) -> None:
    """Says what is new, gone or changed from one version to another, by cell and by reason.

    Example: `terrapair catalog diff v0001 v0002 --root ./dataset`
    """
    from flows.inspection.version_diff import show_difference

    with plain_errors():
        show_difference(Console(), root, older, newer, as_json=as_json)


@catalog_app.command("show")
def catalog_show(
    product: Annotated[str, typer.Argument(help="photos, chips, pairs or rejects.")],
    root: Root = "dataset",
    where: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help='SQL condition on the columns, such as "delta_days > 5".'),
    ] = None,
    region: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="In this region of the catalogue; chips that touch it."),
    ] = None,
    bbox: Annotated[
        Optional[tuple[float, float, float, float]],  # noqa: UP045
        typer.Option(metavar="W S E N", help="In this box, degrees; W > E: across ±180."),
    ] = None,
    since: Annotated[
        Optional[datetime],  # noqa: UP045
        typer.Option(formats=["%Y-%m-%d"], help="First day: of capture; of a chip's scene."),
    ] = None,
    until: Annotated[
        Optional[datetime],  # noqa: UP045
        typer.Option(formats=["%Y-%m-%d"], help="Last day."),
    ] = None,
    sensor: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Chips and pairs of this sensor; photos with a pair of it."),
    ] = None,
    outcome: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Chips: kept, rejected or failed; rejects: rejected or failed."),
    ] = None,
    reason: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Chips and rejects: why not; photos: why a pair is missing."),
    ] = None,
    sort: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Columns, separated by commas; - before one: largest first."),
    ] = None,
    columns: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Columns to show, separated by commas; SQL."),
    ] = None,
    limit: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=1, help="Rows to show: 10 by default; with --export, all."),
    ] = None,
    offset: Annotated[int, typer.Option(min=0, help="Rows to leave out first.")] = 0,
    export: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            parser=local_path,
            metavar="PATH",
            help="Write the whole selection to FILE.csv, .parquet or .geojson.",
        ),
    ] = None,
    version: Version = None,
    catalog: CatalogFile = None,
    as_json: AsJson = False,
) -> None:
    """Shows rows of a product, or writes them to a file with --export.

    In a terminal, what does not fit on the screen is shown page by page (PAGER, else less);
    --offset goes on where --limit ended. Times are UTC, dates of capture local. CSV is safe to
    open in a spreadsheet: a text that would be a formula begins with an apostrophe.

    Example: `terrapair catalog show chips --sensor naip --since 2022-01-01 --sort -delta_days`
    """
    from flows.inspection.rows_view import Shape, show_rows, write_rows
    from flows.inspection.selection import Selection, area_of_box, area_of_region

    with plain_errors():
        areas = [area_of_region(region, catalog)] if region is not None else []
        areas += [area_of_box(*bbox)] if bbox is not None else []
        selection = Selection(
            product,
            where,
            tuple(areas),
            day_of(since),
            day_of(until),
            sensor,
            outcome,
            reason,
            sort,
        )
        shape = Shape(columns, limit, offset, version)
        if export is not None:
            with showing() as progress:
                written = write_rows(root, selection, shape, export, progress)
            if as_json:
                typer.echo(json.dumps(written, indent=1))
            else:
                say(
                    Console(), "{rows:,} rows of {product} of {version} in {file}".format(**written)
                )
        else:
            show_rows(Console(), root, selection, shape, as_json=as_json)


@catalog_app.command("photo")
def catalog_photo(
    photo_id: Annotated[str, typer.Argument(metavar="ID", help="Flickr's id of the photo.")],
    root: Root = "dataset",
    version: Version = None,
    as_json: AsJson = False,
) -> None:
    """Tells a photo's whole story: where it was found, every judgement, its chips, its bytes.

    It knows every photo that was seen, those that were not kept as well.

    Example: `terrapair catalog photo 53012345678 --root ./dataset`
    """
    from flows.inspection.photo_story import UnknownIdError, show_photo

    with plain_errors():
        try:
            show_photo(Console(), root, photo_id, version, as_json=as_json)
        except UnknownIdError as error:
            stop(str(error), FAILED)


@catalog_app.command("chip")
def catalog_chip(
    chip_id: Annotated[str, typer.Argument(metavar="ID", help="The chip's id.")],
    root: Root = "dataset",
    version: Version = None,
    as_json: AsJson = False,
) -> None:
    """Tells a chip's whole story: its scene, those refused and why, its photos, how to open it.

    Example: `terrapair catalog chip sentinel2_10N_669330_4175150_2023Q1 --root ./dataset`
    """
    from flows.inspection.chip_story import show_chip
    from flows.inspection.photo_story import UnknownIdError

    with plain_errors():
        try:
            show_chip(Console(), root, chip_id, version, as_json=as_json)
        except UnknownIdError as error:
            stop(str(error), FAILED)


@catalog_app.command("find")
def catalog_find(
    owner: Annotated[
        Optional[str], typer.Option(metavar="ID", help="Flickr's id of an owner.")  # noqa: UP045
    ] = None,
    photo: Annotated[
        Optional[str], typer.Option(metavar="ID", help="Flickr's id of a photo.")  # noqa: UP045
    ] = None,
    root: Root = "dataset",
    as_json: AsJson = False,
) -> None:
    """Says whether anything of an owner, or a photo, is in any version, kept or rejected.

    Cells that were built since the newest version are looked through as well.

    Exit code 0 if there is something, 1 if there is nothing.

    Example: `terrapair catalog find --owner 12345678@N01 --root ./dataset`
    """
    from flows.inspection.occurrences import show_occurrences

    with plain_errors():
        if (owner is None) == (photo is None):
            stop("give one of --owner ID and --photo ID", WRONG_USE)
        by: Any = "owner" if owner is not None else "photo_id"
        if not show_occurrences(Console(), root, by, str(owner or photo), as_json=as_json):
            raise typer.Exit(FAILED)
