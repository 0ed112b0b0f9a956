"""Services where cells are worked on: opened once, closed when idle, counted, and never sent."""

from __future__ import annotations

import pickle
import socket
from datetime import date
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from collectors.storage import open_store
from collectors.transport import SetupError
from flows.catalogue.catalogue import Catalogue, load_catalogue
from flows.cells.services import open_services
from flows.demo import END_OF_WORLD, sandbox_settings
from flows.runs import workplaces
from flows.runs.building import SilentWatcher, Wish, plan_orders
from flows.runs.workplaces import Assignment, Workplaces
from flows.settings import read_settings
from tests.flows.far_workers import environment_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.runs import Run


class Opened:
    """Stands in for services; knows whether it was closed."""

    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Opened]:
    """What was opened, in order, instead of services."""
    made: list[Opened] = []

    def open_one(*_: Any) -> Opened:
        made.append(Opened())
        return made[-1]

    monkeypatch.setattr(workplaces, "open_services", open_one)
    monkeypatch.setattr(workplaces.Catalogue, "model_validate_json", lambda _text: None)
    return made


def test_closed_services_hold_no_connection(run: Run, tmp_path: Path) -> None:
    """A worker opens and closes them for one run after the other."""
    settings = read_settings(sandbox_settings(run.sandbox) | {"weights_cache": run.cache})
    services = open_services(settings, load_catalogue(run.catalogue), str(tmp_path / "d"))
    services.flickr.check()
    assert connections(services.flickr) == 1
    services.close()
    assert connections(services.flickr) == 0


def connections(client: Any) -> int:
    """Returns how many hosts a client is connected to."""
    return sum(len(one.poolmanager.pools) for one in client.session.adapters.values())


def test_an_assignment_is_plain_and_holds_no_secret(run: Run, tmp_path: Path) -> None:
    """What travels with a task are three texts, none with a key, and it arrives as it left."""
    settings = read_settings(sandbox_settings(run.sandbox))
    catalogue = load_catalogue(run.catalogue)
    services = SimpleNamespace(
        catalogue=catalogue, store=open_store(str(tmp_path / "d")), settings=settings
    )
    assignment = Assignment.of(services)  # type: ignore[arg-type]
    sent = pickle.dumps(assignment)
    arrived = pickle.loads(sent)
    assert arrived == assignment
    assert arrived.root == str(tmp_path / "d")
    assert Catalogue.model_validate_json(arrived.catalogue) == catalogue
    assert len(settings.secrets) >= 3
    assert not [one for one in settings.secrets if one.encode() in sent]


def test_services_are_opened_once_for_all_cells_of_a_run(opened: list[Opened]) -> None:
    """Cells side by side and one after the other get the same; another run gets its own."""
    places = Workplaces()
    first, second = Assignment("1", "root", "{}"), Assignment("2", "root", "{}")
    with places.enter(first) as one, places.enter(first) as other:
        assert one is other
    with places.enter(first) as again:
        assert again is one
        with places.enter(second) as another:
            assert another is not one
            assert not opened[0].closed, "a cell is worked on there"
    assert len(opened) == 2


def test_idle_services_are_closed(opened: list[Opened]) -> None:
    """A run's services stay until another run comes, or until the process ends."""
    places = Workplaces()
    with places.enter(Assignment("1", "root", "{}")):
        pass
    assert not opened[0].closed
    with places.enter(Assignment("2", "root", "{}")):
        assert opened[0].closed
    places.close()
    assert opened[1].closed


def test_the_run_itself_lends_its_services(opened: list[Opened]) -> None:
    """In the process of the run nothing is opened a second time, nor closed by others."""
    places, own = Workplaces(), Opened()
    assignment = Assignment("1", "root", "{}")
    with places.lend(assignment, own, SilentWatcher()):  # type: ignore[arg-type]
        with places.enter(assignment) as place:
            assert place.services is own
        places.close()
    assert (opened, own.closed) == ([], False)


def test_a_worker_without_keys_says_what_to_set_and_where(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the worker's machine, the variable, and nothing stays open."""
    for name in environment_of(run.sandbox, run.cache):
        monkeypatch.delenv(name, raising=False)
    catalogue = load_catalogue(run.catalogue).model_dump_json(by_alias=True)
    places = Workplaces()
    with (
        pytest.raises(SetupError, match="TERRAPAIR_FLICKR_KEY") as caught,
        places.enter(Assignment("1", str(tmp_path / "d"), catalogue)),
    ):
        pass
    assert socket.gethostname() in str(caught.value)


def test_requests_of_a_worker_come_back_with_its_cells(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each cell brings what was asked since the one before; together they are what was served."""
    for name, value in environment_of(run.sandbox, run.cache).items():
        monkeypatch.setenv(name, value)
    catalogue = load_catalogue(run.catalogue)
    assignment = Assignment("1", str(tmp_path / "d"), catalogue.model_dump_json(by_alias=True))
    alps = Wish("alps", catalogue.polygons("alps", run.catalogue.parent), ("sentinel2",))
    orders = plan_orders(
        [alps], taken_from=date(2019, 1, 1), taken_until=date(2023, 12, 31), now=END_OF_WORLD,
        seed=5, cells=2,
    )  # fmt: skip
    places = Workplaces()
    run.sandbox.reset()
    cells = []
    for order in orders:
        with places.enter(assignment) as place:
            cells.append(place.collect(order))
    places.close()
    served = run.sandbox.counts()
    assert len(cells) == 2
    assert all(one.cells["committed"] and one.flickr_calls for one in cells)
    assert sum(one.flickr_calls for one in cells) == served["flickr.search"]
    assert sum(one.photo_requests for one in cells) == served["photo.get"]
    assert sum(one.pixel_requests for one in cells) == served["ee.get_pixels"]
