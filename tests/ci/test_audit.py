"""The audit of dependencies: what it lets pass, what it does not, and what it says."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[2] / ".ci"
spec = importlib.util.spec_from_file_location("audit", FOLDER / "audit.py")
assert spec is not None
assert spec.loader is not None
audit = importlib.util.module_from_spec(spec)
sys.modules["audit"] = audit
spec.loader.exec_module(audit)

TODAY = date(2026, 11, 21)
EXCEPTION = """
[[exception]]
id = "CVE-2026-1"
package = "example"
reason = "concerns its server, which is never started here"
until = 2026-12-31
"""
FOUND = {"id": "PYSEC-2026-7", "aliases": ["CVE-2026-1"], "fix_versions": ["2.1"]}
UNREACHABLE = "ERROR: x\npip_audit: ConnectionError: Could not connect to the vulnerability feed\n"


def report(*found: dict[str, Any], name: str = "example") -> dict[str, Any]:
    """A report of pip-audit on one package."""
    return {"dependencies": [{"name": name, "version": "2.0", "vulns": list(found)}]}


def run(monkeypatch: pytest.MonkeyPatch, *answers: tuple[str, str], until: str = EXCEPTION) -> Any:
    """Audits with prepared answers of pip-audit: standard output and standard error of each."""
    left = list(answers)

    def prepared(*_: Any, **__: Any) -> subprocess.CompletedProcess[str]:
        out, error = left.pop(0)
        return subprocess.CompletedProcess([], 1, out, error)

    monkeypatch.setattr(audit.subprocess, "run", prepared)
    done = audit.audit(Path("lock"), audit.read_exceptions(until), TODAY)
    assert left == []
    return done


KNOWS = (json.dumps(report(FOUND, name="urllib3")), "")


def test_the_file_of_exceptions_is_sound() -> None:
    """Each exception in it has its package, reason and last day."""
    audit.read_exceptions((FOLDER / "audit-exceptions.toml").read_text("utf-8"))


@pytest.mark.parametrize("left_out", ["reason", "until", "package", "id"])
def test_an_exception_without_reason_or_end_is_refused(left_out: str) -> None:
    """An exception for ever, or for no reason, is none."""
    text = "\n".join(line for line in EXCEPTION.splitlines() if not line.startswith(left_out))
    if left_out == "until":
        assert audit.read_exceptions(text)[0].until < TODAY
        return
    with pytest.raises(ValueError, match="an exception has"):
        audit.read_exceptions(text)


def test_a_vulnerability_fails_with_what_mends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known of a locked version is named, with the version that mends it."""
    code, said = run(monkeypatch, KNOWS, (json.dumps(report(FOUND)), ""), until="")
    assert code == 1
    assert "example 2.0: PYSEC-2026-7; mended in: 2.1" in said


def test_a_reasoned_exception_passes_until_its_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """By any of its names, for its own package, and no longer than said."""
    found = json.dumps(report(FOUND)), ""
    assert run(monkeypatch, KNOWS, found)[0] == 0
    code, said = run(monkeypatch, KNOWS, found, until=EXCEPTION.replace("2026-12", "2026-10"))
    assert (code, "its exception ended on 2026-10-31" in said) == (1, True)
    other = json.dumps(report(FOUND, name="other")), ""
    assert run(monkeypatch, KNOWS, other)[0] == 1


def test_nobody_to_ask_is_said_and_lets_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a connection, and with a mirror that has no such data, the audit is skipped."""
    ignorant = json.dumps({"dependencies": [{"name": "urllib3", "skip_reason": "not found"}]})
    for answer in (("", UNREACHABLE), (ignorant, "")):
        code, said = run(monkeypatch, answer)
        assert (code, "audit skipped" in said) == (0, True)


@pytest.mark.parametrize(
    "error",
    ["ERROR: invalid requirement", "x: ConnectionError: certificate verify failed", "Killed", ""],
)
def test_any_other_failure_fails(error: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken audit is not an audit without findings, before the lock is looked at or after."""
    assert run(monkeypatch, ("", error))[0] == 1
    assert run(monkeypatch, KNOWS, ("", error))[0] == 1
