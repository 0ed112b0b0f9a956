"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How fast a shared machine draws examples is no property of the code.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the checkout; without it CI fails, others skip."""
    folder = ROOT.parent / "shared" / "data"
    if folder.is_dir():
        return folder
    message = f"the real data that this test compares with is not at {folder}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
