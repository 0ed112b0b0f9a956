"""What a cell is worked on with, where it is worked on: this process, or one far away.

Services hold connections, threads and keys, so they do not travel. What travels is an `Assignment`
in plain values; the process that gets it opens services of its own, with the keys of its own
environment, once for all cells of the run that come to it.
"""

from __future__ import annotations

import atexit
import socket
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

from collectors.transport import SetupError
from flows.catalogue.catalogue import Catalogue
from flows.cells.services import open_services
from flows.runs.building import SilentWatcher, collect_guarded, requests_of
from flows.runs.running import hide_secrets
from flows.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flows.cells.orders import Order, Summary
    from flows.cells.services import Services
    from flows.runs.building import Watcher


@dataclass(frozen=True, slots=True)
class Assignment:
    """What all cells of a run share. Nothing in it is secret.

    Attributes:
        run: Names the run; no two have the same.
        root: Where the dataset is: an absolute path or a URL.
        catalogue: The catalogue as JSON.
    """

    run: str
    root: str
    catalogue: str

    @classmethod
    def of(cls, services: Services) -> Assignment:
        """Returns a new run's assignment."""
        catalogue = services.catalogue.model_dump_json(by_alias=True)
        return cls(uuid4().hex, services.store.root, catalogue)


@dataclass(slots=True)
class Workplace:
    """The services of one run in this process.

    Attributes:
        services: The services.
        watcher: Hears how far the cells are.
        borrowed: Whether they belong to whoever started the run, who closes and counts them.
        cells: Cells that are worked on now.
    """

    services: Services
    watcher: Watcher
    borrowed: bool
    cells: int = 0
    _counting: threading.Lock = field(default_factory=threading.Lock)
    _told: dict[str, int] = field(default_factory=dict)
    _answers_told: Counter[str] = field(default_factory=Counter)

    def collect(self, order: Order) -> Summary:
        """Collects a cell; see `flows.runs.building.collect_guarded`.

        Returns:
            Its counts. The requests and answers of borrowed services are not among them; those of
            others are all that were made in this process since the last cell that ended here,
            whichever cell they were for, so that the sum over all cells is right.
        """
        summary = collect_guarded(order, self.services, self.watcher)
        if not self.borrowed:
            with self._counting:
                now = requests_of(self.services)
                summary.count({name: now[name] - self._told.get(name, 0) for name in now})
                self._told = now
                answers = self.services.answers.counts()
                summary.answers.update(answers - self._answers_told)
                self._answers_told = answers
        return summary


class Workplaces:
    """The workplaces of this process: one for each run that it works for, and of the last one."""

    def __init__(self) -> None:
        """Begins with none."""
        self._open: dict[str, Workplace] = {}
        self._lock = threading.Lock()

    @contextmanager
    def lend(self, assignment: Assignment, services: Services, watcher: Watcher) -> Iterator[None]:
        """Lets cells of a run that are worked on in this process use the run's own services."""
        with self._lock:
            self._open[assignment.run] = Workplace(services, watcher, borrowed=True)
        try:
            yield
        finally:
            with self._lock:
                del self._open[assignment.run]

    @contextmanager
    def enter(self, assignment: Assignment) -> Iterator[Workplace]:
        """Gives the workplace of a run, opening it for the first cell that comes here.

        Those of other runs are closed if no cell is worked on there.

        Raises:
            SetupError: If what the services need is not set up where this process runs.
            StorageError: If the root cannot be reached or written from here.
        """
        with self._lock:
            place = self._open.get(assignment.run)
            if place is None:
                self._close_idle()
                place = self._open[assignment.run] = _open(assignment)
            place.cells += 1
        try:
            yield place
        finally:
            with self._lock:
                place.cells -= 1

    def close(self) -> None:
        """Closes all that nobody works at."""
        with self._lock:
            self._close_idle()

    def _close_idle(self) -> None:
        for run, place in list(self._open.items()):
            if not place.cells and not place.borrowed:
                place.services.close()
                del self._open[run]


def _open(assignment: Assignment) -> Workplace:
    """Opens services with the keys of this process's environment."""
    try:
        settings = read_settings()
        hide_secrets(settings.secrets)
        catalogue = Catalogue.model_validate_json(assignment.catalogue)
        services = open_services(settings, catalogue, assignment.root)
    except SetupError as error:
        raise SetupError(
            f"worker on {socket.gethostname()}: {error.service}", error.what, error.remedy
        ) from None
    return Workplace(services, SilentWatcher(), borrowed=False)


WORKPLACES = Workplaces()
"""Of this process."""

atexit.register(WORKPLACES.close)


def collect_here(order: Order, assignment: Assignment) -> Summary:
    """Collects a cell of a run with the services of this process; see `Workplace.collect`."""
    with WORKPLACES.enter(assignment) as place:
        return place.collect(order)
