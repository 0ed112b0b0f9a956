"""The connection to Earth Engine: logging in, sending, and what an error becomes.

The client library is global to its process, so there is one connection in a process at a time.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

import ee
import ee.deprecation
import requests

from collectors.earth_engine_errors import CLIENT_ERRORS, Trouble, diagnose
from collectors.transport import (
    SetupError,
    TransientTrouble,
    is_untrusted,
    retrying,
    untrusted,
)
from collectors.whole_bodies import WholeBodies

if TYPE_CHECKING:
    from collections.abc import Callable

    from collectors.transport import Patience, Throttle

SERVICE: Final = "Earth Engine"

POOL_SIZE: Final = 64
"""Connections kept open. Earth Engine lets 40 requests of a project run at once (its guide,
"Quotas"), and the client keeps 10 by itself."""

CATALOGUE: Final = "Compare the sensor's block in the catalogue with Earth Engine's own catalogue."
_LOGIN: Final = "Log in with `earthengine authenticate`, or give the JSON of a service account."
_ACCOUNT: Final = (
    "Check the service account's JSON (TERRAPAIR_EARTH_ENGINE_SERVICE_ACCOUNT): it must be a whole,"
    " valid key of an account that may use Earth Engine."
)
_PROJECT: Final = (
    "Check that the project is right, registered for Earth Engine, and that the login may use it."
)

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """Login by a service account.

    Attributes:
        key_json: The account's key, the JSON text that Google Cloud hands out; never shown.
    """

    key_json: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Persistent:
    """Login by what `earthengine authenticate` stored on this machine."""


Credentials = ServiceAccount | Persistent


class Missing(Exception):  # noqa: N818 - not an error until it is known what was missing
    """What was asked for is not there."""


class TooBig(Exception):  # noqa: N818 - the answer is to ask for less
    """Too much was asked for at once."""


_initialising = threading.Lock()
_initialised: tuple[str, str, Credentials] | None = None
"""What the client library is connected to."""

_connections: object = None
"""Those that the client library was given then."""


class Session:
    """A connection; one serves any number of threads."""

    def __init__(
        self, identity: tuple[str, str, Credentials], throttle: Throttle, patience: Patience
    ) -> None:
        """Used by `open`."""
        self._identity = identity
        self._throttle = throttle
        self._patience = patience

    @classmethod
    def open(
        cls,
        *,
        project: str,
        credentials: Credentials,
        url: str,
        throttle: Throttle,
        patience: Patience,
        deadline_s: float,
    ) -> Session:
        """Logs in and loads the list of Earth Engine's functions; see `EarthEngine.connect`."""
        global _initialised, _connections  # noqa: PLW0603 - mirror the library's own state
        if not project:
            raise SetupError(SERVICE, "no project is given.", _PROJECT)
        identity = (project, url.rstrip("/"), credentials)
        session = cls(identity, throttle, patience)
        with _initialising:
            if not _holds(identity):
                login = _login(credentials)
                _initialised = None
                what = f"connecting to {identity[1]} with project {project}"
                try:
                    retrying(
                        patience,
                        lambda: session._attempt(
                            what, lambda: _initialise(login, project, identity[1], deadline_s)
                        ),
                        service=SERVICE,
                        what=what,
                        throttle=throttle,
                    )
                except (Missing, TooBig) as error:
                    raise SetupError(SERVICE, f"{what}: {error}", _PROJECT) from error
                _initialised = identity
                _connections = ee.data._get_state().requests_session  # noqa: SLF001 - see `_holds`
        return session

    def send(
        self, what: str, call: Callable[[], Answer], count: Callable[[], None] = lambda: None
    ) -> Answer:
        """Sends a request, again and again while the trouble is transient.

        Args:
            what: What is asked for, for errors.
            call: One request through the client library.
            count: Called before each try.

        Raises:
            Missing: If what was asked for is not there.
            TooBig: If it was too much at once.
            SetupError: If access is refused, or the request cannot be answered at all.
            TroubleRemains: If the service did not answer within the patience.
        """

        def once() -> Answer:
            if not _holds(self._identity):
                raise SetupError(
                    SERVICE, "this process has connected to another project or address since.",
                    "Use one connection in a process.",
                )  # fmt: skip
            count()
            return self._attempt(what, call)

        return retrying(self._patience, once, service=SERVICE, what=what, throttle=self._throttle)

    def _attempt(self, what: str, call: Callable[[], Answer]) -> Answer:
        """Sends a request once, and says what an error means."""
        try:
            return call()
        except CLIENT_ERRORS as error:
            if is_untrusted(error):
                raise untrusted(SERVICE, what) from error
            trouble, status, text = diagnose(error)
            if status == 429:
                self._throttle.ease()
            seen = f"{what}: {text}"
            if trouble is Trouble.TRANSIENT:
                raise TransientTrouble(SERVICE, seen, status) from error
            if trouble is Trouble.TOO_BIG:
                raise TooBig(text) from error
            if trouble is Trouble.MISSING:
                raise Missing(text) from error
            if trouble is Trouble.REFUSED:
                raise SetupError(SERVICE, seen, CATALOGUE) from error
            account = isinstance(self._identity[2], ServiceAccount)
            remedy = _PROJECT if status == 403 else _ACCOUNT if account else _LOGIN
            raise SetupError(SERVICE, seen, remedy) from error


