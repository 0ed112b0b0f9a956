"""The commands that make a dataset fit for others: `publish`, `describe` and `sample`."""

from __future__ import annotations

import json
from typing import Annotated, Any, Optional

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


def publish(
    root: Root = "dataset",
    index_only: Annotated[
        bool,
        typer.Option("--index-only", help="Write an index of the version, without photo bytes."),
    ] = False,
    output: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Where the index goes; index/vNNNN in the dataset by default."),
    ] = None,
    catalog: CatalogFile = None,
    as_json: AsJson = False,
) -> None:
    """Publishes the newest state of a dataset, as a build does at its end.

    With `--index-only`, it then writes identifiers, links, licences, credits, pairs, scenes and
    pixel grids, and no picture, for licences that forbid passing pictures on.

    Example: `terrapair publish --root ./dataset --index-only --output ./index`
    """
    from collectors.storage import open_store
    from collectors.transport import WrongUse
    from flows.catalogue.catalogue import find_catalogue, load_catalogue
    from flows.excerpts.index_only import write_index
    from flows.products.rows import ROWS
    from flows.products.tables import check_products
    from flows.products.versions import settle_seed
    from flows.publishing.publish import publish as publish_version
    from flows.upkeep.dataset import open_dataset

    if output is not None and not index_only:
        stop("--output goes with --index-only; a version lies in its dataset", WRONG_USE)
    with plain_errors(kept=True):
        catalogue = load_catalogue(find_catalogue(catalog))
        check_products(catalogue)
        open_dataset(root)  # before anything is made at a root that was mistyped
        store = open_store(root)
        console = Console(stderr=as_json)
        bars = Console(stderr=True)
        # On one screen, lines and bar have to know of each other.
        lines = bars if console.is_terminal and bars.is_terminal else console
        with showing(bars) as progress:
            version, new = publish_version(
                store, catalogue, settle_seed(store, None), lambda line: say(lines, line),
                progress=progress,
            )  # fmt: skip
        if version is None:
            raise WrongUse(root, "has no cell to publish.", "Build one: terrapair build --root …")
        outcome: dict[str, Any] = {"root": store.root, "version": version.name, "new": new}
        outcome |= {product: version.rows(product) for product in ROWS}
        if index_only:
            with showing() as progress:
                outcome["index"] = write_index(root, output, version.name, progress)
        if as_json:
            typer.echo(json.dumps(outcome, indent=1))
            return
        how = "published" if new else "nothing is new since"
        say(console, f"{how} {version.name}: {_counts(outcome)}")
        if index_only:
            index = outcome["index"]
            say(console, f"index of {version.name} without photo bytes: {index['root']}")


def describe(
    root: Root = "dataset",
    version: VersionName = None,
    output: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Write them here; paths in them hold in the version's own folder."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Makes the descriptions of a version again: card, datasheet, licences, Croissant, STAC.

    A build writes them with each version. This is for versions of older releases, and for a copy to
    look at. What is there already is left as it is.

    Example: `terrapair describe --root ./dataset --output ./description`
    """
    from flows.description.describe import describe_dataset

    with plain_errors(kept=True):
        with showing() as progress:
            where, paths = describe_dataset(root, version, output, progress)
        if as_json:
            typer.echo(json.dumps({"root": where, "files": paths}, indent=1))
            return
        console = Console()
        say(console, f"{len(paths)} descriptions in {where}")
        for path in paths:
            say(console, f"  {path}")


def sample(
    output: Annotated[
        str, typer.Option(help="Where the sample goes: an empty folder, s3://… or gs://….")
    ],
    root: Root = "dataset",
    version: VersionName = None,
    pairs: Annotated[int, typer.Option(min=1, help="About how many pairs.")] = 1_000,
    seed: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="Seed of the drawing; the dataset's own by default."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Writes a small dataset of the same form, its pairs drawn evenly over the cells.

    All commands work on it. Photos come with all their pairs; photos without a pair stay behind;
    rejected photos and chips without pixels come in the same share.

    Example: `terrapair sample --root s3://bucket/terrapair --output ./sample --pairs 500`
    """
    from flows.excerpts.sample import sample_dataset

    with plain_errors(kept=True):
        with showing() as progress:
            found = sample_dataset(
                root, output, version_name=version, pairs=pairs, seed=seed, progress=progress
            )
        if as_json:
            typer.echo(json.dumps(found, indent=1))
            return
        console = Console()
        cells = f"{found['cells']:,} {'cell' if found['cells'] == 1 else 'cells'}"
        say(console, f"sample of {cells} in {found['root']}: {_counts(found)}")
        say(console, f"Check it:    terrapair verify --root {output}")


def _counts(outcome: dict[str, Any]) -> str:
    return ", ".join(
        f"{outcome[name]:,} {name}" for name in ("photos", "rejects", "chips", "pairs")
    )
