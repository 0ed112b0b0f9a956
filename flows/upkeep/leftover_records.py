"""What a dataset keeps beside its rows and bytes, and in which an id may stand."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collectors.storage import Store
    from flows.products.block_list import BlockList

FOLDERS: Final = ("runs", "rechecks")
"""Records of runs, whose troubles may name a photo, and what a recheck asked when."""

_ID: Final = re.compile(r"[0-9]+@N[0-9]+|[0-9]{1,20}")


def clean_records(store: Store, blocks: BlockList) -> None:
    """Takes what is on a block list out of records; nothing relies on them."""
    for folder in FOLDERS:
        for path in store.list(folder):
            text = store.read(path)
            try:
                clean = json.dumps(_clean(json.loads(text), blocks), indent=1).encode()
            except ValueError:
                continue
            if clean != text and json.loads(clean) != json.loads(text):
                store.replace(path, clean)


def _clean(value: Any, blocks: BlockList) -> Any:
    if isinstance(value, dict):
        return {
            name: _clean(one, blocks) for name, one in value.items() if not blocks.blocks_text(name)
        }
    if isinstance(value, list):
        return [_clean(one, blocks) for one in value]
    if isinstance(value, str):
        return _ID.sub(lambda one: "…" if blocks.blocks_text(one[0]) else one[0], value)
    return value
