"""The commands that look: `catalog`, `verify`, `budget` and `doctor`."""

from __future__ import annotations

from typing import Annotated, Optional

import typer
from rich.console import Console

from flows.commands.console import FAILED, AsJson, CatalogFile, Root, plain_errors

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
        return
    from flows.inspection.catalogue_view import show_overview

    with plain_errors():
        show_overview(Console(), root, catalog, as_json=as_json)


@catalog_app.command("show")
def catalog_show(
    product: Annotated[str, typer.Argument(help="photos, chips, pairs or rejects.")],
    root: Root = "dataset",
    where: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="SQL condition on the columns, such as \"sensor = 'naip'\"."),
    ] = None,
    columns: Annotated[
        Optional[str], typer.Option(help="Columns to show, separated by commas.")  # noqa: UP045
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Rows to show.")] = 20,
    version: Annotated[
        Optional[str], typer.Option(help="A version, such as v0001; the newest by default.")  # noqa: UP045
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Shows rows of a product of the newest version.

    Example: `terrapair catalog show chips --where "delta_days > 5" --columns chip_id,scene_id`
    """
    from flows.inspection.catalogue_view import show_rows

    with plain_errors():
        show_rows(
            Console(), root, product, where=where, columns=columns, limit=limit, version=version,
            as_json=as_json,
        )  # fmt: skip


def verify(
    root: Root = "dataset",
    version: Annotated[
        Optional[str], typer.Option(help="A version; the newest by default.")  # noqa: UP045
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Checks every promise that a dataset makes, down to the pixels, and names the first offenders.

    Exit code 0 if all hold, 1 if one is broken.

    Example: `terrapair verify --root ./demo`
    """
    from flows.products.block_keys import find_key
    from flows.settings import read_settings
    from flows.verification.verification import show_findings, verify_dataset

    with plain_errors():
        findings = verify_dataset(root, version, find_key(read_settings()))
        show_findings(Console(), findings, as_json=as_json)
        if any(finding.broken for finding in findings):
            raise typer.Exit(FAILED)


def budget(root: Root = "dataset", as_json: AsJson = False) -> None:
    """Shows what a dataset's builds used of the month's budget, and how long the rest will last.

    Counted are Earth Engine's requests of builds with a budget set.

    Example: `terrapair budget --root s3://bucket/terrapair`
    """
    from flows.inspection.budget_view import show_budget

    with plain_errors():
        show_budget(Console(), root, as_json=as_json)


def doctor(catalog: CatalogFile = None, as_json: AsJson = False) -> None:
    """Says what is set up, what is missing and how to get it, with one harmless call each.

    Exit code 0 if a real run could start, 1 if something is missing.

    Example: `terrapair doctor`
    """
    from flows.doctor import examine, show_examination

    with plain_errors():
        checks = examine(catalog)
        show_examination(Console(), checks, as_json=as_json)
        if not all(check.well for check in checks):
            raise typer.Exit(FAILED)
