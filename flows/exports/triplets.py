"""Triplets: a chip, words that fit it, and a chip that they do not fit, with the reason.

    triplets/<sensor>-<split>-000000.jsonl (or .parquet)
    export.json, README.md

A triplet is of a split if both chips lie on ground of that split and both scenes were taken in
blocks of time that were dealt to it, so neither a place nor a time is on two sides.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from collectors.storage import open_store
from collectors.transport import SetupError
from filters.splits import Split
from filters.triplets import Pools, Reason
from flows.description import statements
from flows.exports.folder import ExportFolder
from flows.exports.triplet_rows import Told, file_of
from flows.products.versions import open_beside, published_version
from flows.progress import no_progress
from flows.wording.reading import Regions, chip_texts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from collectors.storage import Store
    from flows.catalogue.blocks import Region
    from flows.exports.triplet_rows import TripletForm
    from flows.progress import Progress

ANCHORS_OF_A_PORTION: Final = 2_000
"""Chips whose triplets are one file, and the step of resuming."""

SPLITS: Final = (Split.TRAIN, Split.VAL, Split.TEST)

_RULES: Final = (
    "No negative lies within two sides of its anchor's centre, or has a picture near one of the"
    " anchor's. Far is 100 km or more; alike in place is 50 km at most; seasons are different if 45"
    " days or more apart in the year; land cover is alike with 75 % of the ground in common, and"
    " different with 50 % or less."
)

_RIGHTS: Final = (
    "Titles and tags are their owners'; `photos` leads to licence and attribution in the dataset's"
    f" table. {statements.PEOPLE} **This must not be used to find, watch or identify people or"
    " their homes.** If a photo has to be forgotten, the version is revoked: delete this export,"
    " then, and make it anew from the newest version."
)


def export_triplets(
    root: str,
    output: str,
    form: TripletForm,
    regions: Mapping[str, Region],
    *,
    version_name: str | None = None,
    split: Split | None = None,
    sensor: str | None = None,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Exports triplets of a version, or goes on with an export that was stopped.

    The same version, regions and options give the same bytes. Words wait in a temporary file;
    memory grows by some 200 bytes for each chip and 80 for each photo.

    Args:
        root: The dataset: a local path, `s3://…` or `gs://…`.
        output: Where the export goes: an empty folder or prefix, or the same export begun.
        form: How they are wanted.
        regions: The catalogue's regions, whose titles are words for places.
        version_name: A version; the newest by default.
        split: Only triplets of this split.
        sensor: Only chips of this sensor.
        progress: Hears how far it is.

    Returns:
        What `export.json` holds.

    Raises:
        SetupError: If there is no such version or sensor, no chip has a negative, the version was
            revoked meanwhile, or the output holds anything else.
    """
    store = open_store(root, writable=False)
    version = published_version(store, version_name, sensor)
    target = open_beside(store, output)
    grounds = Regions(regions)
    identity = {
        "form": "triplets", "version": version.name, "tables_sha256": version.fingerprint,
        "regions_sha256": grounds.fingerprint, "split": split, "sensor": sensor,
        "options": form.options(),
    }  # fmt: skip
    folder = ExportFolder(target, identity)

    def fill() -> dict[str, Any]:
        with tempfile.TemporaryFile() as spool:
            told = Told(spool, form, version)
            for text in chip_texts(store, version, grounds, progress):
                if sensor in {None, text.sensor}:
                    told.add(text, split)
            return _write(folder, told, store, progress)

    return folder.complete(fill)


def _write(folder: ExportFolder, told: Told, store: Store, progress: Progress) -> dict[str, Any]:
    """Writes all portions that are not there yet, and commits the export."""
    finished = folder.finished()
    names: list[str] = []
    total = sum(len(rows) for rows in told.groups.values())
    done = 0
    for key in sorted(told.groups, key=lambda one: (one[0], SPLITS.index(one[1]))):
        pools: Pools | None = None
        count = len(told.groups[key])
        for first in range(0, count, ANCHORS_OF_A_PORTION):
            progress("chips compared", done, total)
            name = f"{key[0]}-{key[1]}-{first // ANCHORS_OF_A_PORTION:06d}"
            names.append(name)
            some = range(first, min(count, first + ANCHORS_OF_A_PORTION))
            done += len(some)
            if name in finished:
                continue
            pools = pools or Pools(told.chips(key), told.seed)
            _write_portion(folder, told, key, name, pools, some)
    progress("chips compared", total, total)
    return _end(folder, told, store, names)


