"""What commands show while they work: lines as they are, and how far something is."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_OFTEN_S: Final = 0.1
"""The display is told at most this often."""


def say(console: Console, line: str) -> None:
    """Prints a line as it is: no markup, no colours, no line breaks."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)


@contextlib.contextmanager
def showing(console: Console | None = None) -> Iterator[Callable[[str, int, int], None]]:
    """Shows how far something is, on standard error, where that is a terminal."""
    console = console or Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console, transient=True, disable=not console.is_terminal,
        redirect_stdout=False,  # what is piped elsewhere stays what it is
    )  # fmt: skip
    task = bar.add_task("", total=None, visible=False)
    told = 0.0
    last = ""

    def progress(what: str, done: int, of: int) -> None:
        nonlocal told, last
        now = time.monotonic()
        if what != last:
            bar.reset(task, total=of, description=what, visible=True)
            last, told = what, 0.0
        if now - told >= _OFTEN_S or done == of:
            told = now
            bar.update(task, completed=done, total=of)

    with bar:
        yield progress
