"""Tables and records on a terminal: what comes from outside is text, never markup or command."""

from __future__ import annotations

import json
import os
import shutil
import unicodedata
from collections.abc import Mapping
from contextlib import contextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

import shapely
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TURNING: Final = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
"""Unicode's classes of characters that turn the direction of what follows."""

_COLOURS: Final = {
    "kept": "green", "passed": "green", "new": "green", "rejected": "yellow", "gone": "yellow",
    "failed": "red", "stopped here": "bold red", "not reached": "dim", "changed": "cyan",
}  # fmt: skip
"""Words that stand for how something ended, and how they are shown in a terminal."""


_WHOLE: Final = 36
"""Words of up to so many characters are never broken: dates, numbers, ids of photos and chips."""

_FOLDED: Final = 16
"""Characters that longer words, as hashes and scenes' ids, have at least in each of their lines."""


def print_table(console: Console, title: str, records: Sequence[Mapping[str, Any]]) -> None:
    """Prints records as a table, a column for each key of the first.

    Where words and numbers would have to be broken to fit, the records stand one below the other.
    """
    table = Table(title=title, title_justify="left", header_style="bold")
    names = list(records[0]) if records else []
    narrowest = 1
    for name in names:
        values = [record[name] for record in records]
        numbers = all(
            isinstance(one, int | float | None) and not isinstance(one, bool) for one in values
        )
        words = [as_text(one).split() for one in values]
        longest = max((cell_len(word) for text in words for word in text), default=1)
        room = longest if longest <= _WHOLE else _FOLDED
        header = name.replace("_", " ")
        if cell_len(header) > room:
            header = name.replace("_", "\n")
        table.add_column(
            header, overflow="fold", justify="right" if numbers else "left",
            no_wrap=longest <= _WHOLE and max(map(len, words)) <= 1,
        )  # fmt: skip
        narrowest += max(room, *map(cell_len, header.split("\n"))) + 3  # two spaces and a line
    if narrowest > console.width:
        for number, record in enumerate(records, start=1):
            print_record(console, record, f"{title}: {number} of {len(records):,}")
        return
    for record in records:
        table.add_row(*(shown(record[name]) for name in names))
    console.print(table)


def print_record(console: Console, record: Mapping[str, Any], title: str | None = None) -> None:
    """Prints a record, a line for each field."""
    if title is not None:
        console.print(Text(title, "bold"))
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in record.items():
        table.add_row(name, shown(value))
    console.print(table)
    console.print()


def shown(value: Any) -> Text:
    """Returns a value as it is shown; words that say how something ended have a colour."""
    text = as_text(value)
    return Text(text, _COLOURS.get(text, ""))


def as_text(value: Any) -> str:
    """Returns a value as plain text."""
    if value is None:
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return repr(round(value, 6)) if abs(value) >= 1e-3 else f"{value:.3g}"
    return json.dumps(value) if isinstance(value, list | dict) else harmless(str(value))


def harmless(text: str) -> str:
    """Returns a text with control characters and those that turn its direction as escapes.

    Titles are written by strangers, and a terminal does what its control characters say.
    """
    return "".join(
        one.encode("unicode_escape").decode()
        if unicodedata.category(one) in {"Cc", "Cs"} or unicodedata.bidirectional(one) in _TURNING
        else one
        for one in text
    )


def as_json_value(name: str, value: Any) -> Any:
    """Returns a cell of a table as JSON can hold it; geometries are WKT."""
    if isinstance(value, bytes | bytearray):
        return shapely.from_wkb(bytes(value)).wkt if name == "geometry" else value.hex()
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): as_json_value(name, one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [as_json_value(name, one) for one in value]
    return value


@contextmanager
def paged(console: Console) -> Iterator[Console]:
    """In a terminal, shows what is printed page by page if it does not fit (PAGER, else less)."""
    if not console.is_terminal:
        yield console
        return
    wanted = os.environ.get("MANPAGER") or os.environ.get("PAGER") or ""
    if wanted.strip() and shutil.which(wanted.split()[0]) is None:
        yield console  # a shell would say that there is no such program, and show nothing
        return
    # As git does: quit if it fits on one screen, keep colours, leave the text on the screen.
    os.environ.setdefault("LESS", "FRX")
    with console.pager(styles=not console.no_color):
        yield console


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Shows on standard error, in a terminal alone, that something is being done."""
    with Console(stderr=True).status(Text(what)):
        yield
