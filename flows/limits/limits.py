"""The throttles of a run: its own, or shared through Prefect's server with other processes."""

from __future__ import annotations

import hashlib
import random
import re
import threading
import time
from contextvars import copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from collectors.transport import Throttle, TroubleRemains
from flows.limits.leases import Share
from flows.limits.terms import Terms

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flows.limits.budgets import Ledger
    from flows.limits.terms import LimitKeeper
    from flows.settings import Settings

_STEP_S: Final = 0.05
"""Between two looks at what the calls of this process need."""

_LEAVING_S: Final = 3.0
"""Calls that are still under way when a run ends get so long; later, their leases end alone."""

_ANSWER_S: Final = 5.0
"""Silence of Prefect's server that counts as no answer; less than a lease's margin is no use."""


@dataclass(slots=True)
class Limits:
    """The throttles of a run.

    Attributes:
        flickr: Of Flickr's API.
        photos: Of the photo host.
        earth_engine: Of Earth Engine.
        ledger: Counts Earth Engine's requests against a budget; None without one.
        sharing: Keeps them in step with other processes; None where this process is alone.
    """

    flickr: Throttle
    photos: Throttle
    earth_engine: Throttle
    ledger: Ledger | None = None
    sharing: Sharing | None = None

    def close(self) -> None:
        """Gives back what is held for this process."""
        if self.sharing is not None:
            self.sharing.close()
        if self.ledger is not None:
            self.ledger.close()


def open_limits(
    settings: Settings,
    tell: Callable[[str], None] = lambda _line: None,
    ledger: Ledger | None = None,
) -> Limits:
    """Makes the throttles of a run.

    Where a Prefect server is set that other processes can reach (`PREFECT_API_URL`, or the active
    profile's), limits are shared through it; else they hold for this process.

    Args:
        settings: Rates, slots, and what the limits belong to.
        tell: Takes a line about waiting and slowness.
        ledger: Counts Earth Engine's requests; closed with the limits.
    """
    earth_engine = settings.earth_engine_throttle(*([ledger.spend] if ledger else []))
    limits = Limits(settings.flickr_throttle(), settings.photo_throttle(), earth_engine, ledger)
    from prefect.settings import PREFECT_API_URL

    if PREFECT_API_URL.value():
        throttles = (limits.flickr, limits.photos, limits.earth_engine)
        limits.sharing = Sharing(list(zip(terms_of(settings), throttles, strict=True)), tell)
    return limits


def terms_of(settings: Settings) -> tuple[Terms, Terms, Terms]:
    """Returns by which terms Flickr, the photo host and Earth Engine are shared.

    No name holds a key: Flickr's is told apart by the first digits of its SHA-256.
    """
    key = settings.flickr_login()[0]
    hosts = "-".join(sorted(settings.photo_hosts))
    patience_s = settings.patience_seconds
    return (
        Terms(
            f"terrapair-flickr-{hashlib.sha256(key.encode()).hexdigest()[:12]}",
            "Flickr", 1, 1, settings.flickr_rate, patience_s,
        ),
        Terms(
            f"terrapair-photos-{_slug(hosts)}",
            "photo host", settings.photo_connections, 1, settings.photo_downloads_per_second,
            patience_s,
        ),
        Terms(
            f"terrapair-earth-engine-{_slug(settings.earth_engine_project_name())}",
            "Earth Engine", settings.earth_engine_connections,
            max(1, settings.earth_engine_connections // 8),
            settings.earth_engine_requests_per_second, patience_s,
        ),
    )  # fmt: skip


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


class Sharing:
    """The thread that keeps this process's shares of the limits."""

    def __init__(
        self, shares: Sequence[tuple[Terms, Throttle]], tell: Callable[[str], None]
    ) -> None:
        """Closes the throttles until there are slots, and begins.

        Args:
            shares: The limits, each with what it opens.
            tell: Takes a line about waiting and slowness.
        """
        self._shares = shares
        self._tell = tell
        for _terms, throttle in shares:
            throttle.allow(0, 1.0, 0.0)
        self._end = threading.Event()
        # Which server it is, and how to log in there, stands in the context of who began.
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._work,), name="limits", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Gives everything back; calls that still wait are told that the run has ended."""
        self._shut("the run has ended")
        self._end.set()
        self._thread.join()

    def _shut(self, why: str) -> None:
        for _terms, throttle in self._shares:
            throttle.close(lambda: TroubleRemains("limits", why))

    def _work(self) -> None:
        try:
            self._connect()
        finally:  # a call that waits must not wait for ever for a thread that has died
            self._shut("nothing keeps this process's share any more; see the log")

    def _connect(self) -> None:
        from prefect.client.orchestration import get_client
        from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

        from flows.limits.server import PrefectLimits

        # Trying again is for `Share`, which meanwhile sees to the leases of the other limits.
        with (
            temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}),
            get_client(
                httpx_settings={"timeout": _ANSWER_S}, sync_client=True
            ) as client,
        ):  # fmt: skip
            self._keep(PrefectLimits(client))

    def _keep(self, keeper: LimitKeeper) -> None:
        shares = [
            Share(terms, throttle, keeper, time.monotonic, random.Random(), self._tell)
            for terms, throttle in self._shares
        ]
        while not self._end.wait(_STEP_S):
            for share in shares:
                share.step()
        last = time.monotonic() + _LEAVING_S
        while shares and time.monotonic() < last:
            shares = [share for share in shares if not share.leave()]
            time.sleep(_STEP_S if shares else 0)
