"""The log for machines: a line of JSON for each cell and each run, when one is asked for."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from collectors.transport import SetupError, redact

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flows.cells.cell import Step
    from flows.cells.orders import Summary
    from flows.runs.building import Watcher

STDERR: Final = "stderr"


class CellLog:
    """A watcher that writes a line for each cell, and tells another one everything.

    A line is added whole, so that several processes may share a file.
    """

    def __init__(
        self,
        inner: Watcher,
        target: str,
        secrets: Sequence[str],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Creates the log, and its file if that is not there.

        Args:
            inner: Hears everything as well.
            target: A file to add to, or `stderr`.
            secrets: What no line may hold.
            clock: Gives the time of a line, UTC, aware.

        Raises:
            SetupError: If the file cannot be written.
        """
        self._inner = inner
        self._target = target
        self._secrets = tuple(secrets)
        self._clock = clock
        if target != STDERR:
            try:
                Path(target).open("ab").close()
            except OSError as error:
                raise SetupError(
                    "TERRAPAIR_LOG_JSON",
                    f"{target} cannot be written ({error.strerror}).",
                    "Give a file in a folder that takes files, or `stderr`.",
                ) from None

    def begin(self, cells: int) -> None:
        """There are so many cells to do."""
        self._inner.begin(cells)

    def step(self, cell_id: str, step: Step, count: int) -> None:
        """A cell has so many photos or chips by now."""
        self._inner.step(cell_id, step, count)

    def finish(self, cell_id: str, summary: Summary) -> None:
        """A cell is done."""
        self._inner.finish(cell_id, summary)
        self._write(
            "cell",
            cell=cell_id,
            ended=next(iter(summary.cells), ""),
            seconds=round(summary.seconds, 3),
            photos={
                "seen": summary.seen, "screened": summary.screened,
                "downloaded": summary.downloaded, "kept": summary.kept, "paired": summary.paired,
            },
            chips=dict(summary.chips),
            reasons=dict(summary.reasons),
            unpaired=dict(summary.unpaired),
            scenes_refused=summary.scenes_refused,
            work={"searches": summary.searched, "photos_downloaded": summary.downloaded,
                  "chips_fetched": summary.fetched},
            short_of_quota=summary.short.get(cell_id, 0),
            trouble=summary.troubles.get(cell_id),
        )  # fmt: skip

    def line(self, text: str) -> None:
        """Something worth a line."""
        self._inner.line(text)

    def end(self, outcome: dict[str, Any]) -> None:
        """The run is done; its outcome is as `flows.runs.run_report.as_json` gives it."""
        names = ("root", "version", "cells", "funnel", "requests", "work", "answers")
        self._write("run", **{name: outcome[name] for name in names})

    def _write(self, event: str, **values: Any) -> None:
        said = {"at": self._clock().isoformat(timespec="milliseconds"), "event": event} | values
        line = redact(json.dumps(said), self._secrets) + "\n"
        if self._target == STDERR:
            sys.stderr.write(line)
            sys.stderr.flush()
            return
        with Path(self._target).open("ab", buffering=0) as file:  # one write, at the file's end
            file.write(line.encode())
