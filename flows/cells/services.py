"""Everything outside that a cell's work talks to, made once for a run and handed down."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Event, Semaphore
from typing import TYPE_CHECKING, Final, TypeVar

from collectors.answers import Answers
from collectors.transport import SetupError
from flows.cells.begun import Begun
from flows.products.block_keys import find_key
from flows.products.block_list import BlockList, open_block_list

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from collectors.earth_engine import EarthEngine
    from collectors.flickr import Flickr
    from collectors.photo_files import PhotoHost
    from collectors.storage import Store
    from filters.indoor import IndoorClassifier
    from filters.indoor_engines import Engine
    from filters.indoor_weights import Weights
    from flows.catalogue.blocks import RuleBlock
    from flows.catalogue.catalogue import Catalogue
    from flows.cells.inference import Inference
    from flows.limits.limits import Limits
    from flows.settings import Settings


Item = TypeVar("Item")
Result = TypeVar("Result")

BATCHES_AHEAD: Final = 2
"""Batches of chips begun before their turn, in all cells together: with them a cell that writes a
shard has as many requests waiting as Earth Engine takes at once. About 100 MB each."""

COMPUTING_THREADS: Final = 24
"""Threads for chips beside those that wait for Earth Engine: they measure and compress, so that no
request that is allowed is left unmade meanwhile. Chips of NAIP take 50 ms of a core, and forty
answers may come within as many milliseconds."""


class RunStopped(Exception):  # noqa: N818 - nothing is wrong
    """The run was stopped; what is finished is kept."""


@dataclass(slots=True)
class Services:
    """The services of a run.

    Attributes:
        store: The dataset.
        catalogue: What is collected.
        flickr: Search.
        photo_host: Photo files.
        earth_engine: Scenes and pixels.
        classifier: Tells indoor from outdoor.
        weights: SHA-256 of its weights.
        photo_pool: Threads that wait for the photo host.
        pixel_pool: Threads that wait for Earth Engine.
        stop: Set when the whole run has to stop.
        first_weights: SHA-256 of those that the dataset was begun with; empty if they are these.
        limits: What holds the calls back, to be given back at the end.
        room_ahead: Room for batches of chips begun before their turn.
        answers: Counts what the services answered.
        secrets: What must not stand in anything that is said about this run.
        blocks: Photos and owners that must not be collected.
    """

    store: Store
    catalogue: Catalogue
    flickr: Flickr
    photo_host: PhotoHost
    earth_engine: EarthEngine
    classifier: IndoorClassifier
    weights: str
    photo_pool: ThreadPoolExecutor
    pixel_pool: ThreadPoolExecutor
    stop: Event = field(default_factory=Event)
    first_weights: str = ""
    limits: Limits | None = None
    room_ahead: Semaphore = field(default_factory=lambda: Semaphore(BATCHES_AHEAD))
    answers: Answers = field(default_factory=Answers)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    blocks: BlockList = field(default_factory=BlockList)

    @property
    def engine(self) -> Mapping[str, str]:
        """What the indoor filter runs on, and the time zone data, as text."""
        from collectors.time_zones import time_data

        found = {**self.classifier.fingerprint, **time_data()}
        return {name: str(value) for name, value in sorted(found.items())}

    def keep_going(self) -> None:
        """Looked at between pieces of work.

        Raises:
            RunStopped: If the run has been stopped.
            BudgetSpent: If too little is left of a budget to begin with more.
        """
        self.see_stop()
        if self.limits is not None and self.limits.ledger is not None:
            self.limits.ledger.check()

    def see_stop(self) -> None:
        """Looked at when work has failed: after a stop, that is the reason.

        Raises:
            RunStopped: If the run has been stopped.
        """
        if self.stop.is_set():
            raise RunStopped

    def begin(
        self, pool: ThreadPoolExecutor, work: Callable[[Item], Result], items: Sequence[Item]
    ) -> Begun[Result]:
        """Has the same work done on many items side by side.

        Raises:
            RunStopped: If the run has been stopped.
        """
        self.keep_going()
        begun: Begun[Result] = Begun(self.see_stop)
        try:
            for item in items:
                begun.futures.append(pool.submit(work, item))
        except BaseException:
            begun.drop()
            self.see_stop()  # what a closed pool says is not the reason
            raise
        return begun

    def in_order(
        self, pool: ThreadPoolExecutor, work: Callable[[Item], Result], items: Sequence[Item]
    ) -> list[Result]:
        """Does the same work on many items side by side and returns the results in their order.

        If one fails, those that have not begun are dropped and its error is raised.

        Raises:
            RunStopped: If the run has been stopped.
        """
        return self.begin(pool, work, items).results()

    def renew_blocks(self) -> BlockList:
        """Returns the block list as it is now; it is read again only if it has grown."""
        self.blocks = self.blocks.renewed(self.store)
        return self.blocks

    def close(self) -> None:
        """Stops what is still going on, ends the threads and lets go of the connections.

        What has not begun is dropped.
        """
        self.stop.set()
        self.photo_pool.shutdown(wait=False, cancel_futures=True)
        self.pixel_pool.shutdown(wait=False, cancel_futures=True)
        self.flickr.close()
        self.photo_host.close()
        if self.limits is not None:
            self.limits.close()


def open_services(
    settings: Settings,
    catalogue: Catalogue,
    root: str,
    *,
    tell: Callable[[str], None] = lambda _line: None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Services:
    """Opens everything that a build needs, so that what is missing is known before work begins.

    Args:
        settings: Keys, addresses and limits.
        catalogue: What is collected.
        root: The dataset.
        tell: Takes a line about what takes long, such as a download of weights.
        clock: The time, UTC, aware; budgets are a month's.

    Raises:
        BudgetSpent: If nothing is left of the month's budget.
        SetupError: If a key, a login, an address or the weights are missing or wrong.
        StorageError: If the root cannot be written.
    """
    from collectors.storage import open_store
    from flows.limits.budgets import Ledger, monthly_requests
    from flows.limits.limits import open_limits

    store = open_store(root, patience_s=settings.patience_seconds)
    budget = monthly_requests(settings)
    ledger = None if budget is None else Ledger(store, budget, clock)
    limits = open_limits(settings, tell, ledger)
    try:
        return _open_services(settings, catalogue, store, limits, tell)
    except BaseException:
        limits.close()
        raise


def _open_services(
    settings: Settings,
    catalogue: Catalogue,
    store: Store,
    limits: Limits,
    tell: Callable[[str], None],
) -> Services:
    from collectors.earth_engine import EarthEngine
    from collectors.flickr import Flickr
    from collectors.photo_files import PhotoHost
    from collectors.photo_pictures import PictureRules
    from filters.indoor_weights import load
    from flows.cells.inference import settle_inference
    from flows.cells.weights import obtain_weights

    blocks = open_block_list(store, find_key(settings))
    answers = Answers()
    patience = replace(settings.patience, answers=answers)
    key, secret = settings.flickr_login()
    flickr = Flickr(
        key, secret, url=settings.flickr_url, throttle=limits.flickr,
        patience=patience,
    )  # fmt: skip
    photo_host = PhotoHost(
        allowed_hosts=frozenset(settings.photo_hosts),
        throttle=limits.photos,
        patience=patience,
        rules=PictureRules(shortest_side_px=catalogue.rules.photo_shortest_side_px),
        user_agent=settings.user_agent,
    )
    earth_engine = EarthEngine.connect(
        project=settings.earth_engine_project_name(),
        credentials=settings.earth_engine_credentials(),
        url=settings.earth_engine_url,
        throttle=limits.earth_engine,
        patience=patience,
    )
    path, digest = obtain_weights(settings, catalogue, tell)
    weights = load(path, sha256=digest)
    inference = settle_inference(
        store, settings.indoor_engine, weights.sha256, lambda: _best_engine(weights, tell)
    )
    return Services(
        store=store,
        catalogue=catalogue,
        flickr=flickr,
        photo_host=photo_host,
        earth_engine=earth_engine,
        classifier=_open_classifier(settings, catalogue.rules, store.root, weights, inference),
        weights=weights.sha256,
        first_weights=inference.weights_sha256,
        answers=answers,
        secrets=settings.secrets,
        blocks=blocks,
        photo_pool=ThreadPoolExecutor(settings.photo_connections, "photos"),
        limits=limits,
        pixel_pool=ThreadPoolExecutor(
            settings.earth_engine_connections + COMPUTING_THREADS, "pixels"
        ),
    )


def _open_classifier(
    settings: Settings, rules: RuleBlock, root: str, weights: Weights, inference: Inference
) -> IndoorClassifier:
    """Opens the indoor filter with the engine that the dataset was begun with."""
    from filters.indoor import IndoorClassifier
    from filters.indoor_engines import EngineUnavailableError

    try:
        return IndoorClassifier(
            weights, threads=settings.cpu_threads, engine=inference.engine, rule=rules.indoor_rule
        )
    except EngineUnavailableError as error:
        raise SetupError(
            root,
            f"{error}; the photos of this dataset are judged with it.",
            "Or build on a machine that has it: all photos have to be judged alike.",
        ) from None
    except ValueError as error:
        raise SetupError("indoor_rule", f"{error}.", "See `rules` in the catalogue.") from None


def _best_engine(weights: Weights, tell: Callable[[str], None]) -> Engine:
    """Tries what this machine offers, and says what it found."""
    from filters.indoor_engines import choose_engine

    choice = choose_engine(weights.network)
    speeds = ", ".join(f"{name} {1 / one:.0f}" for name, one in choice.seconds.items())
    tell(
        f"this dataset's indoor filter runs on the engine {choice.engine}"
        + (f" (photos a second on one core: {speeds})" if speeds else "")
    )
    return choice.engine
