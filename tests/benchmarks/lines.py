"""Prints a measurement as one line of JSON."""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def report(name: str, value: float, unit: str, target: str, **more: Any) -> None:
    """Prints a measurement.

    Args:
        name: The benchmark's fixed name.
        value: What was measured.
        unit: Its unit.
        target: What is wanted, in words.
        more: What is needed to understand it: `peer` and `ratio`, sizes, seeds.
    """
    line = {"name": name, "value": value, "unit": unit, "target": target}
    sys.stdout.write("\n" + json.dumps(line | more | {"cores": os.cpu_count()}) + "\n")
    sys.stdout.flush()