def _write_portion(
    folder: ExportFolder, told: Told, key: tuple[str, Split], name: str, pools: Pools, some: range
) -> None:  # fmt: skip
    found = [(anchor, pools.negatives(anchor)) for anchor in some]
    rows = list(told.rows(key, found))
    counts = Counter({"triplets": len(rows), "anchors": sum(bool(one) for _, one in found)})
    counts["left out: no negative"] = sum(not one for _, one in found)
    for row in rows:
        counts[f"split {row['split']}"] += 1
        counts[f"reason {row['reason']}"] += 1
    lines = []
    if rows:
        path = f"triplets/{name}.{told.form.file_format}"
        lines.append(folder.write(path, file_of(rows, told.form.file_format)))
    folder.finish(name, lines, counts, {})


def _end(folder: ExportFolder, told: Told, store: Store, names: list[str]) -> dict[str, Any]:
    counts: Counter[str] = Counter()
    lines: list[str] = []
    for name in names:
        more, counted = folder.journal(name)
        lines += more
        counts.update(counted)
    if not counts["triplets"]:
        raise SetupError(
            told.version.name, "has no triplets of that kind: no chip has a negative in its split.",
            "Take --blocks none, which splits by ground alone, or build more.",
        )  # fmt: skip
    left_out = told.left_out + Counter({"no negative": counts["left out: no negative"]})
    figures = {
        "triplets": counts["triplets"], "anchors": counts["anchors"],
        "triplets_by_split": {one.value: counts[f"split {one}"] for one in SPLITS},
        "triplets_by_reason": {one.value: counts[f"reason {one.value}"] for one in Reason},
        "left_out": dict(sorted(left_out.items())),
    }  # fmt: skip
    lines.append(folder.write("README.md", _readme(told, figures)))
    # What was forgotten meanwhile must not be committed.
    published_version(store, told.version.name)
    return folder.commit(figures, lines)


def _readme(told: Told, figures: Mapping[str, Any]) -> bytes:
    """Returns the README of the export. Nothing in it is an owner's words."""
    form = told.form
    shares = "/".join(f"{one:g}" for one in form.time_shares)
    timed = (
        "Splits are the version's own, by blocks of ground. Time is not split."
        if form.blocks == "none" else
        f"A triplet is of a split if both its chips lie on ground of that split of the version, and"
        f" both scenes were taken in a {form.blocks} that was dealt to it ({shares} % to train, val"
        " and test, dealt in turn by steps of the golden ratio from where the dataset's seed,"
        f" {told.seed}, says). All other chips are left out, so that neither ground nor time is on"
        " two sides."
    )  # fmt: skip
    lines = [
        f"# Terrapair {told.version.name}: triplets", "",
        f"{figures['triplets']:,} triplets of {figures['anchors']:,} chips.", "",
        "| column | meaning |", "|---|---|",
        "| `anchor`, `anchor_shard` … | a chip, and where its GeoTIFF lies in the dataset |",
        "| `positive` | what was measured of it, in a sentence |",
        "| `titles`, `tags`, `scripts`, `photos` | what owners call the photos in it, as written |",
        "| `negative`, `negative_text` … | a chip that the words do not fit, and its own |",
        "| `reason` | far, other season, other land cover; hard: alike in all but one thing |",
        "| `differs` | all in which the two clearly differ: place, season, land cover |",
        "| `anchor_time`, `negative_time` | the block of time of each scene |", "",
        timed, "",
        _RULES, "",
        "## Rights, and what not to do", "",
        _RIGHTS, "",
    ]  # fmt: skip
    return "\n".join(lines).encode()
