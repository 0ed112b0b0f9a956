"""The commands that write a version in the forms that other programs read: `export …`."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Optional

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

if TYPE_CHECKING:
    from flows.exports.forms import Form

SHARD_MB: Final = 128
"""Megabytes of a shard or a file, unless told otherwise; it is held in memory three times."""

_MB: Final = 1_000_000

export_app = typer.Typer(
    help=(
        "Writes a version in a form that other programs read.\n\n"
        "The same version and options give the same bytes. Stopped at any instant, the same command"
        " goes on. `export.json`, written last, names every file with size and SHA-256.\n\n"
        "Example: `terrapair export webdataset --root ./dataset --output ./shards`"
    ),
    no_args_is_help=True,
)

Output = Annotated[
    str, typer.Option(help="Where it goes: an empty folder, s3://… or gs://…; or one begun.")
]
OneSplit = Annotated[
    Optional[Literal["train", "val", "test", "none"]],  # noqa: UP045 - typer reads it at run time
    typer.Option(help="Only pairs of this split; all by default."),
]
OneSensor = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(help="Only chips of this sensor, such as sentinel2; all by default."),
]
ShardSize = Annotated[
    int, typer.Option("--shard-size", min=1, help="Megabytes of a shard or file, at most.")
]
ShardSamples = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option("--shard-samples", min=1, help="Chips of a shard or file, at most."),
]
Shuffle = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option(
        "--shuffle", min=0, help="Deal chips to shards by chance, with this seed; else by place."
    ),
]
White = Annotated[
    int,
    typer.Option(min=1, help="Number of a 16-bit band that becomes full white: 3000 is 0.3."),
]


@export_app.command()
def webdataset(
    output: Output,
    root: Root = "dataset",
    version: VersionName = None,
    split: OneSplit = None,
    sensor: OneSensor = None,
    shard_size: ShardSize = SHARD_MB,
    shard_samples: ShardSamples = None,
    shuffle: Shuffle = None,
    as_json: AsJson = False,
) -> None:
    """Tar shards with a chip and its photos side by side, for WebDataset and this reader.

    Example: `terrapair export webdataset --root s3://bucket/terrapair --output ./shards`
    """
    from flows.exports.webdataset_shards import WebDatasetShards

    form = WebDatasetShards(shard_size * _MB, shard_samples, shuffle)
    _export(root, output, form, version, split, sensor, as_json=as_json)


@export_app.command()
def graft(
    output: Output,
    root: Root = "dataset",
    version: VersionName = None,
    split: OneSplit = None,
    sensor: OneSensor = None,
    picture: Annotated[
        Literal["jpeg", "png"], typer.Option(help="Chips as JPEG, or as PNG, which loses nothing.")
    ] = "jpeg",
    white: White = 3_000,
    as_json: AsJson = False,
) -> None:
    """Pictures, lists and pixel offsets in the layout of GRAFT's own scripts.

    Example: `terrapair export graft --root ./dataset --output ./graft --sensor naip`
    """
    from flows.exports.graft_lists import GraftLists

    _export(root, output, GraftLists(picture, white), version, split, sensor, as_json=as_json)


@export_app.command()
def geotiff(
    output: Output,
    root: Root = "dataset",
    version: VersionName = None,
    split: OneSplit = None,
    sensor: OneSensor = None,
    as_json: AsJson = False,
) -> None:
    """Loose Cloud Optimized GeoTIFFs, JPEGs and a GeoPackage of places, for a GIS.

    Example: `terrapair export geotiff --root ./dataset --output ./gis --split test`
    """
    from flows.exports.geotiff_files import GeotiffFiles

    _export(root, output, GeotiffFiles(), version, split, sensor, as_json=as_json)


@export_app.command()
def huggingface(
    output: Output,
    root: Root = "dataset",
    version: VersionName = None,
    split: OneSplit = None,
    sensor: OneSensor = None,
    shard_size: ShardSize = SHARD_MB,
    shard_samples: ShardSamples = None,
    shuffle: Shuffle = None,
    white: White = 3_000,
    as_json: AsJson = False,
) -> None:
    """Parquet with pictures, thumbnail and geometry, for `datasets` and the Hugging Face hub.

    Example: `terrapair export huggingface --root ./dataset --output ./hub`
    """
    from flows.exports.huggingface_tables import HuggingfaceTables

    form = HuggingfaceTables(shard_size * _MB, shard_samples, shuffle, white)
    _export(root, output, form, version, split, sensor, as_json=as_json)


@export_app.command()
def triplets(
    output: Output,
    root: Root = "dataset",
    version: VersionName = None,
    split: Annotated[
        Optional[Literal["train", "val", "test"]],  # noqa: UP045
        typer.Option(help="Only triplets of this split; all by default."),
    ] = None,
    sensor: OneSensor = None,
    file_format: Annotated[
        Literal["jsonl", "parquet"], typer.Option("--format", help="JSON lines or Parquet.")
    ] = "jsonl",
    blocks: Annotated[
        Literal["quarter", "year", "none"],
        typer.Option(help="Blocks of time that are dealt to splits; none: splits by ground alone."),
    ] = "quarter",
    time_shares: Annotated[
        Optional[tuple[float, float, float]],  # noqa: UP045
        typer.Option(help="Percent of the blocks for train, val and test; 60 20 20 by default."),
    ] = None,
    catalog: CatalogFile = None,
    as_json: AsJson = False,
) -> None:
    """A chip, words that fit it, and a chip that they do not fit, with the reason.

    The reason is far, other season, other land cover, or hard (alike in all but one). Chips of one
    place, or with pictures that are near each other, never stand against each other. Ground and
    time are split: both chips lie on ground of the triplet's split, in blocks of time dealt to it.

    Example: `terrapair export triplets --root ./dataset --output ./triplets --sensor sentinel2`
    """
    from filters.splits import Split
    from flows.catalogue.catalogue import find_catalogue, load_catalogue
    from flows.exports.triplet_rows import TripletForm
    from flows.exports.triplets import export_triplets

    with plain_errors(kept=True):
        if blocks == "none" and time_shares is not None:
            stop("--time-shares deals blocks of time; leave it away with --blocks none", WRONG_USE)
        regions = load_catalogue(find_catalogue(catalog)).regions
        form = TripletForm(file_format, blocks)
        if time_shares is not None:
            form = replace(form, time_shares=time_shares)
        with showing() as progress:
            record = export_triplets(
                root, output, form, regions,
                version_name=version, split=None if split is None else Split(split), sensor=sensor,
                progress=progress,
            )  # fmt: skip
        if as_json:
            typer.echo(json.dumps(record | {"output": output}, indent=1))
            return
        counts = record["counts"]
        console = Console()
        say(
            console,
            f"triplets of {record['version']} in {output}: {counts['triplets']:,} of"
            f" {counts['anchors']:,} chips",
        )
        for what in ("triplets_by_split", "triplets_by_reason", "left_out"):
            told = ", ".join(f"{name} {count:,}" for name, count in counts[what].items())
            say(console, f"{what.replace('_', ' ')}: {told or 'none'}")


def _export(
    root: str, output: str, form: Form, version: str | None, split: str | None,
    sensor: str | None, *, as_json: bool,
) -> None:  # fmt: skip
    from filters.splits import Split
    from flows.exports.exporting import export_version

    with plain_errors(kept=True):
        with showing() as progress:
            record = export_version(
                root, output, form, version_name=version,
                split=None if split is None else Split(split), sensor=sensor, progress=progress,
            )  # fmt: skip
        size = sum(one["bytes"] for one in record["files"])
        if as_json:
            told: dict[str, Any] = record | {
                "output": output, "files": len(record["files"]), "bytes": size,
            }  # fmt: skip
            typer.echo(json.dumps(told, indent=1))
            return
        counts = record["counts"]
        say(
            Console(),
            f"{form.name} of {record['version']} in {output}: {counts['samples']:,} samples,"
            f" {counts['pairs']:,} pairs, {len(record['files']):,} files, {size / 1e6:,.1f} MB",
        )
