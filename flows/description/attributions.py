"""A line for each photo: what has to be printed wherever it is shown, and where its page is."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

from flows.products.table_rows import row_groups

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collectors.storage import Store
    from flows.products.versions import Version

FOLDER: Final = "attribution"

LINES_PER_FILE: Final = 200_000
"""Lines of a file at which the next one is begun: bounds the memory, at some 40 MB."""

_JOINERS: Final = frozenset("\u200c\u200d")
"""Characters that are not seen and yet belong to the spelling of some languages, and to emoji."""

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's categories of controls, unseen characters, halves of pairs, and ends of lines."""


def plain_line(text: str) -> str:
    r"""Returns a text as one line that a terminal or an editor does nothing with but show it.

    Controls, characters that turn the direction of the text, ends of lines and other characters
    that are not seen become escapes such as `\u202e`.
    """
    return "".join(
        one.encode("unicode_escape").decode()
        if unicodedata.category(one) in _UNSEEN and one not in _JOINERS
        else one
        for one in text
    )


def attribution_files(store: Store, version: Version) -> Iterator[tuple[str, bytes]]:
    """Yields the name and content of each file, photos in the order of the table.

    A line begins with the photo's id, never with what its owner wrote, so that no program takes it
    for a formula. A version without photos has one file without lines.
    """
    lines: list[str] = []
    number = 0
    columns = ["photo_id", "attribution", "page_url"]
    for table in row_groups(store, version, "photos", columns):
        lines += [
            plain_line(f"{row['photo_id']}  {row['attribution']}  {row['page_url']}") + "\n"
            for row in table.to_pylist()
        ]
        if len(lines) >= LINES_PER_FILE:
            yield _file(number, lines)
            number, lines = number + 1, []
    if lines or not number:
        yield _file(number, lines)


def _file(number: int, lines: list[str]) -> tuple[str, bytes]:
    return f"{FOLDER}/part-{number:05d}.txt", "".join(lines).encode()
