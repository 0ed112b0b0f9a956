"""The Prefect side: entry points, deployments, and one run of the whole through a real server."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from prefect.flows import load_flow_from_entrypoint
from ruamel.yaml import YAML

from flows.verification.verification import verify_dataset

ROOT = Path(__file__).resolve().parents[2]
DEPLOYMENTS = YAML(typ="safe").load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))[
    "deployments"
]


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda one: one["name"])
def test_deployments_point_at_real_flows(deployment: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each entry point loads as the flow itself, and takes the parameters that are set."""
    monkeypatch.chdir(ROOT)
    flow = load_flow_from_entrypoint(deployment["entrypoint"], use_placeholder_flow=False)
    assert flow.name == deployment["entrypoint"].rsplit(".", 1)[1]
    assert set(deployment["parameters"]) <= set(inspect.signature(flow.fn).parameters)


def test_one_deployment_is_scheduled_and_one_is_not() -> None:
    """`build` runs by itself, `backfill` by hand."""
    scheduled = {one["name"]: bool(one.get("schedules")) for one in DEPLOYMENTS}
    assert scheduled == {"weekly": True, "backfill": False}


def test_no_flow_takes_a_secret() -> None:
    """Parameters are stored by Prefect's server, so no key may be one."""
    from flows.prefect_flows import backfill, build

    names = {name for flow in (build, backfill) for name in inspect.signature(flow.fn).parameters}
    assert not {name for name in names if "key" in name or "secret" in name or "token" in name}


def test_the_demo_command_builds_through_prefect(weights: Path, tmp_path: Path) -> None:
    """`terrapair demo` in a new folder: exit code 0, JSON alone on stdout, it verifies."""
    own = tmp_path / "demo" / "sandbox" / "weights"
    own.mkdir(parents=True)
    (own / "sandbox-resnet18.pth.tar").hardlink_to(weights)
    done = subprocess.run(
        [sys.executable, "-m", "flows", "demo", "--cells", "1", "--json"],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["cells"] == {"committed": 2}
    assert outcome["requests"]["flickr"] == outcome["sandbox_requests"]["flickr.search"]
    assert "Traceback" not in done.stderr
    assert [one.offenders for one in verify_dataset(str(tmp_path / "demo")) if one.broken] == []
