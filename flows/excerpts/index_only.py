"""A version without a byte of a photo: identifiers, links, licences, pairs, scenes and grids.

For photos whose licence lets them be used and not be passed on, and for anyone who would rather
point at a photo than hold it: whoever has the index asks Flickr for the photo, if it is still
there, and Earth Engine for the scene.
"""

from __future__ import annotations

import hashlib
import json
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from collectors.storage import open_store
from collectors.transport import WrongUse
from flows.description.attributions import FOLDER as ATTRIBUTION
from flows.description.attributions import attribution_files
from flows.description.cards import index_card, licence_summary
from flows.description.facts import gather_facts
from flows.products.revoked import while_published
from flows.products.tables import COMPRESSION
from flows.products.versions import INDICES, check_only, local_files, open_beside, published_version
from flows.progress import no_progress

if TYPE_CHECKING:
    from pathlib import Path

    from flows.progress import Progress

INDEX: Final = "index.json"

LEFT_OUT: Final = {
    "photos": ("title", "tags", "shard", "offset", "picture_hash"),
    "chips": ("shard", "offset"),
    "pairs": (),
}
"""Columns that an index does not have: what is an owner's own text or leads to stored bytes. The
title stands in `attribution`, where licences ask for it. `size` and `sha256` stay: they say whether
a picture made again is the same."""

_OWN: Final = ("LICENSE.md", INDEX, f"{ATTRIBUTION}/", *(f"{product}/" for product in LEFT_OUT))
"""Paths of an index, or what they begin with."""


def write_index(
    root: str, output: str | None = None, version_name: str | None = None,
    progress: Progress = no_progress,
) -> dict[str, Any]:  # fmt: skip
    """Writes the index of a version.

    Args:
        root: The dataset.
        output: Where to; `index/vNNNN` in the dataset by default.
        version_name: A version; the newest by default.
        progress: Hears how many files are written.

    Returns:
        For JSON: `root`, `version`, and rows by product.

    Raises:
        WrongUse: If there is no such version, or other files lie where these would.
        SetupError: If the version was revoked, before or meanwhile; then nothing of it is left in
            the dataset, and elsewhere it has no `index.json`.
    """
    store = open_store(root, writable=output is None)
    version = published_version(store, version_name)
    target = store if output is None else open_beside(store, output)
    prefix = f"{INDICES}/{version.name}/" if output is None else ""
    written: list[dict[str, Any]] = []

    def write(path: str, data: bytes) -> None:
        if not target.create(f"{prefix}{path}", data):
            raise WrongUse(
                f"{target.root}/{prefix}{path}", "is there already, with another content.",
                "Give --output a folder that is empty.",
            )  # fmt: skip
        digest = hashlib.sha256(data).hexdigest()
        written.append({"path": path, "bytes": len(data), "sha256": digest})

    files = [(product, path) for product in LEFT_OUT for path in version.files(product)]
    rows = {product: version.rows(product) for product in LEFT_OUT}
    with while_published(store, version.name, within=output is None):
        facts = gather_facts(store, version, progress)
        card = index_card(version, facts).encode()
        if output is not None:
            mine = target.exists("README.md") and target.read("README.md") == card
            check_only(target, (*_OWN, "README.md") if mine else _OWN, "this index")
        for done, (product, path) in enumerate(files):
            progress("files written", done, len(files))
            with local_files(store, [path]) as (local,):
                write(f"{product}/{path.rpartition('/')[2]}", without_columns(local, product))
        for name, data in attribution_files(store, version):
            write(name, data)
        write("LICENSE.md", licence_summary(version, facts).encode())
        write("README.md", card)
        about = {
            "schema": version.manifest["schema"], "version": version.name, "files": list(written),
            "rows": rows, "left_out": {name: list(one) for name, one in LEFT_OUT.items()},
        }  # fmt: skip
        published_version(store, version.name)  # by its last file it is taken for whole
        write(INDEX, json.dumps(about, indent=1, sort_keys=True).encode())
    progress("files written", len(files), len(files))
    return {"root": f"{target.root}/{prefix}".rstrip("/"), "version": version.name} | rows


def without_columns(path: Path, product: str) -> bytes:
    """Returns a table's file without the columns that an index does not have.

    Row groups, order and the file's GeoParquet metadata stay.
    """
    sink = BytesIO()
    with pq.ParquetFile(path) as file:
        schema = file.schema_arrow
        kept = [name for name in schema.names if name not in LEFT_OUT[product]]
        fewer = pa.schema([schema.field(name) for name in kept], schema.metadata)
        with pq.ParquetWriter(sink, fewer, compression=COMPRESSION) as writer:
            for number in range(file.num_row_groups):
                table = file.read_row_group(number, columns=kept).select(kept).cast(fewer)
                writer.write_table(table, row_group_size=max(1, table.num_rows))
    return sink.getvalue()
