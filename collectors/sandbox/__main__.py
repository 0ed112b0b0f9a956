"""Starts the sandbox: `python -m collectors.sandbox --help`."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from collectors.sandbox.limits import parse_limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from collectors.sandbox.limits import Limits


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until it is told to stop.

    Args:
        arguments: the command line without the program's name; None for the process's own.

    Returns:
        0, or 2 when the sandbox cannot be started; the reason is on stderr.
    """
    read = _parse(arguments)
    # Imported late, so that --help and a wrong option answer at once.
    from collectors.sandbox.fault_plans import parse_latency, read_plan  # noqa: PLC0415
    from collectors.sandbox.faults import FaultPlan  # noqa: PLC0415
    from collectors.sandbox.server import Options, serve  # noqa: PLC0415

    try:
        latency = parse_latency(dict(read.latency))
        plan = FaultPlan() if read.faults is None else read_plan(read.faults)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"The sandbox cannot start: {error}\n")
        return 2
    options = Options(
        seed=read.seed,
        photos=read.photos,
        scenes=read.scenes,
        weights=read.weights,
        port=read.port,
        beyond_limit=read.beyond_limit,
        awkward=read.awkward,
        plan=replace(plan, latency_s={**plan.latency_s, **latency}),
        limits=read.limits,
        prerendered=read.prerendered,
        keep_bytes=read.keep_bytes,
        **{name: value for name in ("key", "secret") if (value := getattr(read, name)) is not None},
    )
    try:
        serve(options, with_parent=read.with_parent)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"The sandbox cannot start: {error}\n")
        return 2
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m collectors.sandbox",
        description="Serves a made-up world through the interfaces of Flickr and Earth Engine, on "
        "this machine only. Writes one line of JSON with the addresses when it is ready.",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the world (default 0)")
    parser.add_argument(
        "--photos", type=_existing, help="Parquet or CSV file of photos instead of made-up ones"
    )
    parser.add_argument(
        "--scenes", type=_existing, help="Parquet file or folder of scenes instead of made-up ones"
    )
    parser.add_argument("--weights", type=Path, help="file or folder served under /weights/")
    parser.add_argument("--port", type=_port, default=0, help="0 (default) for any free one")
    parser.add_argument("--key", type=_letters, help="API key of the photo service")
    parser.add_argument("--secret", help="secret of that key")
    parser.add_argument(
        "--beyond-limit",
        choices=("repeat", "refuse"),
        default="repeat",
        help="what a search answers after its first 4,000 results: its last page, or code 20",
    )
    parser.add_argument(
        "--limits",
        type=_limits,
        default="{}",
        help="Earth Engine's limits that differ from the real ones, as JSON, "
        'such as {"at_once": 10, "monthly_eecu_s": 100}',
    )
    parser.add_argument(
        "--awkward", type=_share, default=0.0, metavar="SHARE",
        help="share of photos with an awkward file, of awkward titles and of places that one owner "
        "floods, 0..1 (default 0: only the 1 %% of photos that were removed)",
    )  # fmt: skip
    parser.add_argument(
        "--faults", type=_existing, metavar="FILE", help="JSON file of what is to go wrong"
    )
    parser.add_argument(
        "--latency", type=_delay, action="append", default=[], metavar="SERVICE=SECONDS",
        help="added to every answer of flickr, photo or ee, or of one kind such as ee.get_pixels",
    )  # fmt: skip
    parser.add_argument(
        "--prerendered",
        action="store_true",
        help="send pixels that were made beforehand and show no place, to measure throughput",
    )
    parser.add_argument(
        "--keep-bytes", type=int, default=0, metavar="BYTES",
        help="of photos' files and of pixels that are kept on disk once they were made (default 0)",
    )  # fmt: skip
    parser.add_argument("--with-parent", action="store_true", help="end when stdin is closed")
    return parser.parse_args(arguments)


def _existing(text: str) -> Path:
    path = Path(text)
    if not path.exists():
        raise argparse.ArgumentTypeError(f"there is nothing at {text}")
    return path


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0.0 <= share <= 1.0:
        raise argparse.ArgumentTypeError(f"{text} is not a share, 0..1")
    return share


def _delay(text: str) -> tuple[str, float]:
    name, _, seconds = text.partition("=")
    try:
        return name, float(seconds)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not SERVICE=SECONDS") from None


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text} is not a port, 0..65535")
    return int(text)


def _limits(text: str) -> Limits:
    try:
        return parse_limits(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _letters(text: str) -> str:
    if not (text.isascii() and text.isalnum()):
        raise argparse.ArgumentTypeError("a key has letters and digits only")
    return text


if __name__ == "__main__":
    sys.exit(main())
