"""The commands that mend a dataset: `sweep`, `forget` and `recheck`."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path  # noqa: TC003 - typer reads the annotation at run time
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer
from rich.console import Console

from flows.commands.console import AsJson, CatalogFile, Root, plain_errors
from flows.commands.display import showing

if TYPE_CHECKING:
    from flows.settings import Settings
    from flows.upkeep.asked import Asked
    from flows.upkeep.forgetting import Forgetting

Yes = Annotated[bool, typer.Option("--yes", help="Do it, without being asked again.")]


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

    with plain_errors(kept=True):
        with showing() as progress:
            found = sweep_dataset(
                root, grace=timedelta(hours=grace_hours), delete=delete, progress=progress
            )
        if as_json:
            typer.echo(json.dumps(found.as_json(), indent=1))
        else:
            show_sweeping(Console(), found)


def forget(
    owner: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="Flickr's id of an owner, such as 12345678@N01; several."),
    ] = None,
    photo: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="Flickr's id of a photo; several."),
    ] = None,
    file: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="File of such ids, one in a line."),
    ] = None,
    root: Root = "dataset",
    yes: Yes = False,
    catalog: CatalogFile = None,
    as_json: AsJson = False,
) -> None:
    """Forgets photos: out of every file of the dataset, and never collected again.

    Says first what would be done, and asks. The shards that hold a photo are written anew without
    it, a version without it is published, the versions that named it are revoked and their tables
    removed. Copies of the same picture go with it, and chips that have no other photo. Stopped at
    any instant, it goes on when it is run again (`terrapair forget --root ROOT` is enough).

    Who asked stands nowhere: the dataset keeps hashes under a key that is kept outside it, in
    TERRAPAIR_BLOCK_KEY or in a file on this machine. Without the key no build goes on.

    Example: `terrapair forget --photo 10079074161 --root ./demo`
    """
    from flows.settings import read_settings
    from flows.upkeep.asked import Asked, parse_asked, read_file

    with plain_errors(kept=True):
        asked = parse_asked(photo or [], owner or [], "forget")
        if file is not None:
            more = read_file(file)
            asked = Asked(asked.photos | more.photos, asked.owners | more.owners)
        console, settings = Console(stderr=as_json), read_settings()
        found = _forget(console, root, settings, asked, catalog, yes=yes, question="Do it?")
        if not (found.done or as_json):
            console.print("nothing was done; --yes does it", highlight=False)
        if as_json:
            typer.echo(json.dumps(found.as_json(), indent=1))


def recheck(
    root: Root = "dataset",
    limit: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=1, help="The most photos to ask about; the next run goes on."),
    ] = None,
    since: Annotated[
        Optional[datetime],  # noqa: UP045
        typer.Option(
            formats=["%Y-%m-%d"],
            metavar="YYYY-MM-DD",
            help="Pass over what was asked about on this day or later; by default 30 days ago.",
        ),
    ] = None,
    yes: Yes = False,
    accept_many: Annotated[
        bool, typer.Option("--accept-many", help="Also if more than a fifth are lost.")
    ] = False,
    catalog: CatalogFile = None,
    as_json: AsJson = False,
) -> None:
    """Asks Flickr which photos are gone, private or under another licence, and forgets those.

    One call asks about all photos of an owner in a cell, or about one photo; the limits of the key
    hold, also for builds beside it. It may be stopped and goes on where it was. What would be
    forgotten is said first; `--yes` does it.

    Example: `terrapair recheck --root ./dataset --limit 3000`
    """
    from flows.settings import read_settings
    from flows.upkeep.asked import Asked
    from flows.upkeep.dataset import catalogue_of, open_dataset
    from flows.upkeep.rechecking import ask_flickr, show_recheck

    with plain_errors(kept=True):
        console = Console(stderr=as_json)
        settings = read_settings()
        store = open_dataset(root)
        now = datetime.now(UTC)
        day = (now - timedelta(days=30)).date() if since is None else since.date()
        allowed = catalogue_of(store, catalog).rules.licence_ids
        with showing() as progress:
            found = ask_flickr(
                store,
                settings,
                allowed,
                today=now.date(),
                since=day,
                limit=limit,
                progress=progress,
            )
        show_recheck(console, found)
        said: dict[str, Any] = {"recheck": found.as_json(), "forgetting": None}
        if found.lost:
            if not accept_many:
                found.check_plausible(root)
            asked = Asked(photos=found.lost)
            planned = _forget(
                console, root, settings, asked, catalog, yes=yes, question="Forget them?"
            )
            if not planned.done:
                console.print("nothing was forgotten; --yes does it", highlight=False)
            said["forgetting"] = planned.as_json()
        if as_json:
            typer.echo(json.dumps(said, indent=1))


def _forget(
    console: Console, root: str, settings: Settings, asked: Asked, catalog: Path | None, *,
    yes: bool, question: str,
) -> Forgetting:  # fmt: skip
    """Says what would be forgotten, and does it if it may; nothing is done without a yes."""
    from flows.upkeep.forgetting import open_forgetter, show_forgetting

    with showing() as progress:
        forgetter = open_forgetter(root, settings, asked, catalogue_path=catalog, progress=progress)
        found = forgetter.plan()
    if not yes:
        show_forgetting(console, found)
    if yes or _agrees(question):
        with showing() as progress:
            forgetter.progress = progress
            found = forgetter.carry_out(found)
        _drop_indices(root, settings)
        show_forgetting(console, found)
    return found


def _drop_indices(root: str, settings: Settings) -> None:
    """Removes what `terrapair search` keeps on this machine of a dataset's words."""
    from collectors.storage import open_store
    from flows.search.indexing import drop_indices

    drop_indices(open_store(root, writable=False).root, settings.search_cache)


def _agrees(question: str) -> bool:
    """Asks, where somebody is there to answer."""
    return sys.stdin.isatty() and sys.stderr.isatty() and typer.confirm(question, err=True)
