"""The commands that look at a dataset or at the set-up: `verify`, `budget` and `doctor`."""

from __future__ import annotations

from typing import Annotated, Optional

import typer
from rich.console import Console

from flows.commands.console import FAILED, AsJson, CatalogFile, Root, plain_errors
from flows.commands.display import showing


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
        with showing() as progress:
            findings = verify_dataset(root, version, find_key(read_settings()), progress)
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


def doctor(
    root: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="A dataset to build on: also whether its block list can be read."),
    ] = None,
    catalog: CatalogFile = None,
    as_json: AsJson = False,
) -> None:
    """Says what is set up, what is missing and how to get it, with one harmless call each.

    Exit code 0 if a real run could start, 1 if something is missing.

    Example: `terrapair doctor --root s3://bucket/terrapair`
    """
    from flows.doctor import examine, show_examination

    with plain_errors():
        with showing() as progress:
            checks = examine(catalog, root, progress)
        show_examination(Console(), checks, as_json=as_json)
        if not all(check.well for check in checks):
            raise typer.Exit(FAILED)
