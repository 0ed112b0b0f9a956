"""Other photos that show the picture of one that is to be forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.compute as pc

from collectors.records import Stage
from flows.cells.blocked import holds_blocked, newest_tables
from flows.cells.state import latest_generations
from flows.products.tables import read_parquet
from flows.upkeep.dataset import newest_usable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.storage import Store
    from flows.products.block_list import BlockList


def find_copies(store: Store, blocks: BlockList) -> Iterator[str]:
    """Gives kept photos that show the picture of one on a list, and are not on it themselves.

    They have the same bytes, or the newest version says that one of the two stands for the other.
    """
    latest = latest_generations(store)
    digests: set[str] = set()
    for cell_id, generation in latest.items():
        photos = newest_tables(store, cell_id, generation).photos
        if holds_blocked(photos, blocks):
            digests.update(
                row["sha256"] for row in photos.select(["photo_id", "owner", "sha256"]).to_pylist()
                if blocks.blocks(row["photo_id"], row["owner"])
            )  # fmt: skip
    if digests:
        for cell_id, generation in latest.items():
            photos = newest_tables(store, cell_id, generation).photos
            for row in photos.select(["photo_id", "owner", "sha256"]).to_pylist():
                same = row["sha256"] in digests
                if same and not blocks.blocks(row["photo_id"], row["owner"]):
                    yield row["photo_id"]
    yield from _stand_ins(store, blocks)


def _stand_ins(store: Store, blocks: BlockList) -> Iterator[str]:
    version = newest_usable(store)
    if version is None:
        return
    for path in version.files("rejects"):
        table = read_parquet(store.read(path)).select(["photo_id", "owner", "stage", "detail"])
        for row in table.filter(pc.equal(table["stage"], str(Stage.PUBLISH))).to_pylist():
            listed = blocks.blocks(row["photo_id"], row["owner"])
            if listed != blocks.blocks(row["detail"]):
                yield row["detail"] if listed else row["photo_id"]
