"""The command that makes pictures of chips for models that know red, green and blue alone."""

from __future__ import annotations

import json
from typing import Annotated, Final, Optional

import typer
from rich.console import Console

from flows.commands.console import (
    WRONG_USE,
    AsJson,
    CatalogFile,
    Root,
    VersionName,
    plain_errors,
    stop,
)
from flows.commands.display import say, showing

FEW: Final = 10
"""Chips that are rendered unless told otherwise."""


def render(
    output: Annotated[str, typer.Option(help="Where the pictures go: a folder, s3://… or gs://….")],
    chips: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer reads the annotation at run time
        typer.Argument(help="Ids of chips; by default some, drawn by the dataset's seed."),
    ] = None,
    root: Root = "dataset",
    version: VersionName = None,
    limit: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=1, help="No more chips than this; 10 by default."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All chips that have pixels.")] = False,
    question: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="A question about each chip, for the prompt."),
    ] = None,
    answer: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="An answer to choose from; give it several times."),
    ] = None,
    catalog: CatalogFile = None,
    as_json: AsJson = False,
) -> None:
    """Shows chips as pictures that a model for ordinary images can read, and what to tell it.

    The catalogue's `renderings` say how bands become colours: true and false colour, NDVI, NDWI
    and NDMI. Each chip gets a folder with a PNG for each, `render.json` with every range and
    colour, and `prompt.txt` with bands, images and room for a question. Run again, it goes on.

    Example: `terrapair render --root ./dataset --output ./pictures --limit 5 --question
    "What covers most of the ground?" --answer forest --answer water --answer "built-up land"`
    """
    from flows.catalogue.catalogue import find_catalogue, load_catalogue
    from flows.renderings.writing import render_chips

    if answer and question is None:
        stop("--answer goes with --question", WRONG_USE)
    if sum((bool(chips), every, limit is not None)) > 1:
        stop("give chips, or --all, or --limit", WRONG_USE)
    with plain_errors(kept=True):
        catalogue = load_catalogue(find_catalogue(catalog))
        with showing() as progress:
            found = render_chips(
                root, output, catalogue, chip_ids=chips or (),
                limit=None if every or chips else limit or FEW, version_name=version,
                question=question, answers=answer or (), progress=progress,
            )  # fmt: skip
        if as_json:
            typer.echo(json.dumps(found, indent=1))
            return
        console = Console()
        count = len(found["chips"])
        say(console, f"{count:,} {'chip' if count == 1 else 'chips'} in {found['root']}")
        for chip in found["chips"]:
            say(console, f"  {chip['chip_id']}: {', '.join(chip['images'])}")
