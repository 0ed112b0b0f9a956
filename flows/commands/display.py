"""What commands show while they work: lines as they are, and how far something is."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final

from rich import progress as bars
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flows.progress import Progress

_OFTEN_S: Final = 0.1
"""The display is told at most this often."""


def say(console: Console, line: str) -> None:
    """Prints a line as it is: no markup, no colours, no line breaks."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)


@contextlib.contextmanager
def showing(console: Console | None = None) -> Iterator[Progress]:
    """Shows how far something is, on standard error, where that is a terminal."""
    console = console or Console(stderr=True)
    bar = bars.Progress(
        bars.TextColumn("{task.description}", markup=False), bars.BarColumn(),
        bars.MofNCompleteColumn(), bars.TimeRemainingColumn(),
        console=console, transient=True, disable=not console.is_terminal,
        redirect_stdout=False,  # what is piped elsewhere stays what it is
    )  # fmt: skip
    task: bars.TaskID | None = None
    told, last = 0.0, ""

    def progress(what: str, done: int, of: int) -> None:
        nonlocal task, told, last
        now = time.monotonic()
        if task is None or what != last:
            if task is not None:
                bar.remove_task(task)
            task = bar.add_task(what, total=of or None)
            last, told = what, 0.0
        if now - told >= _OFTEN_S or done == of:
            told = now
            bar.update(task, completed=done, total=of or None)

    with bar:
        yield progress
