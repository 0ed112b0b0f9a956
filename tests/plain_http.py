"""Requests over plain HTTP to services on this machine.

Each of `httpx`'s own functions first reads the certificates of all authorities: 25 ms of a core.
Here none is read, so https would fail. Each request has a connection of its own, as there.
"""

from __future__ import annotations

import ssl
from functools import partial
from typing import Final

import httpx

_NO_CERTIFICATES: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

request = partial(httpx.request, verify=_NO_CERTIFICATES)
get = partial(request, "GET")
post = partial(request, "POST")
