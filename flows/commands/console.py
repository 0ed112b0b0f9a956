"""What all commands share: their options, how they end, and how they say what went wrong."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn, Optional

import typer
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Iterator

FAILED: Final = 1
"""Exit code when something failed; what is finished is kept."""

WRONG_USE: Final = 2
"""Exit code when the command, the catalogue or the region has to be mended."""

STOPPED: Final = 3
"""Exit code when a budget was spent before the end; the same command goes on when there is more."""

INTERRUPTED: Final = 130
"""Exit code after Ctrl-C, as shells have it."""

Root = Annotated[
    str, typer.Option(help="The dataset: a folder, s3://bucket/prefix or gs://bucket/prefix.")
]
CatalogFile = Annotated[
    Optional[Path],  # noqa: UP045 - typer reads the annotation at run time
    typer.Option("--catalog", help="The catalogue; data_catalog.yaml here, else the shipped one."),
]
VersionName = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--version", help="A version, such as v0001; the newest by default."),
]


def local_path(given: str | Path) -> Path:
    """Returns a path on this machine, also from a `file://` address.

    Raises:
        typer.BadParameter: If it is an address of object storage, which would become a folder `s3:`
            here.
    """
    if isinstance(given, Path) or "://" not in given:
        return Path(given)
    from collectors.storage import local_folder

    found = local_folder(given) if given.startswith("file://") else None
    if found is None:
        raise typer.BadParameter(
            f"{given} is an address; give a path on this machine, which is all this writes to"
        )
    return found


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


def finish(console: Console, outcome: dict[str, Any], *, as_json: bool) -> None:
    """Prints the outcome of a run."""
    from flows.runs.run_report import show

    if as_json:
        typer.echo(json.dumps(outcome, indent=1))
    else:
        show(console, outcome)
    if outcome.get("stopped") and not outcome["cells"].get("failed"):
        stop(f"stopped: {outcome['stopped']}", STOPPED)


@contextlib.contextmanager
def reporting(as_json: bool) -> Iterator[tuple[Console, Any]]:
    """Gives the console and the display of a run; a run that failed in part is shown as well."""
    from flows.runs.progress import Display
    from flows.runs.running import RunFailedError

    # With --json, standard output holds the JSON and nothing else.
    console = Console(stderr=as_json)
    with plain_errors(kept=True):
        try:
            with Display(console) as display:
                yield console, display
        except RunFailedError as error:
            finish(console, error.outcome, as_json=as_json)
            stop(str(error), FAILED)


@contextlib.contextmanager
def plain_errors(*, kept: bool = False) -> Iterator[None]:
    """Turns errors into one message and an exit code; keys are never in it.

    Args:
        kept: Whether the command goes on, when it is run again, from what it had finished.
    """
    from collectors.transport import ServiceTrouble, WrongUse, redact
    from flows.catalogue.text import CatalogueError
    from flows.limits.budgets import BudgetSpent

    try:
        yield
    except (CatalogueError, WrongUse) as error:
        stop(str(error), WRONG_USE)
    except BudgetSpent as spent:
        stop(f"stopped: {spent}", STOPPED)
    except ServiceTrouble as error:
        stop(str(error), FAILED)
    except KeyboardInterrupt:
        more = "; what is finished is kept, run the same command again to go on" if kept else ""
        stop(f"stopped{more}", INTERRUPTED)
    except (typer.Exit, SystemExit):
        raise
    except Exception as error:  # noqa: BLE001 - a crash becomes an exit code
        if type(error).__name__ in {"WeightsError", "WeightsUnreachableError", "SandboxError"}:
            stop(str(error), FAILED)
        from flows.settings import read_settings

        secrets = read_settings().secrets
        if os.environ.get("TERRAPAIR_DEBUG"):
            sys.stderr.write(redact(traceback.format_exc(), secrets))
            raise typer.Exit(FAILED) from None
        text = redact(f"{type(error).__name__}: {error}", secrets)
        stop(f"unexpected trouble: {text} (set TERRAPAIR_DEBUG=1 for the traceback)", FAILED)


def stop(message: str, code: int) -> NoReturn:
    """Ends the command with a message on standard error.

    Raises:
        typer.Exit: Always, with the exit code.
    """
    Console(stderr=True).print(message, style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(code)
