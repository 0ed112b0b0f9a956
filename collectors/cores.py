"""The machine's cores, shared by the threads that compute on them."""

from __future__ import annotations

import os
from threading import BoundedSemaphore
from typing import Final

CORES: Final = BoundedSemaphore(os.cpu_count() or 1)
"""Held by a thread while it works on pixels, never while it waits for a service, and once.

Threads are as many as services let requests be under way, far more than there are cores. Let all
compute at once, they take the interpreter's lock and the caches from each other: the same work
then takes up to three times as long, and what waits for its turn to take in an answer waits longer.
"""
