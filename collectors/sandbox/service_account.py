"""The account that the stand-in of Google's token service knows: key pair, tokens, checks."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
"""Grant of RFC 7523, section 2.1."""

EARTH_ENGINE_SCOPE = "https://www.googleapis.com/auth/earthengine"

GOOGLE_AUDIENCE = "https://oauth2.googleapis.com/token"
"""Audience that Google's library states whatever the address of the token service."""

TOKEN_LIFETIME_S = 3600
"""Lifetime of a Google access token, and the longest lifetime of an assertion."""

_CLOCK_SKEW_S = 300
_KEY_BITS = 2048


class InvalidAssertionError(ValueError):
    """An assertion that the token service does not take; the text says why."""


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """One service account with a fresh key. Make it with `create`.

    Attributes:
        email: The account's name.
        project: The cloud project that it belongs to.
        token_uri: Address of the token service, which is the audience of an assertion.
    """

    email: str
    project: str
    token_uri: str
    _key: RSAPrivateKey = field(repr=False)
    _token_secret: bytes = field(repr=False)

    @classmethod
    def create(cls, *, project: str, token_uri: str) -> ServiceAccount:
        """Return an account with a newly made RSA key."""
        return cls(
            email=f"sandbox@{project}.iam.gserviceaccount.com",
            project=project,
            token_uri=token_uri,
            _key=rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS),
            _token_secret=secrets.token_bytes(32),
        )

    def document(self) -> dict[str, str]:
        """Return the account's key file, as Google writes it (it holds the private key)."""
        pem = self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return {
            "type": "service_account",
            "project_id": self.project,
            "private_key_id": hashlib.sha256(pem).hexdigest()[:40],
            "private_key": pem.decode("ascii"),
            "client_email": self.email,
            "client_id": str(int(hashlib.sha256(self.email.encode()).hexdigest()[:16], 16)),
            "token_uri": self.token_uri,
        }

    def check_assertion(self, assertion: str, now: float) -> None:
        """Check a signed assertion (RFC 7523) as Google's token service does.

        Args:
            assertion: The compact JWT.
            now: Seconds since 1970.

        Raises:
            InvalidAssertionError: It is malformed, wrongly signed, out of date or for someone else.
        """
        parts = assertion.split(".")
        if len(parts) != 3:
            message = "The assertion is not a JWT of three parts."
            raise InvalidAssertionError(message)
        signed = f"{parts[0]}.{parts[1]}".encode("ascii", "replace")
        header, claims = _decode_json(parts[0]), _decode_json(parts[1])
        if header.get("alg") != "RS256":
            message = f"Unknown signature algorithm {header.get('alg')!r}."
            raise InvalidAssertionError(message)
        try:
            self._key.public_key().verify(
                _decode(parts[2]), signed, padding.PKCS1v15(), hashes.SHA256()
            )
        except InvalidSignature:
            message = "Invalid JWT Signature."
            raise InvalidAssertionError(message) from None
        self._check_claims(claims, now)

    def issue_token(self, now: float) -> str:
        """Return an access token that `accepts` until an hour from now."""
        expiry = str(int(now) + TOKEN_LIFETIME_S)
        return f"sandbox.{expiry}.{self._mac(expiry)}"

    def accepts(self, token: str, now: float) -> bool:
        """Return whether a token was issued by this account and has not expired."""
        name, _, rest = token.partition(".")
        expiry, _, mac = rest.partition(".")
        genuine = name == "sandbox" and hmac.compare_digest(mac, self._mac(expiry))
        return genuine and now < int(expiry)

    def _mac(self, text: str) -> str:
        return hmac.new(self._token_secret, text.encode(), hashlib.sha256).hexdigest()

    def _check_claims(self, claims: dict[str, Any], now: float) -> None:
        issued, expires = claims.get("iat"), claims.get("exp")
        if claims.get("iss") != self.email:
            message = "Invalid grant: account not found."
        elif claims.get("aud") not in (self.token_uri, GOOGLE_AUDIENCE):
            message = "Invalid JWT: audience is not the token service."
        elif EARTH_ENGINE_SCOPE not in str(claims.get("scope", "")).split():
            message = f"Invalid scope: {EARTH_ENGINE_SCOPE} is missing."
        elif not isinstance(issued, int) or not isinstance(expires, int):
            message = "Invalid JWT: iat and exp must be whole numbers."
        elif not issued - _CLOCK_SKEW_S <= now < expires + _CLOCK_SKEW_S:
            message = "Invalid JWT: it must be a short-lived token in a reasonable timeframe."
        elif expires - issued > TOKEN_LIFETIME_S:
            message = "Invalid JWT: it must live for an hour at most."
        else:
            return
        raise InvalidAssertionError(message)


def _decode(part: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (binascii.Error, ValueError):
        message = "A part of the assertion is not base64."
        raise InvalidAssertionError(message) from None


def _decode_json(part: str) -> dict[str, Any]:
    try:
        value = json.loads(_decode(part))
    except ValueError:
        message = "A part of the assertion is not JSON."
        raise InvalidAssertionError(message) from None
    if not isinstance(value, dict):
        message = "A part of the assertion is not an object."
        raise InvalidAssertionError(message)
    return value
