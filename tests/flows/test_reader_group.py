"""What the README says of reading runs where only the dependency group `reader` is installed."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parents[2]

HOOK = """
import sys

class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in refused:
            raise ModuleNotFoundError(f"{name} is not in the group", name=name)

sys.meta_path.insert(0, Refused())
"""


def _closure(requirements: Iterable[str]) -> set[str]:
    """Returns the names of all distributions that are installed for some requirements."""
    found: set[str] = set()
    open_ones = [Requirement(one) for one in requirements]
    while open_ones:
        one = open_ones.pop()
        name = canonicalize_name(one.name)
        if name in found or (one.marker is not None and not one.marker.evaluate({"extra": ""})):
            continue
        try:
            needs = distribution(one.name).requires or []
        except PackageNotFoundError:
            continue
        found.add(name)
        open_ones += map(Requirement, needs)
    return found


def _group() -> list[str]:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found: list[str] = groups["dependency-groups"]["reader"]
    return found


def test_the_readme_s_training_runs_with_the_group_alone(built: Path) -> None:
    """Its snippet reads a dataset while every distribution outside the group cannot be imported."""
    allowed = _closure(_group())
    assert not allowed & {"prefect", "earthengine-api", "rasterio", "pandas"}
    refused = {
        module for module, names in packages_distributions().items()
        if not {canonicalize_name(name) for name in names} & allowed
    } - {"flows", "filters", "collectors"}  # fmt: skip
    assert {"prefect", "ee", "rasterio", "pydantic", "duckdb"} <= refused
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## Training on it")[2]
    found = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert found is not None
    snippet = found[1].replace('"demo"', repr(str(built)))
    snippet = snippet.replace("in loader:", "in islice(loader, 2):")
    check = "print(len(samples), sorted(batch), state['batches'], tuple(batch['photos'].shape[1:]))"
    script = f"from itertools import islice\nrefused = {refused!r}\n{HOOK}\n{snippet}\n{check}"
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "'chip_index'" in ran.stdout
    assert ran.stdout.rstrip().endswith("2 (3, 224, 224)")


def test_the_group_is_a_part_of_the_dependencies() -> None:
    """Each of its requirements is one of the project's own, to the letter."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(_group()) <= set(project["dependencies"])
