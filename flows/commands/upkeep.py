"""The command `sweep`."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Annotated

import typer
from rich.console import Console

from flows.commands.console import AsJson, Root, plain_errors


def sweep(
    root: Root = "dataset",
    grace_hours: Annotated[
        float, typer.Option(min=0, help="Leave alone what is younger, and its cell.")
    ] = 24.0,
    delete: Annotated[
        bool, typer.Option("--delete", help="Remove it; without this nothing is removed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Says what dead processes left that no commit names, and with `--delete` removes it.

    Shards, parts and steps that no commit of any generation names, tables of versions that were
    never finished, and half-written files. Whatever a version names, the newest or an older one,
    stays. A run in progress is protected by the grace time: a cell in which anything was written
    within it is left alone. A stopped build loses what it had not committed if it is swept, so run
    it again first, or give a longer time than it has been stopped.

    Example: `terrapair sweep --root ./dataset`, then the same with `--delete`
    """
    from flows.upkeep.sweeping import show_sweeping, sweep_dataset

    with plain_errors():
        found = sweep_dataset(root, grace=timedelta(hours=grace_hours), delete=delete)
        if as_json:
            typer.echo(json.dumps(found.as_json(), indent=1))
        else:
            show_sweeping(Console(), found)
