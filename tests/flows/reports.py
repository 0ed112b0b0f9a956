"""A dataset with titles and rows that mean harm, and the report on it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from flows.progress import no_progress
from flows.report.writing import Written, write_report

if TYPE_CHECKING:
    from pathlib import Path

MARKUP: Final = "<img src=x onerror=\"document.title='owned'\"><script>alert(1)</script>\u202e"
SCRIPT_LINK: Final = "javascript:document.title='owned'"
PAIRS: Final = 40


@dataclass(frozen=True)
class Reported:
    """The dataset, and the report on it."""

    root: Path
    written: Written

    @property
    def folder(self) -> Path:
        """Where the report lies."""
        return self.written.folder

    def address(self, page: str) -> str:
        """Returns a page's address on disk."""
        return (self.folder / page).as_uri()


def write(root: Path, output: Path, *, pairs: int = PAIRS) -> Written:
    """Writes a report without telling anybody."""
    return write_report(str(root), output, version=None, pairs=pairs, progress=no_progress)


def make_hostile(built: Path, root: Path) -> None:
    """Copies a dataset; every fourth photo gets a title of markup, others links that are scripts.

    One photo's checksum no longer is that of its bytes.
    """
    shutil.copytree(built, root)
    for path in sorted((root / "manifests").glob("*/photos/*.parquet")):
        table = pq.read_table(path)
        columns: dict[str, list[Any]] = {
            name: table[name].to_pylist() for name in ("title", "attribution", "page_url", "sha256")
        }
        for place in range(0, table.num_rows, 4):
            columns["title"][place] = f"{MARKUP} {place}"
            columns["attribution"][place] = f'"{MARKUP}" by <b>nobody</b> (CC BY 2.0), via Flickr'
        for place in range(1, table.num_rows, 4):
            columns["page_url"][place] = SCRIPT_LINK
        for place in range(2, table.num_rows, 8):
            columns["sha256"][place] = "0" * 64
        for name, values in columns.items():
            at = table.schema.get_field_index(name)
            table = table.set_column(at, table.schema.field(at), pa.array(values, pa.string()))
        pq.write_table(table, path)
