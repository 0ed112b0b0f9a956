"""Runs the command line with all logging on, and notes the tokens that it is given.

    python tests/flows/secretive_run.py LOG TOKENS ARGUMENT...

If SECRET_BLOCK is set, its value is put into a Prefect secret block of that name first, so that
the run can be told its name in place of the value.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from google.oauth2.service_account import Credentials

if TYPE_CHECKING:
    from collections.abc import Callable

REFRESH = Credentials.refresh


def noting(file: Path) -> Callable[[Credentials, object], None]:
    """Returns a `Credentials.refresh` that also writes every token that it gets to a file."""

    def refresh(self: Credentials, request: object) -> None:
        REFRESH(self, request)
        with file.open("a") as tokens:
            tokens.write(f"{self.token}\n")

    return refresh


def main() -> None:
    """Runs a command."""
    log, tokens, *arguments = sys.argv[1:]
    logging.basicConfig(level=logging.DEBUG, filename=log)
    Credentials.refresh = noting(Path(tokens))
    name, value = os.environ.pop("SECRET_BLOCK", "").partition("=")[::2]
    if name:
        from prefect.blocks.system import Secret

        Secret(value=value).save(name, overwrite=True)
    from flows.command_line import app

    app(arguments)


if __name__ == "__main__":
    main()