def _holds(identity: tuple[str, str, Credentials]) -> bool:
    """Says whether the client library is as it was initialised here for an identity.

    Its state is the whole process's: other code may have called `ee.Initialize` since.
    """
    return _initialised == identity and ee.data._get_state().requests_session is _connections  # noqa: SLF001 - it has no public way


def _login(credentials: Credentials) -> Any:
    """Returns the credentials as the client library takes them.

    Raises:
        SetupError: If there are none on this machine, or the key cannot be read. The error does
            not hold the key, nor the error that might quote it.
    """
    if isinstance(credentials, Persistent):
        try:
            return _guard_refresh(ee.data.get_persistent_credentials())
        except ee.EEException:
            raise SetupError(SERVICE, "nobody is logged in on this machine.", _LOGIN) from None
    try:
        if isinstance(json.loads(credentials.key_json), dict):
            return _guard_refresh(ee.ServiceAccountCredentials("", key_data=credentials.key_json))
    except (ValueError, TypeError, KeyError, AttributeError):
        pass  # said below, without the cause: it may quote the key
    raise SetupError(SERVICE, "the service account's key cannot be read.", _ACCOUNT) from None


def _guard_refresh(login: Any) -> Any:
    """Makes a token service that answers with something else a trouble of the network.

    google-auth (2.x, `oauth2/_client.py`) takes any body with status 200 for an answer, and fails
    with a `TypeError` when it is a page of HTML or half an object: once an hour, in any request.
    """
    refresh = login.refresh

    def guarded(request: Any) -> None:
        try:
            refresh(request)
        except TypeError as error:
            raise TransientTrouble(SERVICE, "the token service's answer is no token") from error

    login.refresh = guarded
    return login


def _initialise(login: Any, project: str, url: str, deadline_s: float) -> None:
    """Initialises the client library.

    Deadline, retries and connection pool are set in its state beforehand, which has no public way:
    setting them afterwards would load the description of the service twice more.
    """
    ee.Reset()
    # Any entry keeps the library from fetching a list of deprecated assets from another host,
    # without a time limit.
    ee.deprecation.deprecated_assets = {"": ee.deprecation.DeprecatedAsset("", None, None, None)}
    state = ee.data._get_state()  # noqa: SLF001 - see above
    state.max_retries = 0  # `retrying` is the one layer that retries
    state.deadline_ms = deadline_s * 1000
    state.requests_session = requests.Session()
    for scheme in ("http://", "https://"):
        state.requests_session.mount(
            scheme, WholeBodies(pool_connections=4, pool_maxsize=POOL_SIZE)
        )
    try:
        ee.Initialize(login, project=project, url=url)
    except AttributeError as error:
        # googleapiclient hands a body that is no JSON on as a text, which has nothing to look up.
        raise TransientTrouble(SERVICE, "the list of functions is not readable") from error
    # The library makes the description of the service into functions anew for every request, which
    # takes longer than sending it. Here the ones for pixels are made once.
    projects = state.cloud_api_resource_raw.projects()
    assets = projects.assets()
    projects.assets = lambda: assets
    state.cloud_api_resource_raw.projects = lambda: projects
