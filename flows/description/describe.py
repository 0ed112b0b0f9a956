"""Writes what a version says of itself, beside its tables."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from collectors.storage import open_store
from collectors.transport import WrongUse
from flows.description import stac
from flows.description.attributions import FOLDER as ATTRIBUTION
from flows.description.attributions import attribution_files
from flows.description.band_statistics import measure_bands
from flows.description.cards import card, datasheet, licence_summary
from flows.description.croissant import croissant_json
from flows.description.facts import gather_facts
from flows.description.stac_items import item_files
from flows.products.revoked import while_published
from flows.products.versions import MANIFESTS, check_only, open_beside, published_version
from flows.progress import no_progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from collectors.storage import Store
    from flows.products.versions import Version
    from flows.progress import Progress

    Write = Callable[[str, bytes], bool]
    """Writes a file under a path in the version's folder; False if another content is there."""

STATISTICS: Final = "statistics.json"
CROISSANT: Final = "croissant.json"

_OWN: Final = (STATISTICS, CROISSANT, "LICENSE.md", "DATASHEET.md", "README.md", f"{ATTRIBUTION}/",
               f"{stac.FOLDER}/")  # fmt: skip
"""Paths of descriptions, or what they begin with."""

_TYPES: Final = {
    "json": "application/json", "parquet": "application/x-parquet", "txt": "text/plain",
    "md": "text/markdown",
}  # fmt: skip


class Writing:
    """Writes descriptions one after the other, and remembers what was written."""

    def __init__(self, write: Write) -> None:
        """Takes what writes a file."""
        self._write = write
        self.files: dict[str, dict[str, Any]] = {}
        self.taken: str | None = None

    def add(self, path: str, data: bytes) -> None:
        """Writes a file, unless an earlier one found its path taken by another content."""
        if self.taken is None and not self._write(path, data):
            self.taken = path
        self.files[path] = {
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "type": _TYPES[path.rpartition(".")[2]],
        }

    def add_json(self, path: str, value: Any) -> None:
        """Writes a file of JSON."""
        text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)
        self.add(path, f"{text}\n".encode())


def describe(
    store: Store, version: Version, write: Write, progress: Progress = no_progress
) -> Writing:
    """Makes the descriptions of a version from its tables and, of some chips, their pixels.

    The same tables give the same bytes. Memory does not grow with rows, but for owners (see
    `gather_facts`) and the names of files.

    Args:
        store: The dataset.
        version: The version; of its manifest everything but `descriptions` may be used.
        write: Writes a file.
        progress: Hears how it goes.

    Returns:
        What was written; `taken` names the first path that held another content, after which
        nothing was written.
    """
    facts = gather_facts(store, version, progress)
    statistics = measure_bands(store, version, progress)
    writing = Writing(write)
    writing.add_json(STATISTICS, {"version": version.name, "sensors": statistics})
    for name, data in attribution_files(store, version):
        progress("photos credited", 0, facts.rows["photos"])
        writing.add(name, data)
    sensors = stac.described_sensors(facts)
    for done, sensor in enumerate(sensors):
        progress("sensors catalogued", done, len(sensors))
        collection = stac.collection_json(version, sensor, facts.sensors[sensor])
        assets = {
            "statistics": {"href": f"../../{STATISTICS}", "type": "application/json",
                           "roles": ["metadata"], "title": "Statistics of the bands"}
        }  # fmt: skip
        data_type = statistics[sensor]["data_type"]
        for name, data, items in item_files(store, version, sensor, collection, data_type):
            writing.add(f"{stac.FOLDER}/{sensor}/{name}", data)
            assets[name.removesuffix(".parquet")] = stac.mirror_asset(name, data, items)
        path = f"{stac.FOLDER}/{sensor}/collection.json"
        writing.add_json(path, collection | {"assets": assets})
    if sensors:
        writing.add_json(f"{stac.FOLDER}/catalog.json", stac.catalogue_json(version, sensors))
    writing.add("LICENSE.md", licence_summary(version, facts).encode())
    writing.add("DATASHEET.md", datasheet(version, facts, statistics).encode())
    writing.add_json(CROISSANT, croissant_json(version, facts, writing.files))
    writing.add("README.md", card(version, facts, statistics).encode())
    return writing


def describe_in_place(
    store: Store, version: Version, progress: Progress = no_progress
) -> list[dict[str, Any]] | None:
    """Writes a version's descriptions into its folder, exclusively.

    Returns:
        For the manifest: `path`, `bytes` and `sha256` of each; None if another writer's are there.
    """
    folder = f"{MANIFESTS}/{version.name}"
    writing = describe(
        store, version, lambda path, data: store.create(f"{folder}/{path}", data), progress
    )
    if writing.taken is not None:
        return None
    return [
        {"path": f"{folder}/{path}", "bytes": one["bytes"], "sha256": one["sha256"]}
        for path, one in writing.files.items()
    ]


def describe_dataset(
    root: str,
    version_name: str | None = None,
    output: str | None = None,
    progress: Progress = no_progress,
) -> tuple[str, list[str]]:
    """Describes a version that was published before: in its folder, or elsewhere.

    Args:
        root: The dataset.
        version_name: The version; the newest by default.
        output: Where to write; the version's own folder by default.
        progress: Hears how it goes.

    Returns:
        Where the descriptions lie, and their paths there.

    Raises:
        WrongUse: If there is no such version, or other files lie where these would.
        SetupError: If the version was revoked, before or meanwhile; then nothing of it is left in
            the dataset.
    """
    store = open_store(root, writable=False)
    version = published_version(store, version_name)
    if output is None:
        store = open_store(root)
        folder = f"{MANIFESTS}/{version.name}"
        target, prefix = store, f"{folder}/"
    else:
        target, prefix = open_beside(store, output), ""
        # The statistics are written first: without them nothing there is of this command.
        check_only(target, _OWN if target.exists(STATISTICS) else (), "descriptions")
    with while_published(store, version.name, within=output is None):
        writing = describe(
            store, version, lambda path, data: target.create(f"{prefix}{path}", data), progress
        )
    where = f"{target.root}/{prefix}".rstrip("/")
    if writing.taken is not None:
        raise WrongUse(
            f"{where}/{writing.taken}",
            "is there already, with another content: another release wrote it, or it is something"
            " else. It was not changed.",
            "Give --output a folder that is empty.",
        )
    return where, list(writing.files)
