"""The commands `indoor train` and `indoor evaluate`: the indoor filter on one's own photographs."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, Optional

import typer
from rich.console import Console
from rich.table import Table

from flows.commands.console import WRONG_USE, AsJson, plain_errors, stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from filters.indoor_evaluation import Evaluation
    from filters.indoor_last_stage import Look

indoor_app = typer.Typer(
    help=(
        "Trains the indoor filter on photographs of one's own, and says how good one is.\n\n"
        "Example: `terrapair indoor train --photos pictures --out own.pth`"
    ),
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

WORST: Final = 36
"""Pictures on the contact sheet, at most."""

Photos = Annotated[
    Path, typer.Option(help="A folder with the folders `indoor` and `outdoor`; any picture format.")
]
RuleName = Literal["mass", "top10_vote"]
"""`filters.indoor_scores.Rule`, which would bring PyTorch along."""

EngineName = Literal[
    "eager", "channels_last", "mixed", "bfloat16", "compiled", "onnx", "onnx_int8", "cuda"
]
"""`filters.indoor_engines.Engine`, likewise."""

Threads = Annotated[
    Optional[int],  # noqa: UP045 - typer reads the annotation at run time
    typer.Option(min=1, help="Threads; as many as the machine has cores by default."),
]


@indoor_app.command("train")
def indoor_train(
    photos: Photos,
    out: Annotated[Path, typer.Option(help="Where the weights are written.")],
    weights: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Weights to start from, such as Places365's; from nothing by default."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of all chance.")] = 0,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Trains weights that tell the pictures in `indoor/` from those in `outdoor/`.

    A fifth is held back to end in time and to learn how sure the answers may be; pictures that look
    alike stay on one side. To build with the result, give its `path:` in the catalogue's
    rules.indoor_weights.

    Example: `terrapair indoor train --photos pictures --out own.pth --weights resnet18.pth.tar`
    """
    from filters.indoor_checkpoint import save_checkpoint
    from filters.indoor_training import train
    from filters.indoor_weights import load

    console = Console(stderr=as_json)
    with plain_errors():
        paths, labels = labelled_paths(photos)
        start = None if weights is None else load(weights, sha256=None)
        console.print(f"{sum(labels)} pictures indoors, {len(labels) - sum(labels)} outdoors")

        def tell(look: Look, steps: int) -> None:
            bar = "█" * round(12 * look.held_back_accuracy)  # the line fits in 80 columns
            console.print(
                f"step {look.step:4d} of {steps}  loss {look.loss:.3f}  held back:"
                f" loss {look.held_back_loss:.3f}, right {look.held_back_accuracy:6.1%} {bar}",
                highlight=False,
            )

        try:
            trained = train(
                [(path.read_bytes, label) for path, label in zip(paths, labels, strict=True)],
                seed=seed, start=start, threads=threads or _cores(), on_look=tell,
            )  # fmt: skip
        except ValueError as error:
            stop(f"{photos}: {error}", WRONG_USE)
        save_checkpoint(trained.checkpoint, out)
        for place, reason in trained.unreadable.items():
            console.print(f"left out: {paths[place]}: {reason}", markup=False, highlight=False)
        record = trained.checkpoint["training"]
        outcome = {
            "out": str(out), "sha256": load(out, sha256=None).sha256,
            "temperature": trained.checkpoint["temperature"],
            "unreadable": {str(paths[place]): why for place, why in trained.unreadable.items()},
            **record,
        }  # fmt: skip
        if as_json:
            typer.echo(json.dumps(outcome, indent=1))
            return
        best = record["best"]
        console.print(
            f"wrote {out}: {best['held_back_accuracy']:.1%} right on"
            f" {sum(record['held_back'].values())} pictures held back (step {best['step']}),"
            f" temperature {outcome['temperature']:.2f}, SHA-256 {outcome['sha256']}",
            highlight=False, soft_wrap=True,
        )  # fmt: skip


