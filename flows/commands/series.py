"""The command that makes time series of several sensors at places of a dataset."""

from __future__ import annotations

import json
from typing import Annotated, Any, Optional

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


def series(
    output: Annotated[str, typer.Option(help="Where it goes: a folder, s3://… or gs://….")],
    name: Annotated[str, typer.Argument(help="A series of the catalogue.")] = "s2-naip",
    root: Root = "dataset",
    version: VersionName = None,
    places: Annotated[int, typer.Option(min=1, help="At how many places, in all.")] = 100,
    limit: Annotated[
        Optional[int],  # noqa: UP045 - typer reads the annotation at run time
        typer.Option(min=1, help="No more new places now; the same command goes on later."),
    ] = None,
    catalog: CatalogFile = None,
    as_json: AsJson = False,
) -> None:
    """Makes time series and several sensors over one footprint, where a dataset has photos.

    The catalogue's `series` say what there is at a place. The shipped one is the layout of the
    S2-NAIP set that MAESTRO reads: on 640 m, sixteen dates of Sentinel-2, four of Sentinel-1 and a
    NAIP flight, with products, dates and lists for train, val and test. Each stack is one request.
    Run it again and it goes on: what is finished is not asked for again.

    Example: `terrapair series s2-naip --root ./dataset --output ./series --places 20`
    """
    from flows.catalogue.catalogue import find_catalogue, load_catalogue
    from flows.series.services import connected
    from flows.series.writing import make_series, what_is_asked
    from flows.settings import read_settings

    with plain_errors(kept=True):
        catalogue = load_catalogue(find_catalogue(catalog))
        what_is_asked(root, catalogue, name, version)  # before a login is asked for
        settings = read_settings()
        tell = Console(stderr=True)
        with (
            connected(settings, root, tell=lambda line: say(tell, line)) as (engine, check),
            showing() as progress,
        ):
            found = make_series(
                root, output, catalogue, name, engine, places=places, limit=limit,
                version_name=version, threads=settings.earth_engine_connections, check=check,
                progress=progress,
            )  # fmt: skip
        if as_json:
            typer.echo(json.dumps(found, indent=1))
        else:
            _show(Console(), found)
        if found["failed"]:
            place, why = next(iter(found["failed"].items()))
            stop(
                f"{len(found['failed'])} places failed, the first {place}: {why}\n"
                "What is finished is kept; run the same command again to go on.", FAILED,
            )  # fmt: skip


def _show(console: Console, found: dict[str, Any]) -> None:
    splits = ", ".join(f"{name} {count:,}" for name, count in found["splits"].items())
    say(console, f"{found['series']} of {found['version']} in {found['root']}")
    say(console, f"places      {found['kept']:,} kept ({splits}), {found['new_places']:,} of the"
                 f" {found['finished']:,} finished are new")  # fmt: skip
    for reason, count in found["refused"].items():
        say(console, f"refused     {reason} {count:,}")
    requests = found["requests"]
    total = requests["resolve"] + requests["pixels"]
    each = f" ({total / found['new_places']:.2f} a place)" if found["new_places"] else ""
    say(console, f"requests    {requests['resolve']:,} to resolve + {requests['pixels']:,} for"
                 f" pixels{each}")  # fmt: skip
    if found["whole"]:
        say(console, "whole       manifest.json, manifest/places.parquet, train.csv, val.csv,"
                     " test.csv")  # fmt: skip
    else:
        rest = found["places"] - found["finished"]
        say(console, f"not whole   {rest:,} places are left; the same command goes on")
