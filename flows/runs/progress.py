"""How a run shows itself while it goes: a moving display, plain lines, or its flow run's log."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

if TYPE_CHECKING:
    from types import TracebackType

    from flows.cells.cell import Step
    from flows.cells.orders import Summary

QUIET_S: Final = 15.0
"""Plain output says how far things are at most this often, besides a line for each cell."""


class Display:
    """Tells how far a run is: cells, photos and chips done, rate, and time left.

    Use it as a context manager; it is a `Watcher` for `flows.runs.building`.
    """

    def __init__(self, console: Console) -> None:
        """Creates the display; nothing is shown yet.

        Args:
            console: Where to show it. A console that is no terminal gets plain lines.
        """
        self._console = console
        self._lock = threading.Lock()
        self._photos: dict[str, int] = {}
        self._chips: dict[str, int] = {}
        self._done = self._cells = 0
        self._started = self._said = time.monotonic()
        self._bar = Progress(
            TextColumn("cells"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            console=console,
        )  # fmt: skip
        self._task = self._bar.add_task("cells", total=None)
        self._live = Live(self, console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        """Begins to show."""
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stops showing."""
        if self._console.is_terminal:
            self._live.stop()

    def __rich__(self) -> Group:
        """Draws the moving display."""
        with self._lock:
            return Group(self._bar, Text(self._status()))

    def begin(self, cells: int) -> None:
        """There are so many cells to do."""
        with self._lock:
            self._cells = cells
            self._started = self._said = time.monotonic()
        self._bar.reset(self._task, total=cells)
        if not self._console.is_terminal:
            self._print(_to_do(cells))

    def step(self, cell_id: str, step: Step, count: int) -> None:
        """A cell has so many photos or chips by now."""
        with self._lock:
            (self._photos if step == "photos" else self._chips)[cell_id] = count
            now = time.monotonic()
            if self._console.is_terminal or now - self._said < QUIET_S:
                return
            self._said = now
            status = self._status()
        self._print(status)

    def finish(self, cell_id: str, summary: Summary) -> None:
        """A cell is done."""
        with self._lock:
            self._done += 1
            done, cells = self._done, self._cells
            self._said = time.monotonic()
        self._bar.advance(self._task)
        self._print(_finished(cell_id, summary, done, cells))

    def line(self, text: str) -> None:
        """Something worth a line."""
        self._print(text)

    def _print(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)

    def _status(self) -> str:
        spent = time.monotonic() - self._started
        photos, chips = sum(self._photos.values()), sum(self._chips.values())
        text = f"{self._done}/{self._cells} cells, {photos} photos kept, {chips} chips"
        if spent >= 1:
            text += f" ({(photos + chips) / spent:.1f} items/s)"
        if 0 < self._done < self._cells:
            left = spent / self._done * (self._cells - self._done)
            text += f", about {_span(left)} left"
        return text


class FlowLog:
    """Tells the log of a flow run how far it is, where Prefect began it and nobody looks on.

    It is a `Watcher` for `flows.runs.building`. Without it a cell that failed would look like any
    other there: its task has come to its end.
    """

    def __init__(self, log: logging.Logger | logging.LoggerAdapter[logging.Logger]) -> None:
        """Begins with nothing said.

        Args:
            log: The flow run's own, as `prefect.get_run_logger` gives it.
        """
        self._log = log
        self._lock = threading.Lock()
        self._done = self._cells = 0

    def begin(self, cells: int) -> None:
        """There are so many cells to do."""
        self._cells = cells
        self._log.info(_to_do(cells))

    def step(self, cell_id: str, step: Step, count: int) -> None:
        """A cell has so many photos or chips by now: nothing that a log should keep."""

    def finish(self, cell_id: str, summary: Summary) -> None:
        """A cell is done."""
        with self._lock:
            self._done += 1
            text = _finished(cell_id, summary, self._done, self._cells)
        self._log.log(logging.WARNING if summary.troubles else logging.INFO, text)

    def line(self, text: str) -> None:
        """Something worth a line."""
        self._log.info(text)


def _to_do(cells: int) -> str:
    return f"{cells} {'cell' if cells == 1 else 'cells'} to do"


def _finished(cell_id: str, summary: Summary, done: int, cells: int) -> str:
    """Returns the line of a cell that is done, with what went wrong there."""
    how = next(iter(summary.cells), "left out")
    text = (
        f"cell {cell_id} {how} ({done}/{cells}): {summary.seen} photos seen,"
        f" {summary.kept} kept, {summary.chips.total()} chips"
    )
    return text + (f": {summary.troubles[cell_id]}" if summary.troubles else "")


def _span(seconds: float) -> str:
    """Returns a length of time in the largest fitting units."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