@indoor_app.command("evaluate")
def indoor_evaluate(
    photos: Photos,
    weights: Annotated[Path, typer.Option(help="The weights.")],
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="Indoors at this score or above it.")
    ] = 0.5,
    rule: Annotated[
        RuleName, typer.Option(help="What counts: the indoor classes' mass, or the ten best.")
    ] = "mass",
    engine: Annotated[
        EngineName, typer.Option(help="How the network is run; eager is the reference.")
    ] = "eager",
    sheet: Annotated[Path, typer.Option(help="Where the worst mistakes are drawn.")] = Path(
        "worst.jpg"
    ),
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Judges the pictures in `indoor/` and `outdoor/` and says how often that is right.

    Example: `terrapair indoor evaluate --photos pictures --weights own.pth --json`
    """
    from filters.indoor import IndoorClassifier, Unreadable
    from filters.indoor_engines import EngineUnavailableError
    from filters.indoor_evaluation import contact_sheet, evaluate
    from filters.indoor_pictures import FORMATS, prepare
    from filters.indoor_weights import load

    with plain_errors():
        paths, labels = labelled_paths(photos)
        loaded = load(weights, sha256=None)
        try:
            made = IndoorClassifier(
                loaded, threads=threads or _cores(), formats=FORMATS, rule=rule, engine=engine
            )
        except EngineUnavailableError as error:
            stop(f"--engine {engine}: {error}", WRONG_USE)
        except ValueError as error:
            stop(f"--rule {rule}: {error}", WRONG_USE)
        with made as classifier:
            scores = list(classifier.judge(paths))
        try:
            places = [p for p, score in enumerate(scores) if not isinstance(score, Unreadable)]
            found = evaluate(
                [score for score in scores if not isinstance(score, Unreadable)],
                [labels[place] for place in places], threshold=threshold, rule=rule,
            )  # fmt: skip
        except ValueError as error:
            stop(f"{photos}: {error}", WRONG_USE)
        unreadable = {str(paths[place]): score.reason for place, score in enumerate(scores)
                      if isinstance(score, Unreadable)}  # fmt: skip
        worst = [places[one] for one in found.worst]
        tiles = []
        for place in worst[:WORST]:
            picture = prepare(paths[place].read_bytes(), FORMATS)
            if not isinstance(picture, Unreadable):
                tiles.append((picture, f"{scores[place]:.2f} {paths[place].name}"))
        if tiles:
            sheet.parent.mkdir(parents=True, exist_ok=True)
            contact_sheet(tiles).save(sheet, "JPEG", quality=85)
        outcome = asdict(found) | {
            "worst": [{"path": str(paths[place]), "score": scores[place]} for place in worst],
            "balanced_accuracy": found.at.balanced_accuracy,
            "sheet": str(sheet) if tiles else None,
            "unreadable": unreadable,
            "weights_sha256": loaded.sha256,
        }
        if as_json:
            typer.echo(json.dumps(outcome, indent=1))
        else:
            _show(Console(), found, unreadable, sheet if tiles else None)


def labelled_paths(folder: Path) -> tuple[list[Path], list[bool]]:
    """Returns the files below `indoor/` and `outdoor/` in the order of their names.

    Raises:
        typer.Exit: If one of the two folders is missing or empty.
    """
    paths: list[Path] = []
    labels: list[bool] = []
    for name, label in (("indoor", True), ("outdoor", False)):
        found = sorted(
            path for path in (folder / name).rglob("*")
            if path.is_file() and not path.name.startswith(".")
        )  # fmt: skip
        if not found:
            stop(
                f"there are no files in {folder / name}. Put pictures taken indoors into"
                f" {folder / 'indoor'} and others into {folder / 'outdoor'}.",
                WRONG_USE,
            )
        paths += found
        labels += [label] * len(found)
    return paths, labels


def _show(
    console: Console, found: Evaluation, unreadable: dict[str, str], sheet: Path | None
) -> None:
    """Prints an evaluation."""
    line: Callable[[str], None] = lambda text: console.print(  # noqa: E731 - one way to print
        text, markup=False, highlight=False, soft_wrap=True
    )
    line(
        f"{found.pictures} pictures: {found.at.accuracy:.1%} right, balanced"
        f" {found.at.balanced_accuracy:.1%}, AUC {found.auc:.4f}, calibration error"
        f" {found.calibration_error:.3f}"
    )
    for taken, judged in found.confusion.items():
        line(
            f"taken {taken:8s} judged indoor {judged['indoor']:6d}, outdoor {judged['outdoor']:6d}"
        )
    table = Table("threshold", "right", "indoor rejected", "outdoor kept")
    for row in found.table:
        table.add_row(f"{row.threshold:.2f}", f"{row.accuracy:.1%}",
                      f"{row.indoor_rejected:.1%}", f"{row.outdoor_kept:.1%}")  # fmt: skip
    console.print(table)
    for path, reason in unreadable.items():
        line(f"not judged: {path}: {reason}")
    line(f"{len(found.worst)} mistakes" + (f", the worst in {sheet}" if sheet else ""))


def _cores() -> int:
    from flows.settings import read_settings

    return read_settings().cpu_threads
