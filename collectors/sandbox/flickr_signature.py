"""Whether a call of the photo service is signed with the sandbox's key and secret (OAuth 1.0a)."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from oauthlib.oauth1 import RequestValidator, SignatureOnlyEndpoint

if TYPE_CHECKING:
    from collections.abc import Mapping


class Signature(Enum):
    """What a look at the signature showed."""

    VALID = auto()
    UNKNOWN_KEY = auto()
    WRONG = auto()


class SignatureCheck:
    """Checks signatures for one key.

    Args:
        key: the consumer key that is known, letters and digits.
        secret: its secret.
    """

    def __init__(self, key: str, secret: str) -> None:
        self._key = key
        self._endpoint = SignatureOnlyEndpoint(_OneKey(key, secret))

    def __repr__(self) -> str:
        return "SignatureCheck(...)"

    def check(self, address: str, method: str, body: str, headers: Mapping[str, str]) -> Signature:
        """Checks one request.

        Args:
            address: the whole URL, query included.
            method: the HTTP method.
            body: the form.
            headers: the HTTP headers, by names as oauthlib writes them ("Authorization").

        Returns:
            VALID; UNKNOWN_KEY when there is no signature, or one of another key; else WRONG.
        """
        valid, read = self._endpoint.validate_request(address, method, body, dict(headers))
        if read is None or read.client_key != self._key:
            return Signature.UNKNOWN_KEY
        return Signature.VALID if valid else Signature.WRONG


class _OneKey(RequestValidator):  # type: ignore[misc]  # oauthlib has no types
    """What oauthlib asks about keys. A stricter sandbox would refuse replayed nonces here."""

    enforce_ssl = False
    client_key_length = (1, 100)
    nonce_length = (1, 100)
    dummy_client = "nobody"

    def __init__(self, key: str, secret: str) -> None:
        super().__init__()
        self._key = key
        self._secret = secret

    def validate_client_key(self, client_key: str, request: Any) -> bool:  # noqa: ARG002
        return client_key == self._key

    def get_client_secret(self, client_key: str, request: Any) -> str:  # noqa: ARG002
        return self._secret

    def validate_timestamp_and_nonce(self, *_: Any) -> bool:
        return True
