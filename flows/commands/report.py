"""The commands that show: `report` and `serve-report`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Final, Optional

import typer
from rich.console import Console

from flows.commands.console import FAILED, AsJson, Root, local_path, plain_errors, stop
from flows.commands.display import showing

PAIRS: Final = 240
"""Pairs that a report shows one by one, unless told otherwise: some 30 MB of pictures."""

OneVersion = Annotated[
    Optional[str],  # noqa: UP045 - typer reads the annotation at run time
    typer.Option(help="A version, such as v0001; the newest by default."),
]
PairCount = Annotated[
    int, typer.Option(min=25, help="Pairs to show one by one, at most; a sample of what there is.")
]


def report(
    root: Root = "dataset",
    version: OneVersion = None,
    output: Annotated[
        Path,
        typer.Option(
            parser=local_path,
            metavar="PATH",
            help="The folder to write, on this machine; an older report there is replaced.",
        ),
    ] = Path("report"),
    pairs: PairCount = PAIRS,
    as_json: AsJson = False,
) -> None:
    """Writes a report on a version: a folder of pages that open from disk, without any network.

    What was seen and why it was left out, a map, dates, gaps, cloud, licences, owners, scores, some
    pairs with their pictures, and how it was made. The same version gives the same bytes.
    `terrapair serve-report` shows the same of a dataset on object storage, and writes nothing.

    Example: `terrapair report --root ./demo --output demo-report`
    """
    from flows.report.writing import write_report

    console = Console(stderr=as_json)
    with plain_errors(), showing() as progress:
        written = write_report(root, output, version=version, pairs=pairs, progress=progress)
    if as_json:
        typer.echo(json.dumps(written.as_json(), indent=1))
        return
    for why, count in written.missing.items():
        pictures = "picture" if count == 1 else "pictures"
        console.print(f"{count} {pictures} left out: {why}", style="yellow", markup=False)
    console.print(
        f"report on {written.version}: {written.files} files, {written.size / 1e6:.1f} MB,"
        f" {written.pairs:,} of {written.of_pairs:,} pairs\n"
        f"folder      {written.folder}\n"
        f"open it     {written.index.as_uri()}",
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip


def serve_report(
    root: Root = "dataset",
    version: OneVersion = None,
    pairs: PairCount = PAIRS,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Serves the same report on 127.0.0.1 until Ctrl-C; pictures are drawn as they are looked at.

    Meant for datasets on object storage: a picture is read by its byte range, and nothing is
    written. Only this machine is answered, and nothing but the report is served.

    Example: `terrapair serve-report --root s3://bucket/terrapair --pairs 2000`
    """
    import socket

    from collectors.storage import open_store
    from flows.report.findings import examine
    from flows.report.server import make_app, serve

    with plain_errors():
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        with connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                connection.bind(("127.0.0.1", port))
            except OSError as error:
                stop(f"port {port} cannot be had ({error.strerror}); give --port another", FAILED)
            with showing() as progress:
                findings = examine(root, version, pairs, progress)
            taken = connection.getsockname()[1]
            app = make_app(findings, findings.album, open_store(root, writable=False), taken)
            connection.listen()  # who reads the address may ask at once
            address = f"http://127.0.0.1:{taken}/"
            if as_json:
                said = {"address": address, "version": findings.version.name}
                typer.echo(json.dumps(said))
            else:
                typer.echo(f"report on {findings.version.name} at {address} (Ctrl-C ends it)")
            serve(app, connection)
