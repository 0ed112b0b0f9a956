"""The proof that pairs, pixels and splits are right: what is learned from them holds elsewhere.

Encoders are trained from nothing on the pairs of `train` and asked about ground that they never
saw. Were photos paired with the wrong chips, or were their pixels wrong, there would be nothing to
learn; the same training on spoiled pairs shows that.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from examples.graft.ground import read_ground
from examples.graft.retrieval import Level, retrieve
from examples.graft.training import spoil, train
from filters.splits import Split
from tests.benchmarks.graft_world import CELLS, build_world
from tests.benchmarks.lines import report

if TYPE_CHECKING:
    from pathlib import Path

    from examples.graft.ground import Ground
    from examples.graft.training import Encoders, Spoiling

pytestmark = pytest.mark.benchmark

SEEDS: Final = (0, 1, 2)
WANTED: Final = 5.0


@pytest.fixture(scope="module")
def grounds(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Ground, Ground]:
    """What is trained on and what is asked about, read from a dataset made by the pipeline."""
    root = str(build_world(tmp_path_factory.mktemp("graft"), weights, cells=CELLS))
    trained, asked = (read_ground(root, split, "sentinel2") for split in (Split.TRAIN, Split.TEST))
    assert not set(trained.cell_of_chip) & set(asked.cell_of_chip)
    return trained, asked


@pytest.fixture(scope="module")
def taught(grounds: tuple[Ground, Ground]) -> list[Encoders]:
    """Encoders trained on the pairs as they are, one for each seed."""
    return [train(grounds[0], seed=seed) for seed in SEEDS]


def ask(encoders: list[Encoders], asked: Ground) -> tuple[Level, Level]:
    """Both levels, each photo's answers averaged over the seeds."""
    levels = list(zip(*(retrieve(one, asked) for one in encoders), strict=True))
    image, pixel = (
        replace(of_seeds[0], found=np.mean([one.found for one in of_seeds], axis=0))
        for of_seeds in levels
    )
    return image, pixel


def figures(level: Level) -> dict[str, object]:
    """An interval and what it was drawn from."""
    low, high = level.interval()
    return {
        "interval_95": [round(low, 2), round(high, 2)], "photos": len(level.found),
        "cells": len(set(level.cell.tolist())), "chance": round(float(level.chance.mean()), 5),
        "seeds": len(SEEDS),
    }  # fmt: skip


def test_what_is_learned_from_the_pairs_holds_on_unseen_ground(
    grounds: tuple[Ground, Ground], taught: list[Encoders]
) -> None:
    """Photos find their chip, and their patch in it, at least five times as often as by chance."""
    image, pixel = ask(taught, grounds[1])
    sizes = {"train_chips": len(grounds[0].chips), "train_photos": len(grounds[0].photos),
             "test_chips": len(grounds[1].chips)}  # fmt: skip
    for name, level in (("graft_retrieval", image), ("graft_pixel_retrieval", pixel)):
        report(
            f"{name}_over_chance", round(level.over_chance, 2), "times", f">= {WANTED:.0f}",
            **figures(level), **sizes,
        )  # fmt: skip
        assert level.over_chance >= WANTED
        assert level.interval()[0] > 1.0


def test_shuffled_pairs_teach_nothing(grounds: tuple[Ground, Ground]) -> None:
    """Each photo given to another's chip and pixel for training, both levels fall to chance."""
    trained, asked = grounds
    shuffled = [train(spoil(trained, "shuffled", seed), seed=seed) for seed in SEEDS]
    image, pixel = ask(shuffled, asked)
    report(
        "graft_shuffled_over_chance", round(image.over_chance, 2), "times", "1 within the interval",
        **figures(image), pixel=round(pixel.over_chance, 2),
        pixel_interval_95=[round(end, 2) for end in pixel.interval()],
    )  # fmt: skip
    for level in (image, pixel):
        low, high = level.interval()
        assert low <= 1.0 <= high


@pytest.mark.parametrize("how", ["swapped", "mirrored"])
def test_wrong_pixels_are_noticed(
    grounds: tuple[Ground, Ground], taught: list[Encoders], how: Spoiling
) -> None:
    """Rows and columns swapped, or columns counted from the right: the pixel level falls.

    Once in the whole dataset, as a fault in the pipeline would have it; and once only where those
    are asked who were taught by the right ones. A sixth of the photos, the centres of the chips,
    lie on the axis that is mirrored, so it does not fall to one.
    """
    trained, asked = grounds
    _, right = ask(taught, asked)
    wrong = spoil(asked, how, 0)
    image, pixel = ask([train(spoil(trained, how, seed), seed=seed) for seed in SEEDS], wrong)
    _, asked_alone = ask(taught, wrong)
    report(
        f"graft_pixel_retrieval_{how}", round(pixel.over_chance, 2), "times",
        f"under {right.over_chance / 2:.2f}, half of what right pixels give", **figures(pixel),
        image=round(image.over_chance, 2), asked_alone=round(asked_alone.over_chance, 2),
    )  # fmt: skip
    assert pixel.over_chance < right.over_chance / 2
    assert asked_alone.over_chance < right.over_chance / 2
