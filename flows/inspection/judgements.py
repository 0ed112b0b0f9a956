"""Every judgement that a photo met on its way, with its figure and its limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from collectors.records import Outcome, Stage
from filters.duplicates import BURST_DISTANCE_M, BURST_TIME
from filters.sampling import part_of

if TYPE_CHECKING:
    from collections.abc import Mapping

PASSED: Final = "passed"
STOPPED: Final = "stopped here"
NOT_REACHED: Final = "not reached"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule on the way of a photo.

    Attributes:
        stage: Where it is applied.
        question: What it asks.
        reasons: What a row says that it stopped; none: whatever the stage says.
    """

    stage: Stage
    question: str
    reasons: tuple[str, ...] = ()


RULES: Final = (
    Rule(Stage.SCREEN, "record can be read", ("unreadable",)),
    Rule(Stage.SCREEN, "is a photograph", ("not_photo",)),
    Rule(Stage.SCREEN, "location shown to everyone", ("not_public_geo",)),
    Rule(Stage.SCREEN, "has a location", ("no_location", "bad_location")),
    Rule(Stage.SCREEN, "accuracy of the geotag", ("low_accuracy",)),
    Rule(Stage.SCREEN, "date of capture is known", ("unknown_date", "coarse_date", "bad_date")),
    Rule(Stage.SCREEN, "licence", ("licence",)),
    Rule(Stage.SCREEN, "day of capture", ("outside_window",)),
    Rule(Stage.SCREEN, "in the region", ("outside_region",)),
    Rule(Stage.SCREEN, "no burst", ("burst",)),
    Rule(Stage.SELECT, "owner's share of the cell", ("owner_share",)),
    Rule(Stage.SELECT, "quota of the cell", ("over_quota",)),
    Rule(Stage.DOWNLOAD, "can be downloaded"),
    Rule(Stage.COMPARE, "other picture than its cell has"),
    Rule(Stage.JUDGE, "outdoors"),
    Rule(Stage.PUBLISH, "other picture than the dataset has"),
)
"""In the order in which they are applied."""


def judgements(
    row: Mapping[str, Any],
    rules: Mapping[str, Any],
    survey: Mapping[str, Any] | None,
    owner_photos: int | None,
) -> list[dict[str, Any]]:
    """Returns what each rule said of a photo.

    Args:
        row: Its row, of photos or rejects.
        rules: The rules of the version's manifest.
        survey: The survey that found it, as its cell's commit has it; None if that is gone.
        owner_photos: Kept photos that its owner has in its cell.

    Returns:
        For each rule `stage`, `rule`, `figure` (None where none was written down), `limit` and
        `result`: `passed`, `stopped here` or `not reached`.
    """
    kept = row.get("outcome") is None
    stopped_at = None if kept else _stopped_at(row)
    told = _figures(row, rules, survey, owner_photos)
    found = []
    for number, rule in enumerate(RULES):
        figure, limit = told.get(rule.question, (None, None))
        if stopped_at is None or number < stopped_at:
            result = PASSED
        else:
            result = STOPPED if number == stopped_at else NOT_REACHED
        if result == NOT_REACHED:
            figure = None
        elif result == STOPPED and row.get("detail"):
            figure = row["detail"]
        found.append(
            {"stage": str(rule.stage), "rule": rule.question, "figure": figure, "limit": limit,
             "result": result}
        )  # fmt: skip
    return found


def _stopped_at(row: Mapping[str, Any]) -> int:
    """Returns the number of the rule that ended a photo's way: of its stage, by its reason."""
    of_stage = [number for number, rule in enumerate(RULES) if rule.stage == row["stage"]]
    for number in of_stage:
        if row["reason"] in RULES[number].reasons:
            return number
    return of_stage[0] if of_stage else len(RULES)


def _figures(
    row: Mapping[str, Any],
    rules: Mapping[str, Any],
    survey: Mapping[str, Any] | None,
    owner_photos: int | None,
) -> dict[str, tuple[Any, str | None]]:
    """Returns the figure and the limit of each rule that has them, by its question."""
    window = None if survey is None else f"{survey['taken_from']} to {survey['taken_until']}"
    quota = rules["quota_per_cell"] if survey is None else survey["quota"]
    place = None if row["lon"] is None else f"{row['lon']:.6f}, {row['lat']:.6f}"
    granularity = row.get("taken_granularity")
    exact = {None: None, 0: "to the second"}.get(granularity, f"granularity {granularity}")
    pixels = f"{row['width']} × {row['height']} px" if "width" in row else None
    probability, threshold = row["indoor_probability"], rules["indoor_threshold"]
    vote = " (vote of the ten likeliest)" if rules.get("indoor_rule") == "top10_vote" else ""
    same = rules["same_picture"]
    burst = f"{BURST_TIME.total_seconds():g} s and {BURST_DISTANCE_M:g} m of another of its owner"
    return {
        "has a location": (place, None),
        "accuracy of the geotag": (row.get("accuracy"), f"at least {rules['min_accuracy']}"),
        "date of capture is known": (exact, "to the second, 1990 or later, not after the upload"),
        "licence": (row["licence"], f"one of {len(rules['licences'])} that may be kept"),
        "day of capture": (None if row["taken_at"] is None else row["taken_at"][:10], window),
        "no burst": (None, f"not within {burst}"),
        "owner's share of the cell": (
            None if owner_photos is None else f"{owner_photos} kept in the cell",
            f"at most {part_of(quota, rules['owner_share'])} of {quota}",
        ),
        "quota of the cell": (None, f"{quota} photos"),
        "can be downloaded": (pixels, None),
        "other picture than its cell has": (None, f"agreement under {same:g}"),
        "outdoors": (probability, f"indoor probability under {threshold:g}{vote}"),
        "other picture than the dataset has": (None, f"agreement under {same:g}"),
    }


def ended(row: Mapping[str, Any]) -> str:
    """Returns how a photo's way ended: kept, rejected or failed."""
    return str(row.get("outcome") or Outcome.KEPT)
