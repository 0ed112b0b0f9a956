"""Trains on the pairs of `train` and says what the encoders know of the ground of `test`.

python -m examples.graft demo
python -m examples.graft s3://bucket/dataset --pairs shuffled
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import get_args

from examples.graft.ground import read_ground
from examples.graft.retrieval import retrieve
from examples.graft.training import STEPS, Spoiling, spoil, train
from filters.splits import Split


def main() -> None:
    """Reads, trains, asks and prints one line of JSON for each level."""
    words = argparse.ArgumentParser("python -m examples.graft", description=__doc__.split("\n")[0])
    words.add_argument("root", help="the dataset: a local path, s3://… or gs://…")
    words.add_argument("--version", help="a published version; the newest by default")
    words.add_argument("--sensor", default="sentinel2")
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--steps", type=int, default=STEPS)
    words.add_argument(
        "--pairs", choices=get_args(Spoiling), default="none", help="how to spoil them"
    )
    asked = words.parse_args()
    ground, unseen = (
        read_ground(asked.root, split, asked.sensor, asked.version)
        for split in (Split.TRAIN, Split.TEST)
    )
    encoders = train(spoil(ground, asked.pairs, asked.seed), seed=asked.seed, steps=asked.steps)
    for name, level in zip(("image", "pixel"), retrieve(encoders, unseen), strict=True):
        low, high = level.interval()
        line = {
            "level": name, "pairs": asked.pairs, "over_chance": round(level.over_chance, 2),
            "interval_95": [round(low, 2), round(high, 2)], "cells": len(set(level.cell.tolist())),
            "photos": len(level.found), "chips": len(unseen.chips),
        }  # fmt: skip
        sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
