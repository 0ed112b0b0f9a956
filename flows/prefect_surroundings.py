"""What Prefect is told by the environment before it is imported by a command."""

from __future__ import annotations

import os
from pathlib import Path

from collectors.transport import SetupError


def settle_prefect() -> None:
    """Sets what is not set: no telemetry, no second log, time for a temporary server to start."""
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    # Prefect's own log repeats what the display says, with tracebacks of expected failures.
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
    os.environ.setdefault("PREFECT_LOGGING_INTERNAL_LEVEL", "CRITICAL")
    os.environ.setdefault("PREFECT_LOGGING_TO_API_ENABLED", "false")
    if "PREFECT_API_URL" not in os.environ:
        _see_that_home_can_be_written()
        # The server is then our own child, and Ctrl-C ends it with us: nobody waits for it.
        os.environ.setdefault("PREFECT_CLIENT_MAX_RETRIES", "1")
        # Prefect gives it 20 s by default, which a busy machine needs for the imports alone.
        os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "180")


def _see_that_home_can_be_written() -> None:
    """Sees that a temporary server can keep its records; else it dies silently, time and again.

    Raises:
        SetupError: If it cannot.
    """
    home = Path(os.environ.get("PREFECT_HOME") or "~/.prefect").expanduser()
    try:
        home.mkdir(parents=True, exist_ok=True)
        well = os.access(home, os.W_OK | os.X_OK)
        why = "nobody may write there"
    except OSError as error:
        well, why = False, error.strerror or str(error)
    if not well:
        raise SetupError(
            f"Prefect's folder {home}", f"cannot be written ({why}).",
            "Set PREFECT_HOME to a folder that can.",
        )  # fmt: skip
