"""The promise that what was forgotten stands nowhere any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collectors.shards import read_index
from collectors.storage import Missing
from collectors.transport import SetupError
from flows.products.block_list import (
    FORGOTTEN,
    KEY_CHECK,
    BlockList,
    is_token,
    open_block_list,
    open_requests,
)
from flows.products.revoked import left_of_revoked
from flows.products.versions import MANIFESTS, REVOKED
from flows.verification.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable

    from collectors.storage import Store
    from flows.products.rows import RejectRow
    from flows.verification.row_invariants import CellRows


class ForgottenInvariants:
    """Checks cells one after the other."""

    def __init__(self, store: Store, key: str | None) -> None:
        """Opens the block list, if there is one and its key is here.

        Args:
            store: The dataset.
            key: The key of the block list; without it the rest of the promise is checked.
        """
        self._store = store
        self._blocks = BlockList()
        self.finding = Finding(
            "forgotten",
            "nothing on the block list is named by a row or a shard; of what was forgotten only a"
            " row without anything of it is left, and nothing of a revoked version but its name",
        )
        if store.exists(KEY_CHECK):
            try:
                self._blocks = open_block_list(store, key)
            except SetupError as error:
                self.finding.notes.append(f"rows and shards are not compared with it: {error}")

    def check(self, rows: CellRows, shards: Iterable[str]) -> None:
        """Checks the rows and the shards of one cell."""
        for photo in rows.photos:
            self._expect_unnamed(f"photo {photo.photo_id}", photo.photo_id, photo.owner)
        for row in rows.rejects:
            if is_token(row.photo_id) or row.reason == FORGOTTEN:
                self.finding.expect(_is_empty(row), f"row {row.photo_id} says more than it may")
            else:
                self._expect_unnamed(f"photo {row.photo_id}", row.photo_id, row.owner)
                self._expect_unnamed(f"the detail of {row.photo_id}", row.detail, None)
        for path in shards if self._blocks.hashes else ():
            try:
                items = [row["item_id"] for row in read_index(self._store, path)]
            except (Missing, ValueError):  # `shards-whole` says so
                continue
            for item in items:
                self._expect_unnamed(f"{path}: {item}", item, None)

    def finish(self) -> None:
        """Looks at what concerns the whole dataset."""
        for name in open_requests(self._store):
            self.finding.expect(False, f"request {name} was not brought to its end: run `forget`")
        paths = self._store.list(MANIFESTS)
        revoked = {path.split("/")[1] for path in paths if path.endswith(f"/{REVOKED}")}
        left = {one.path.split("/")[1]: one.path for one in left_of_revoked(self._store)}
        for name in sorted(revoked):
            self.finding.expect(
                name not in left,
                f"{name} was revoked, and {left.get(name)} is still there: run `sweep`",
            )
        if revoked:
            self.finding.notes.append(f"revoked versions: {', '.join(sorted(revoked))}")

    def _expect_unnamed(self, what: str, photo_id: str, owner: str | None) -> None:
        self.finding.expect(
            not self._blocks.blocks(photo_id, owner), f"{what} is on the block list"
        )


def _is_empty(row: RejectRow) -> bool:
    """Says whether a row of a forgotten photo says only where it was."""
    told = (row.owner, row.lon, row.lat, row.taken_at, row.licence, row.indoor_probability)
    return (
        is_token(row.photo_id)
        and row.reason == FORGOTTEN
        and not row.detail
        and all(one is None for one in told)
    )
