"""The command that finds chips by words."""

from __future__ import annotations

import json
from typing import Annotated, Literal, Optional

import typer
from rich.console import Console

from flows.commands.console import (
    FAILED,
    AsJson,
    CatalogFile,
    Root,
    VersionName,
    plain_errors,
    stop,
)
from flows.commands.display import say, showing


def search(
    words: Annotated[
        list[str], typer.Argument(help='What is looked for, such as "snowy fields in winter".')
    ],
    root: Root = "dataset",
    version: VersionName = None,
    region: Annotated[
        Optional[str],  # noqa: UP045 - typer reads the annotation at run time
        typer.Option(help="Only chips in this region of the catalogue."),
    ] = None,
    split: Annotated[
        Optional[Literal["train", "val", "test", "none"]],  # noqa: UP045
        typer.Option(help="Only chips with a pair of this split."),
    ] = None,
    sensor: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Only chips of this sensor, such as sentinel2."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Chips, at most.")] = 10,
    catalog: CatalogFile = None,
    as_json: AsJson = False,
) -> None:
    """Finds chips by words: land cover, season, month, year, place, and what photos are called.

    Words, "phrases in quotes" and -exclusions (or `without snow`). Chips that have all of it come
    first; of land cover and seasons what was measured counts before what titles say. Land cover
    comes from the scene classification, so it is known of Sentinel-2 only, and built-up ground
    cannot be told from bare ground. The index is made when it is first needed and kept in
    TERRAPAIR_SEARCH_CACHE. Exit code 1: nothing was found.

    Example: `terrapair search "snowy fields in winter" --root ./demo --region western-alps`
    """
    from filters.splits import Split
    from flows.catalogue.catalogue import find_catalogue, load_catalogue
    from flows.inspection.printing import harmless
    from flows.search import searching
    from flows.settings import read_settings

    with plain_errors():
        asked = " ".join(words)
        catalogue = load_catalogue(find_catalogue(catalog))
        with showing() as progress:
            told = searching.search(
                root, asked, catalogue.regions, read_settings().search_cache,
                version_name=version, region=region,
                split=None if split is None else Split(split), sensor=sensor, limit=limit,
                progress=progress,
            )  # fmt: skip
        if as_json:
            typer.echo(json.dumps(told, indent=1))
        else:
            console = Console()
            for one in told["results"]:
                say(
                    console,
                    f"{one['chip_id']}  {one['matched']} of {one['asked']} words, score"
                    f" {one['score']:g}",
                )
                season = f" ({one['season']})" if one["season"] else ""
                cover = one["cover_words"] or "land cover not known"
                say(console, f"    {one['date']}{season}: {cover}; {one['place']}")
                photos = "1 photo" if one["photos"] == 1 else f"{one['photos']} photos"
                say(console, f"    {photos}: {harmless(one['words']) or 'without words'}")
            if told["results"]:
                say(console, f"{len(told['results']):,} of {told['found']:,} chips in"
                    f" {told['version']} that have any of the words")  # fmt: skip
            for note in told["notes"]:
                say(Console(stderr=True), note)
        if not told["results"]:
            stop("nothing was found; try other or fewer words", FAILED)
