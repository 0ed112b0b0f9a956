"""The promises about what a version says of itself: it is there, and the tables say the same."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from io import BytesIO
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from collectors.storage import Missing
from flows.verification.findings import Finding

if TYPE_CHECKING:
    from collectors.storage import Store
    from flows.products.versions import Version
    from flows.verification.row_invariants import CellRows


class DescriptionInvariants:
    """Counts cells one after the other, and compares with the descriptions at the end.

    A version of a release that wrote no descriptions has none to check.
    """

    def __init__(self, store: Store, version: Version) -> None:
        """Takes the version."""
        self._store, self._version = store, version
        self._files = version.manifest.get("descriptions", [])
        self._photos = 0
        self._licences: Counter[str] = Counter()
        self._chips: Counter[str] = Counter()
        self.described = Finding(
            "descriptions",
            "every description has the checksum stated, the Croissant file states those of the"
            " tables, every kept photo has a line of attribution, every licence is counted, and"
            " every chip with pixels is a STAC item",
        )

    def check(self, rows: CellRows) -> None:
        """Counts the rows of one cell."""
        self._photos += len(rows.photos)
        self._licences.update(photo.licence for photo in rows.photos)
        self._chips.update(chip.sensor for chip in rows.chips if chip.kept)

    def finish(self) -> None:
        """Compares, one file in memory at a time."""
        if not self._files:
            return
        prefix = f"manifests/{self._version.name}/"
        lines, items, licences = 0, Counter[str](), ""
        for one in self._files:
            name = one["path"].removeprefix(prefix)
            try:
                data = self._store.read(one["path"])
            except Missing:
                self.described.expect(False, f"{one['path']} is missing")
                continue
            digest = hashlib.sha256(data).hexdigest()
            whole = digest == one["sha256"] and len(data) == one["bytes"]
            self.described.expect(whole, f"{one['path']}: its content is {digest[:12]}…")
            if not whole:
                continue
            if name.startswith("attribution/"):
                lines += data.count(b"\n")
            elif name.startswith("stac/") and name.endswith(".parquet"):
                items[name.split("/")[1]] += pq.ParquetFile(BytesIO(data)).metadata.num_rows
            elif name == "LICENSE.md":
                licences = data.decode()
            elif name == "croissant.json":
                self._check_croissant(json.loads(data), prefix)
        self._expect("lines of attribution", lines, self._photos)
        for sensor in sorted(self._chips.keys() | items.keys()):
            self._expect(f"STAC items of {sensor}", items[sensor], self._chips[sensor])
        for code, count in sorted(self._licences.items()):
            self.described.expect(
                f"| {code} | {count:,} |" in licences,
                f"LICENSE.md does not count {count:,} photos under {code}",
            )

    def _expect(self, what: str, found: int, wanted: int) -> None:
        self.described.expect(found == wanted, f"{found:,} {what}, and {wanted:,} rows")

    def _check_croissant(self, croissant: dict[str, object], prefix: str) -> None:
        """Compares what the Croissant file says of the tables with the manifest."""
        stated = {
            one["contentUrl"]: (one["contentSize"], one["sha256"])
            for one in croissant["distribution"]  # type: ignore[attr-defined]
            if one["@type"] == "cr:FileObject"
        }
        for file in (one for files in self._version.manifest["tables"].values() for one in files):
            name = file["path"].removeprefix(prefix)
            self.described.expect(
                stated.get(name) == (f"{file['bytes']} B", file["sha256"]),
                f"croissant.json says {stated.get(name)} of {name}",
            )
