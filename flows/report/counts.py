"""How many photos and chips there are, and what became of all the others: counts by reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from collectors.records import Outcome, Stage
from flows.report.meanings import CHIP_REASONS, PAIR_REASONS, PHOTO_REASONS, STAGES

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb


@dataclass(frozen=True, slots=True)
class Reason:
    """Something that happened to some photos, chips or scenes.

    Attributes:
        group: The stage, or the sensor.
        outcome: `rejected`, `failed`, or what else became of them.
        reason: Its name in the tables.
        meaning: The same in a sentence; empty where nobody wrote one.
        count: How many.
    """

    group: str
    outcome: str
    reason: str
    meaning: str
    count: int


@dataclass(frozen=True, slots=True)
class Step:
    """Photos that are left after a stage.

    Attributes:
        name: What they all have in common, in words.
        photos: How many.
        lost: How many the stage took away.
    """

    name: str
    photos: int
    lost: int


@dataclass(frozen=True, slots=True)
class SensorCounts:
    """What became of a sensor's chips.

    Attributes:
        sensor: Its name.
        placed: Chips that were placed.
        kept: Those with pixels.
        pairs: Photos in them.
        splits: Pairs of each split.
    """

    sensor: str
    placed: int
    kept: int
    pairs: int
    splits: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Counts:
    """The funnel of a version.

    Attributes:
        seen: Photos that the searches gave.
        kept: Those in the dataset.
        paired: Those with at least one chip.
        steps: From seen to paired.
        photos: Why photos are not in the dataset.
        chips: Why chips have no pixels.
        scenes: Why scenes that were fetched were refused.
        unpaired: Why photos of the dataset have no chip of a sensor.
        sensors: What became of each sensor's chips.
    """

    seen: int
    kept: int
    paired: int
    steps: tuple[Step, ...]
    photos: tuple[Reason, ...]
    chips: tuple[Reason, ...]
    scenes: tuple[Reason, ...]
    unpaired: tuple[Reason, ...]
    sensors: tuple[SensorCounts, ...]


def count_all(base: duckdb.DuckDBPyConnection) -> Counts:
    """Counts what is in a version.

    Args:
        base: Views `photos`, `rejects`, `chips` and `pairs`.
    """
    kept = _number(base, "SELECT count(*) FROM photos")
    paired = _number(base, "SELECT count(DISTINCT photo_id) FROM pairs")
    photos = _reasons(
        base, PHOTO_REASONS,
        "SELECT stage, outcome, reason, count(*) FROM rejects GROUP BY ALL",
    )  # fmt: skip
    order = {str(stage): place for place, stage in enumerate(Stage)}
    photos = tuple(sorted(photos, key=lambda one: (order.get(one.group, len(order)), -one.count)))
    seen = kept + sum(one.count for one in photos)
    return Counts(
        seen=seen,
        kept=kept,
        paired=paired,
        steps=_steps(seen, photos, paired),
        photos=photos,
        chips=_reasons(
            base, CHIP_REASONS,
            "SELECT sensor, outcome, coalesce(reason, ''), count(*) FROM chips"
            f" WHERE outcome <> '{Outcome.KEPT}' GROUP BY ALL",
        ),
        scenes=_reasons(
            base, CHIP_REASONS,
            "SELECT sensor, 'refused', scene.reason, count(*)"
            " FROM (SELECT sensor, unnest(refused) AS scene FROM chips WHERE len(refused) > 0)"
            " GROUP BY ALL",
        ),
        unpaired=_reasons(
            base, PAIR_REASONS,
            "SELECT entry.key, 'unpaired', entry.value, count(*)"
            " FROM (SELECT unnest(map_entries(unpaired)) AS entry FROM photos) GROUP BY ALL",
        ),
        sensors=_sensors(base),
    )  # fmt: skip


def _number(base: duckdb.DuckDBPyConnection, sql: str) -> int:
    return int(base.execute(sql).fetchall()[0][0])


def _reasons(
    base: duckdb.DuckDBPyConnection, meanings: Mapping[str, str], sql: str
) -> tuple[Reason, ...]:
    """Returns group, outcome, reason and count of a query's rows, the most frequent first."""
    found = [
        Reason(group, outcome, reason, meanings.get(reason, ""), count)
        for group, outcome, reason, count in base.execute(sql).fetchall()
    ]
    return tuple(sorted(found, key=lambda one: (one.group, -one.count, one.outcome, one.reason)))


def _steps(seen: int, photos: tuple[Reason, ...], paired: int) -> tuple[Step, ...]:
    """Returns how many photos are left after each stage; each reject left at exactly one."""
    left = seen
    steps = [Step("were seen", seen, 0)]
    for stage in Stage:
        lost = sum(one.count for one in photos if one.group == stage)
        left -= lost
        steps.append(Step(STAGES[stage], left, lost))
    other = sum(one.count for one in photos if one.group not in set(Stage))
    if other:  # a version of a later release may have stages that this one does not know
        left -= other
        steps.append(Step("pass all else", left, other))
    return (*steps, Step("lie in a chip", paired, left - paired))


def _sensors(base: duckdb.DuckDBPyConnection) -> tuple[SensorCounts, ...]:
    splits: dict[str, dict[str, int]] = {}
    for sensor, split, count in base.execute(
        "SELECT sensor, split, count(*) FROM pairs GROUP BY ALL ORDER BY ALL"
    ).fetchall():
        splits.setdefault(sensor, {})[split] = count
    return tuple(
        SensorCounts(sensor, placed, kept, sum(splits.get(sensor, {}).values()),
                     splits.get(sensor, {}))
        for sensor, placed, kept in base.execute(
            f"SELECT sensor, count(*), count(*) FILTER (outcome = '{Outcome.KEPT}')"
            " FROM chips GROUP BY ALL ORDER BY ALL"
        ).fetchall()
    )  # fmt: skip
