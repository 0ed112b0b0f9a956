"""Whether a call of the photo service is signed with the sandbox's key and secret (OAuth 1.0a)."""

from __future__ import annotations

import re
from collections import deque
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final

from oauthlib.oauth1 import SIGNATURE_HMAC_SHA1, RequestValidator, SignatureOnlyEndpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# How far a caller's clock may be off. The service does not publish its figure; this is the one
# that OAuth libraries take where nothing else is said.
CLOCK_TOLERANCE_S: Final = 600
_KEY: Final = re.compile(r"[0-9a-f]{32}")


class Signature(Enum):
    """What a look at the signature showed."""

    VALID = auto()
    NO_KEY = auto()
    """There is no signature, or what stands in the key's place does not look like a key."""
    UNKNOWN_KEY = auto()
    WRONG = auto()
    STALE = auto()
    """The time of the call is too far from now."""
    REPLAYED = auto()
    """The same call came before: a try again has to be signed anew."""


class SignatureCheck:
    """Checks signatures for one key; used by one thread.

    Args:
        key: the consumer key that is known, letters and digits.
        secret: its secret.
        now: gives the seconds since 1970.
    """

    def __init__(self, key: str, secret: str, now: Callable[[], float]) -> None:
        self._key = key
        self._now = now
        self._endpoint = SignatureOnlyEndpoint(_OneKey(key, secret))
        self._seen: set[tuple[str, str]] = set()
        self._order: deque[tuple[str, str]] = deque()

    def __repr__(self) -> str:
        return "SignatureCheck(...)"

    def check(self, address: str, method: str, body: str, headers: Mapping[str, str]) -> Signature:
        """Checks one request; a valid one is remembered, and not valid a second time.

        Args:
            address: the whole URL, query included.
            method: the HTTP method.
            body: the form.
            headers: the HTTP headers, by names as oauthlib writes them ("Authorization").

        Returns:
            What was seen, the first of the values that holds.
        """
        valid, read = self._endpoint.validate_request(address, method, body, dict(headers))
        key = None if read is None else _given(read)
        if key != self._key:
            return Signature.UNKNOWN_KEY if _KEY.fullmatch(key or "") else Signature.NO_KEY
        if not valid:
            return Signature.WRONG
        call = (read.timestamp, read.nonce)
        if abs(self._now() - int(read.timestamp)) > CLOCK_TOLERANCE_S:
            return Signature.STALE
        if call in self._seen:
            return Signature.REPLAYED
        self._remember(call)
        return Signature.VALID

    def _remember(self, call: tuple[str, str]) -> None:
        self._seen.add(call)
        self._order.append(call)
        # What is too old to be taken need not be remembered.
        while self._now() - int(self._order[0][0]) > 2 * CLOCK_TOLERANCE_S:
            self._seen.discard(self._order.popleft())


def _given(request: Any) -> str | None:
    """Gives the key of a call; oauthlib puts a dummy in the place of one that is not known."""
    key = getattr(request, "given_key", None) or getattr(request, "client_key", None)
    return key if isinstance(key, str) else None


class _OneKey(RequestValidator):  # type: ignore[misc]  # oauthlib has no types
    """What oauthlib asks about keys. Time and repetition are looked at afterwards."""

    enforce_ssl = False
    client_key_length = (1, 100)
    nonce_length = (1, 100)
    timestamp_lifetime = 10**11
    allowed_signature_methods = (SIGNATURE_HMAC_SHA1,)
    dummy_client = "nobody"

    def __init__(self, key: str, secret: str) -> None:
        super().__init__()
        self._key = key
        self._secret = secret

    def validate_client_key(self, client_key: str, request: Any) -> bool:
        # The key as it was given: what oauthlib hands back is the dummy.
        request.given_key = client_key
        return client_key == self._key

    def get_client_secret(self, client_key: str, request: Any) -> str:  # noqa: ARG002
        return self._secret

    def validate_timestamp_and_nonce(self, *_: Any) -> bool:
        return True
