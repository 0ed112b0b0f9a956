"""How good an indoor filter is on labelled pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageDraw

from filters.indoor_scores import is_indoor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from filters.indoor_scores import Rule

_BINS: Final = 10
"""Of equal width, for the calibration error (Guo et al., ICML 2017, use 15 for larger sets)."""

THRESHOLDS: Final = tuple(round(0.05 * step, 2) for step in range(1, 20))

_TILE_PX: Final = 160
_LABEL_PX: Final = 14
_COLUMNS: Final = 6


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """What a threshold would do.

    Attributes:
        threshold: Rejected at this score or above it.
        accuracy: Share that is right.
        indoor_rejected: Share of the pictures taken indoors that are rejected.
        outdoor_kept: Share of the pictures taken outdoors that are kept.
    """

    threshold: float
    accuracy: float
    indoor_rejected: float
    outdoor_kept: float

    @property
    def balanced_accuracy(self) -> float:
        """Mean over the two kinds."""
        return (self.indoor_rejected + self.outdoor_kept) / 2


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was found.

    Attributes:
        pictures: How many could be judged.
        at: At the threshold that was asked for.
        auc: Chance that of two pictures the one taken indoors has the higher score; ties count
            half.
        calibration_error: Mean distance of score and share of indoors over ten bins, by weight.
        confusion: Numbers by (taken, judged).
        table: Other thresholds.
        worst: Places of the wrong pictures, the surest mistake first.
    """

    pictures: int
    at: AtThreshold
    auc: float
    calibration_error: float
    confusion: dict[str, dict[str, int]]
    table: tuple[AtThreshold, ...]
    worst: tuple[int, ...]


def evaluate(
    scores: Sequence[float], indoor: Sequence[bool], *, threshold: float, rule: Rule = "mass"
) -> Evaluation:
    """Compares scores with what the pictures are.

    Args:
        scores: 0 to 1.
        indoor: For each, whether it was taken indoors.
        threshold: Rejected at this score or above it (votes: above it).
        rule: How classes became a score.

    Raises:
        ValueError: If a kind is missing.
    """
    found, truth = np.asarray(scores, dtype=float), np.asarray(indoor, dtype=bool)
    if not len(truth) or truth.all() or not truth.any():
        raise ValueError("pictures of both kinds are needed, indoors and outdoors")
    judged = _judged(found, threshold, rule)
    names = {True: "indoor", False: "outdoor"}
    confusion = {
        names[taken]: {names[said]: int(((truth == taken) & (judged == said)).sum())
                       for said in (True, False)}
        for taken in (True, False)
    }  # fmt: skip
    wrong = np.flatnonzero(judged != truth)
    surest = wrong[np.argsort(-np.abs(found[wrong] - threshold), kind="stable")]
    return Evaluation(
        pictures=len(truth),
        at=_at(found, truth, threshold, rule),
        auc=auc(found, truth),
        calibration_error=calibration_error(found, truth),
        confusion=confusion,
        table=tuple(_at(found, truth, one, rule) for one in THRESHOLDS),
        worst=tuple(int(place) for place in surest),
    )


def _judged(scores: NDArray[np.float64], threshold: float, rule: Rule) -> NDArray[np.bool_]:
    return np.array([is_indoor(score, threshold, rule) for score in scores.tolist()], dtype=bool)


def _at(
    scores: NDArray[np.float64], truth: NDArray[np.bool_], threshold: float, rule: Rule
) -> AtThreshold:
    judged = _judged(scores, threshold, rule)
    return AtThreshold(
        threshold, float((judged == truth).mean()), float(judged[truth].mean()),
        float((~judged[~truth]).mean()),
    )  # fmt: skip


def auc(scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """Returns the area under the ROC curve, by ranks (Mann and Whitney); ties count half."""
    _, place, number = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(number)
    ranks = (last - (number - 1) / 2)[place]
    inside, outside = int(truth.sum()), int((~truth).sum())
    above = ranks[truth].sum() - inside * (inside + 1) / 2
    return float(above / (inside * outside))


def calibration_error(scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """Returns the expected calibration error over ten bins of equal width."""
    place = np.minimum((scores * _BINS).astype(int), _BINS - 1)
    distances = [
        abs(float(scores[place == one].sum() - truth[place == one].sum())) for one in range(_BINS)
    ]
    return sum(distances) / len(scores)


def contact_sheet(pictures: Sequence[tuple[NDArray[np.uint8], str]]) -> Image.Image:
    """Lays pictures out in rows, each above a line of text.

    Args:
        pictures: (rows, columns, bands) and the line.
    """
    rows = -(-len(pictures) // _COLUMNS)
    height = _TILE_PX + _LABEL_PX
    sheet = Image.new("RGB", (_COLUMNS * _TILE_PX, max(1, rows) * height), "white")
    pen = ImageDraw.Draw(sheet)
    for number, (picture, line) in enumerate(pictures):
        left, top = number % _COLUMNS * _TILE_PX, number // _COLUMNS * height
        tile = Image.fromarray(picture).resize((_TILE_PX - 2, _TILE_PX - 2))
        sheet.paste(tile, (left + 1, top + 1))
        pen.text((left + 2, top + _TILE_PX), line[: _TILE_PX // 6], fill="black")
    return sheet
