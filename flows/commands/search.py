"""The command that finds chips by words."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path  # noqa: TC003 - typer reads the annotation at run time
from typing import TYPE_CHECKING, Annotated, Any, Literal, Optional

import typer
from rich.console import Console

from flows.commands.console import (
    FAILED,
    WRONG_USE,
    AsJson,
    CatalogFile,
    Root,
    VersionName,
    plain_errors,
    stop,
)
from flows.commands.display import say, showing

if TYPE_CHECKING:
    from collections.abc import Callable


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
    model: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            help="Rank by a model of open_clip instead (extra `embeddings`), such as ViT-B-32."
        ),
    ] = None,
    pretrained: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Its weights: a tag such as laion2b_s34b_b79k, or a checkpoint's path."),
    ] = None,
    model_config: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="How a model of your own is built: open_clip's JSON, named as it is."),
    ] = None,
    by: Annotated[
        Optional[Literal["chips", "photos", "texts"]],  # noqa: UP045
        typer.Option(
            help="What the model compares with the words: chips in true colour (as by default),"
            " their photos, or sentences of what was measured."
        ),
    ] = None,
    catalog: CatalogFile = None,
    as_json: AsJson = False,
) -> None:
    """Finds chips by words: land cover, season, month, year, place, and what photos are called.

    Words, "phrases in quotes" and -exclusions (or `without snow`). Chips that have all of it come
    first; of land cover and seasons what was measured counts before what titles say. Land cover
    comes from the scene classification, so it is known of Sentinel-2 only, and built-up ground
    cannot be told from bare ground. The index is made when it is first needed and kept in
    TERRAPAIR_SEARCH_CACHE. Exit code 1: nothing was found.

    With `--model` the words go to a model that knows images and words; embeddings are made with the
    first search and kept beside the index. Chips then come by likeness, and words mean what the
    model takes them for.

    Example: `terrapair search "snowy fields in winter" --root ./demo --region western-alps`
    """
    from filters.splits import Split
    from flows.catalogue.catalogue import find_catalogue, load_catalogue
    from flows.inspection.printing import harmless
    from flows.search import searching
    from flows.search.scope import Scope
    from flows.settings import read_settings

    with plain_errors():
        asked = " ".join(words)
        if model is None and (pretrained or model_config or by):
            stop("--pretrained, --model-config and --by go with --model", WRONG_USE)
        catalogue = load_catalogue(find_catalogue(catalog))
        scope = Scope(
            root, catalogue.regions, read_settings().search_cache, version, region,
            None if split is None else Split(split), sensor,
        )  # fmt: skip
        look: Callable[..., dict[str, Any]] = searching.search
        if model is not None:
            from flows.search.clip_models import ClipModel, ModelName
            from flows.search.nearest import search_by_model

            ready = ClipModel(ModelName(model, pretrained, model_config))
            look = partial(search_by_model, model=ready, by=by or "chips")
        with showing() as progress:
            told = look(scope, asked, limit=limit, progress=progress)
        if as_json:
            typer.echo(json.dumps(told, indent=1))
        else:
            console = Console()
            for one in told["results"]:
                by_words = f"{one['matched']} of {one['asked']} words" if one["asked"] else ""
                fit = by_words if model is None else f"cosine {one['score']:g}"
                say(console, f"{one['chip_id']}  {fit}".rstrip())
                season = f" ({one['season']})" if one["season"] else ""
                cover = one["cover_words"] or "land cover not known"
                say(console, f"    {one['date']}{season}: {cover}; {one['place']}")
                photos = "1 photo" if one["photos"] == 1 else f"{one['photos']} photos"
                say(console, f"    {photos}: {harmless(one['words']) or 'without words'}")
            if told["results"]:
                worded = model is None and told["results"][0]["asked"]
                any_of = " that have any of the words" if worded else ""
                say(console, f"{len(told['results']):,} of {told['found']:,} chips in"
                    f" {told['version']}{any_of}")  # fmt: skip
            for note in told["notes"]:
                say(Console(stderr=True), note)
        if not told["results"]:
            stop("nothing was found; try other or fewer words", FAILED)
