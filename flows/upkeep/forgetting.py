"""Forgets photos: out of every shard, part, step and table, and never collected again.

What is done, in this order, so that a dataset can be read all the while and a forgetting that was
stopped goes on when it is run again:

    1  what is asked for goes on the block list; from then on no build begins, and none that is
       going on can commit or publish it
    2  each cell that names it gets a generation without it, with its shards written anew
    3  a version of those generations is published
    4  the versions made of the generations before are revoked, and their tables removed
    5  parts, shards and steps that name it are removed
    6  a record with counts is written; builds may begin again

From 2 on, everything is found by the block list alone, so that no file says who asked.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table
from rich.text import Text

from collectors.transport import WrongUse
from flows.cells.forgetting import find_gone, forget_in_cell
from flows.cells.forgotten_files import find_purge
from flows.cells.state import load_cell
from flows.products.block_keys import find_key, make_key
from flows.products.block_list import (
    KEY_CHECK,
    BlockList,
    add_request,
    begin_block_list,
    close_request,
    open_block_list,
    open_requests,
)
from flows.products.revoked import revoke
from flows.products.versions import read_version, settle_seed, version_names
from flows.progress import no_progress
from flows.publishing.publish import publish
from flows.publishing.revoking import remove_unfinished, versions_naming
from flows.upkeep.copies import find_copies
from flows.upkeep.dataset import catalogue_of, each_cell, open_dataset
from flows.upkeep.leftover_records import clean_records

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rich.console import Console

    from collectors.storage import Store
    from flows.cells.forgetting import Gone
    from flows.cells.forgotten_files import Purge
    from flows.progress import Progress
    from flows.settings import Settings
    from flows.upkeep.asked import Asked
    from flows.upkeep.dataset import Found

_EPHEMERAL: Final = "a list that is only planned"


@dataclass(frozen=True, slots=True)
class Forgetting:
    """What a forgetting would do, or has done.

    Attributes:
        photos: Photos with a picture in the dataset.
        copies: Of those, the ones that show the picture of one that was asked for.
        seen: Other photos that a row names.
        cells: Cells that get a new generation.
        pairs: Pairs that go.
        chips_gone: Chips that go, because they have no other photo.
        chips_touched: Chips that lose a photo and stay.
        shards: Shards that are written anew.
        revoked: Versions that are revoked.
        unfinished: Requests that were begun before, and are brought to their end.
        done: Whether it has been done.
        version: The version that was published without them.
        key_file: File in which the key of the block list was made for this; empty if there was one.
    """

    photos: int = 0
    copies: int = 0
    seen: int = 0
    cells: int = 0
    pairs: int = 0
    chips_gone: int = 0
    chips_touched: int = 0
    shards: int = 0
    revoked: tuple[str, ...] = ()
    unfinished: int = 0
    done: bool = False
    version: str = ""
    key_file: str = ""

    def as_json(self) -> dict[str, Any]:
        """Returns what there is to say, for JSON."""
        return asdict(self)


@dataclass(slots=True)
class Forgetter:
    """A forgetting in a dataset: planned first, then done.

    Attributes:
        store: The dataset.
        settings: Where the key of the block list is.
        asked: Who and what is to be forgotten.
        catalogue_path: The catalogue's file; what the newest version says comes before it.
        progress: Hears how far it is.
        now: The time, UTC, aware; written into the record.
    """

    store: Store
    settings: Settings
    asked: Asked
    catalogue_path: Path | None = None
    progress: Progress = no_progress
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    _wanted: frozenset[str] = frozenset()

    def plan(self) -> Forgetting:
        """Finds what would be done; nothing is written.

        Raises:
            SetupError: If there is nothing to do, or the block list's key is not here.
        """
        blocks = BlockList(_EPHEMERAL)
        if self.store.exists(KEY_CHECK):
            blocks = open_block_list(self.store, find_key(self.settings))
        unfinished = open_requests(self.store)
        if not self.asked and not unfinished:
            raise WrongUse(
                self.store.root, "nobody is named, and nothing is half forgotten.",
                "Give --owner, --photo or --file.",
            )  # fmt: skip
        catalogue = catalogue_of(self.store, self.catalogue_path)
        planned = blocks.with_hashes(blocks.entries(self.asked.photos, self.asked.owners))
        copies: set[str] = set()
        while more := set(find_copies(self.store, planned)):  # a copy may have others
            copies |= more
            planned = planned.with_hashes(blocks.entries(more, ()))
        self._wanted = self.asked.photos | copies

        def look(cell_id: str) -> tuple[Gone | None, Purge]:
            purge = find_purge(self.store, cell_id, planned, planned=True)
            if not purge.generations:
                return None, purge
            state = load_cell(self.store, cell_id)
            return find_gone(self.store, state, planned, catalogue.sensors), purge

        found = self._each("looking at cells", look)
        gone = [one for one, _ in found if one is not None and one.items]
        purged = {purge.cell_id: purge.generations for _, purge in found}
        revoked = versions_naming(self.store, purged)
        return Forgetting(
            photos=sum(len(one.photos) for one in gone),
            copies=len(copies),
            seen=sum(len(one.rejects) for one in gone),
            cells=len(gone),
            pairs=sum(one.pairs for one in gone),
            chips_gone=sum(len(one.chips) for one in gone),
            chips_touched=sum(len(one.touched) for one in gone),
            shards=sum(len(one.shards) for one in gone),
            revoked=tuple(name for name in revoked if not self._is_revoked(name)),
            unfinished=len(unfinished),
        )

    def carry_out(self, planned: Forgetting) -> Forgetting:
        """Does what was planned.

        Raises:
            SetupError: If builds commit the same cells again and again, or the key cannot be kept.
        """
        key, key_file = find_key(self.settings), ""
        if key is None:
            key, path = make_key(self.settings)
            key_file = str(path)
        blocks = begin_block_list(self.store, key)
        blocks = add_request(self.store, blocks, blocks.entries(self._wanted, self.asked.owners))
        catalogue = catalogue_of(self.store, self.catalogue_path)
        seed = settle_seed(self.store, None)
        self._each(
            "writing cells anew",
            lambda cell: forget_in_cell(self.store, cell, blocks, catalogue, seed),
        )
        version = None
        if version_names(self.store):
            self.progress("publishing", 0, 1)
            version, _ = publish(self.store, catalogue, seed, forgetting=True)
            self.progress("publishing", 1, 1)
        # Before versions are looked for: one whose manifest is made after this has no tables, and
        # one whose manifest is made before is found below.
        remove_unfinished(self.store)
        purges = self._each(
            "looking for what is left", lambda cell: find_purge(self.store, cell, blocks)
        )
        revoked = versions_naming(
            self.store, {purge.cell_id: purge.generations for purge in purges}
        )
        for number, name in enumerate(revoked):
            self.progress("revoking versions", number, len(revoked))
            revoke(self.store, name)
        for number, purge in enumerate(purges):
            self.progress("removing", number, len(purges))
            purge.remove(self.store)
        clean_records(self.store, blocks)
        done = replace(
            planned, done=True, version=version.name if version else "", key_file=key_file
        )
        record = done.as_json() | {"done_at": self.now.isoformat()}
        del record["key_file"]
        # One that another forgetting has begun since is its own: nothing was looked for by it here.
        for name in sorted(set(blocks.requests) & set(open_requests(self.store))):
            close_request(self.store, name, record)
        return done

    def _is_revoked(self, name: str) -> bool:
        version = read_version(self.store, name, revoked_too=True)
        return version is not None and version.revoked

    def _each(self, what: str, work: Callable[[str], Found]) -> list[Found]:
        """Does the same with every cell, and tells how far it is."""
        return each_cell(self.store, what, work, self.progress)


def open_forgetter(root: str, settings: Settings, asked: Asked, **more: Any) -> Forgetter:
    """Opens a dataset in which something is to be forgotten."""
    return Forgetter(open_dataset(root), settings, asked, **more)


def show_forgetting(console: Console, found: Forgetting) -> None:
    """Prints what would be done, or has been."""
    table = Table(header_style="bold", title_justify="left")
    table.add_column("what is forgotten" if found.done else "what would be forgotten")
    table.add_column("number", justify="right")
    rows: list[tuple[str, int]] = [
        ("photos with a picture", found.photos),
        ("  of those, the same picture again", found.copies),
        ("other photos that were seen", found.seen),
        ("cells written anew", found.cells),
        ("shards written anew", found.shards),
        ("pairs that go", found.pairs),
        ("chips that go, for want of another photo", found.chips_gone),
        ("chips that stay, with fewer photos", found.chips_touched),
        ("versions revoked", len(found.revoked)),
    ]
    for name, count in rows:
        table.add_row(name, f"{count:,}")
    console.print(table)
    lines = []
    if found.revoked:
        lines.append(f"revoked: {', '.join(found.revoked)}")
    if found.unfinished:
        lines.append(f"{found.unfinished} forgettings that were stopped are brought to their end")
    if not (found.photos or found.seen):
        go = "are" if found.done else "go"
        lines.append(f"no row names them; they {go} on the block list all the same")
    if found.done:
        lines.append(f"done; the dataset's version is now {found.version or 'none yet'}")
    if found.key_file:
        lines.append(
            f"the key of the block list was made in {found.key_file}: keep a copy where you keep"
            " passwords. Builds on this dataset need it, on every machine. If it is lost, nobody"
            " can tell any more who must not be collected, and builds stop for good."
        )
    for line in lines:
        console.print(Text(line), soft_wrap=True)
