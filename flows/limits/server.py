"""Limits kept by Prefect's server as its global concurrency limits, with its leases."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from uuid import UUID

import httpx
from prefect.client.schemas.actions import (
    GlobalConcurrencyLimitCreate,
    GlobalConcurrencyLimitUpdate,
)
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

from flows.limits.terms import LimitsAwayError, Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prefect.client.orchestration import SyncPrefectClient

_NOT_FREE: Final = frozenset({422, 423})
"""Prefect's answers when so many slots are not free now, and when there never are so many."""

_WRITE_OFF_S: Final = 1.0
"""Occupancy that is told for slots written off; it only moves Prefect's own estimate of waits."""


class PrefectLimits:
    """Keeps limits at a Prefect server; see `flows.limits.terms.LimitKeeper`."""

    def __init__(self, client: SyncPrefectClient) -> None:
        """Takes a client that is open, is used by one thread, and does not try again by itself."""
        self._client = client

    def read(self, name: str) -> Row | None:
        """Returns a limit; None if there is none of the name."""
        with _answered():
            try:
                found = self._client.read_global_concurrency_limit_by_name(name)
            except ObjectNotFound:
                return None
        return Row(found.limit, found.active_slots)

    def ensure(self, name: str, limit: int) -> None:
        """Makes a limit, unless there is one of the name."""
        if self.read(name) is not None:
            return
        wanted = GlobalConcurrencyLimitCreate(name=name, limit=limit)
        with _answered():
            try:
                self._client.create_global_concurrency_limit(wanted)
            except ObjectAlreadyExists:
                return  # another process was first

    def change(self, name: str, limit: int) -> None:
        """Sets how many slots a limit has."""
        with _answered():
            self._client.update_global_concurrency_limit(
                name, GlobalConcurrencyLimitUpdate(limit=limit)
            )

    def take(self, name: str, slots: int, lease_s: float) -> str | None:
        """Takes slots, and returns the lease's id; None if so many are not free."""
        with _answered():
            try:
                answer = self._client.increment_concurrency_slots_with_lease(
                    [name], slots, "concurrency", lease_s
                )
            except httpx.HTTPStatusError as error:
                if error.response.status_code in _NOT_FREE:
                    return None
                raise
        return str(answer.json()["lease_id"])

    def renew(self, lease: str, lease_s: float) -> bool:
        """Makes a lease end so many seconds from now; False if there is no such lease any more."""
        with _answered():
            try:
                self._client.renew_concurrency_lease(UUID(lease), lease_s)
            except httpx.HTTPStatusError as error:
                if error.response.status_code == httpx.codes.GONE:
                    return False
                raise
        return True

    def give_back(self, lease: str) -> None:
        """Ends a lease; one that has ended already is let be."""
        with _answered():
            self._client.release_concurrency_slots_with_lease(UUID(lease))

    def write_off(self, name: str, slots: int) -> None:
        """Frees slots whose lease was forgotten."""
        with _answered():
            self._client.release_concurrency_slots([name], slots, _WRITE_OFF_S)


@contextmanager
def _answered() -> Iterator[None]:
    """Turns every way of not answering into `LimitsAwayError`."""
    try:
        yield
    except httpx.HTTPStatusError as error:
        raise LimitsAwayError(f"HTTP status {error.response.status_code}") from error
    except (httpx.HTTPError, ObjectNotFound) as error:
        raise LimitsAwayError(f"{type(error).__name__}: {error}") from error
