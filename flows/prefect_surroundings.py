"""What Prefect is told by the environment before it is imported by a command."""

from __future__ import annotations

import os


def settle_prefect() -> None:
    """Sets what is not set: no telemetry, no second log, time for a temporary server to start."""
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    # Prefect's own log repeats what the display says, with tracebacks of expected failures.
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
    os.environ.setdefault("PREFECT_LOGGING_INTERNAL_LEVEL", "CRITICAL")
    os.environ.setdefault("PREFECT_LOGGING_TO_API_ENABLED", "false")
    if "PREFECT_API_URL" not in os.environ:
        # The server is then our own child, and Ctrl-C ends it with us: nobody waits for it.
        os.environ.setdefault("PREFECT_CLIENT_MAX_RETRIES", "1")
        # Prefect gives it 20 s by default, which a busy machine needs for the imports alone.
        os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "180")
