"""Checks every promise that a published version makes."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
from rich.table import Table
from rich.text import Text

from collectors.records import Stage
from collectors.storage import Missing, open_store
from flows.catalogue.blocks import SensorSource
from flows.cells.state import count_unpaired, read_commit
from flows.products.rows import PUBLISHED
from flows.products.tables import from_arrow
from flows.products.versions import Version, local_files, published_version
from flows.progress import no_progress
from flows.verification.byte_invariants import ByteInvariants
from flows.verification.description_invariants import DescriptionInvariants
from flows.verification.findings import Finding
from flows.verification.forgotten_invariants import ForgottenInvariants
from flows.verification.photo_invariants import PhotoInvariants
from flows.verification.row_invariants import CellRows, RowInvariants
from flows.verification.split_invariants import SplitInvariants

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from collectors.storage import Store
    from flows.progress import Progress


def verify_dataset(
    root: str,
    version_name: str | None = None,
    block_key: str | None = None,
    progress: Progress = no_progress,
) -> list[Finding]:
    """Checks a version of a dataset, cell by cell, so that memory does not grow with it.

    Args:
        root: The dataset.
        version_name: A version; the newest by default.
        block_key: The key of the block list, if it is here.
        progress: Hears how many files and cells are checked.

    Returns:
        A finding for each invariant.

    Raises:
        SetupError: If there is no such version.
    """
    store = open_store(root, writable=False)
    version = published_version(store, version_name)
    manifest = version.manifest
    files = _check_files(store, version, progress)
    rows_once = Finding(
        "one-row-per-photo",
        "every photo seen is exactly one row, and every row that a cell committed is published",
    )
    whole_cells = Finding(
        "cells-whole", "every commit's parts are there and have the content that their names say"
    )
    by_rows = RowInvariants(manifest)
    by_photos = PhotoInvariants(manifest, store)
    by_splits = SplitInvariants(manifest)
    by_blocks = ForgottenInvariants(store, block_key)
    by_bytes = ByteInvariants(
        store,
        {
            name: SensorSource.model_validate({"kind": "sensor", **block}).sensor(name)
            for name, block in manifest["sensors"].items()
        },
    )
    by_descriptions = DescriptionInvariants(store, version)
    seen: Counter[str] = Counter()
    settled = manifest["settled_duplicates"]
    paths = [path for product in PUBLISHED for path in version.files(product)]
    with local_files(store, [path for path in paths if store.exists(path)]) as local:
        by_product = dict(zip((path for path in paths if store.exists(path)), local, strict=True))
        cells = sorted(manifest["cells"].items())
        for done, (cell_id, generation) in enumerate(cells):
            progress("cells checked", done, len(cells))
            rows = _cell_rows(version, by_product, cell_id)
            commit = read_commit(store, cell_id, generation)
            lost = [photo for photo, cells in settled.items() if cell_id in cells]
            moved = [row.photo_id for row in rows.rejects if row.stage == Stage.PUBLISH]
            seen.update(row.photo_id for row in rows.photos)
            seen.update(row.photo_id for row in rows.rejects)
            _check_counts(rows, commit, len(lost), len(moved), rows_once)
            _check_parts(store, commit, whole_cells)
            by_rows.check(rows)
            by_splits.check(rows)
            by_photos.check(rows)
            by_blocks.check(rows, commit["shards"])
            by_descriptions.check(rows)
            by_bytes.check(rows, commit["shards"], [*lost, *moved])
        progress("cells checked", len(cells), len(cells))
    by_rows.finish()
    by_splits.finish()
    by_photos.finish()
    by_blocks.finish()
    by_descriptions.finish()
    for photo_id, count in seen.items():
        rows_once.expect(count == 1, f"photo {photo_id} is {count} rows")
    found = [*by_rows.findings, by_splits.apart, *by_photos.findings, *by_bytes.findings]
    return [
        rows_once, *found, whole_cells, files, by_descriptions.described, by_blocks.finding,
    ]  # fmt: skip


def _check_files(store: Store, version: Version, progress: Progress) -> Finding:
    """Checks the checksums of a version's tables."""
    finding = Finding("published-files", "every file of the version has the checksum stated")
    tables = [one for files in version.manifest["tables"].values() for one in files]
    for done, file in enumerate(tables):
        progress("files checked", done, len(tables))
        try:
            digest = hashlib.sha256(store.read(file["path"])).hexdigest()
        except Missing:
            digest = "missing"
        finding.expect(digest == file["sha256"], f"{file['path']}: {digest[:12]}…")
    return finding


def _cell_rows(version: Version, local: dict[str, Path], cell_id: str) -> CellRows:
    """Reads the published rows of one cell; a row group is a cell, so little is read in vain."""
    rows: dict[str, list[Any]] = {}
    for product, kind in PUBLISHED.items():
        files = [local[path] for path in version.files(product) if path in local]
        tables = [pq.read_table(file, filters=[("cell", "=", cell_id)]) for file in files]
        rows[product] = [row for table in tables for row in from_arrow(table, kind)]
    return CellRows(cell_id, **rows)


def _check_counts(
    rows: CellRows, commit: dict[str, Any], lost: int, moved: int, finding: Finding
) -> None:
    counts = commit["counts"]
    photos, chips = len(rows.photos) + len(rows.rejects), len(rows.chips)
    expected = counts["photos"] + counts["rejects"] - lost
    finding.expect(
        photos == expected,
        f"cell {rows.cell_id}: {photos} photos are rows, and {expected} were seen",
    )
    finding.expect(
        chips == counts["chips"],
        f"cell {rows.cell_id}: {chips} chips are rows, and {counts['chips']} were placed",
    )
    if not lost and not moved:
        if "unpaired" in commit:  # commits of the first release do not say it
            finding.expect(
                commit["unpaired"] == count_unpaired(rows.photos),
                f"cell {rows.cell_id}: its commit counts other photos without a pair than its rows"
                " give",
            )
        finding.expect(
            len(rows.pairs) == counts["pairs"],
            f"cell {rows.cell_id}: {len(rows.pairs)} pairs are rows, and {counts['pairs']} were"
            " made",
        )


def _check_parts(store: Store, commit: dict[str, Any], finding: Finding) -> None:
    for path in commit["parts"].values():
        try:
            digest = hashlib.sha256(store.read(path)).hexdigest()
        except Missing:
            digest = "missing"
        finding.expect(path.split("-")[1] == digest[:16], f"{path}: its content is {digest[:16]}")


def show_findings(console: Console, findings: list[Finding], *, as_json: bool) -> None:
    """Prints what was found, the broken promises with their first offenders."""
    if as_json:
        console.print_json(json.dumps([asdict(finding) for finding in findings]))
        return
    table = Table(header_style="bold")
    for name, justify in (("invariant", "left"), ("holds", "left"), ("checked", "right"),
                          ("broken", "right")):  # fmt: skip
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for finding in findings:
        sign = Text("no", "bold red") if finding.broken else Text("yes", "green")
        table.add_row(finding.name, sign, f"{finding.checked:,}", f"{finding.broken:,}")
    console.print(table)
    for note in (one for finding in findings for one in finding.notes):
        console.print(Text(note), soft_wrap=True)
    for finding in findings:
        if finding.broken:
            console.print(Text(f"{finding.name}: {finding.promise}. Broken by:", "red"))
            for offender in finding.offenders:
                console.print(Text(f"  {offender}"), soft_wrap=True)
