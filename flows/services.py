"""Everything outside that a cell's work talks to, made once for a run and handed down."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Event
from typing import TYPE_CHECKING, TypeVar

from collectors.answers import Answers
from collectors.transport import SetupError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    from collectors.earth_engine import EarthEngine
    from collectors.flickr import Flickr
    from collectors.photo_files import PhotoHost
    from collectors.storage import Store
    from filters.indoor import IndoorClassifier
    from filters.indoor_engines import Engine
    from filters.indoor_weights import Weights
    from flows.catalogue import Catalogue
    from flows.catalogue_blocks import RuleBlock
    from flows.inference import Inference
    from flows.settings import Settings


Item = TypeVar("Item")
Result = TypeVar("Result")


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
        answers: Counts what the services answered.
        secrets: What must not stand in anything that is said about this run.
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
    answers: Answers = field(default_factory=Answers)
    secrets: tuple[str, ...] = field(default=(), repr=False)

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
        """
        if self.stop.is_set():
            raise RunStopped

    def in_order(
        self, pool: ThreadPoolExecutor, work: Callable[[Item], Result], items: Sequence[Item]
    ) -> list[Result]:
        """Does the same work on many items side by side and returns the results in their order.

        If one fails, those that have not begun are dropped and its error is raised.

        Raises:
            RunStopped: If the run has been stopped.
        """
        self.keep_going()
        futures: list[Future[Result]] = []
        try:
            futures.extend(pool.submit(work, item) for item in items)
            return [future.result() for future in futures]
        except BaseException:
            for future in futures:
                future.cancel()
            self.keep_going()  # what a closed pool or a cut connection says is not the reason
            raise

    def close(self) -> None:
        """Stops what is still going on and ends the threads; what has not begun is dropped."""
        self.stop.set()
        self.photo_pool.shutdown(wait=False, cancel_futures=True)
        self.pixel_pool.shutdown(wait=False, cancel_futures=True)


def open_services(
    settings: Settings,
    catalogue: Catalogue,
    root: str,
    *,
    tell: Callable[[str], None] = lambda _line: None,
) -> Services:
    """Opens everything that a build needs, so that what is missing is known before work begins.

    Args:
        settings: Keys, addresses and limits.
        catalogue: What is collected.
        root: The dataset.
        tell: Takes a line about what takes long, such as a download of weights.

    Raises:
        SetupError: If a key, a login, an address or the weights are missing or wrong.
        StorageError: If the root cannot be written.
    """
    from collectors.earth_engine import EarthEngine
    from collectors.flickr import Flickr
    from collectors.photo_files import PhotoHost
    from collectors.photo_pictures import PictureRules
    from collectors.storage import open_store
    from filters.indoor_weights import load
    from flows.inference import settle_inference
    from flows.weights import obtain_weights

    store = open_store(root)
    answers = Answers()
    patience = replace(settings.patience, answers=answers)
    key, secret = settings.flickr_login()
    flickr = Flickr(
        key, secret, url=settings.flickr_url, throttle=settings.flickr_throttle(),
        patience=patience,
    )  # fmt: skip
    photo_host = PhotoHost(
        allowed_hosts=frozenset(settings.photo_hosts),
        throttle=settings.photo_throttle(),
        patience=patience,
        rules=PictureRules(shortest_side_px=catalogue.rules.photo_shortest_side_px),
        user_agent=settings.user_agent,
    )
    earth_engine = EarthEngine.connect(
        project=settings.earth_engine_project_name(),
        credentials=settings.earth_engine_credentials(),
        url=settings.earth_engine_url,
        throttle=settings.earth_engine_throttle(),
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
        classifier=_open_classifier(settings, catalogue.rules, root, weights, inference),
        weights=weights.sha256,
        first_weights=inference.weights_sha256,
        answers=answers,
        secrets=settings.secrets,
        photo_pool=ThreadPoolExecutor(settings.photo_connections, "photos"),
        pixel_pool=ThreadPoolExecutor(settings.earth_engine_connections, "pixels"),
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
