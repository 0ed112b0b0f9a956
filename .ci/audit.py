# ruff: noqa: INP001 - a script, not a module
"""Audits the locked dependencies, and tells what is known and accepted from what is not.

    python .ci/audit.py

Exit code 0: nothing new is known of any locked version, or nobody could be asked, which is said.
Exit code 1: a vulnerability without a reasoned exception, or an exception that has had its time.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
LOCK = HERE.parent / "requirements.lock"
EXCEPTIONS = HERE / "audit-exceptions.toml"

LONG_KNOWN = "urllib3==1.24.1"
"""Never installed: a version that every source of such data tells of (CVE-2019-11324)."""

UNREACHABLE = ("connection", "timed out", "name resolution", "unreachable", "proxy", "network")
"""Words, in small letters, of what pip-audit says last when nobody can be asked."""

WRONG = ("certificate", "hash", "invalid requirement", "no such file")
"""Words of failures that are not the network's, whatever else the line says."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A known vulnerability that does not concern this project, for a time."""

    vulnerability: str
    package: str
    reason: str
    until: date


def read_exceptions(text: str) -> list[Accepted]:
    """Reads the exceptions.

    Raises:
        ValueError: If one lacks its reason or its last day.
    """
    found = []
    for entry in tomllib.loads(text).get("exception", []):
        one = Accepted(entry.get("id", ""), entry.get("package", ""), entry.get("reason", ""),
                       entry.get("until", date.min))  # fmt: skip
        if not (one.vulnerability and one.package and len(one.reason) > 20):
            raise ValueError(f"{entry}: an exception has id, package, reason and until")
        found.append(one)
    return found


def judge(report: dict[str, Any], accepted: list[Accepted], today: date) -> list[str]:
    """Returns a line for everything in a report of pip-audit that has to be looked at."""
    said = []
    known = {(one.package, one.vulnerability): one for one in accepted}
    for package in report["dependencies"]:
        for found in package.get("vulns", []):
            names = [found["id"], *found.get("aliases", [])]
            match = next(
                (
                    known[package["name"], name]
                    for name in names
                    if (package["name"], name) in known
                ),
                None,
            )
            what = f"{package['name']} {package.get('version')}: {found['id']}"
            if match is None:
                fixed = ", ".join(found.get("fix_versions", [])) or "none yet"
                said.append(f"{what}; mended in: {fixed}")
            elif match.until < today:
                said.append(f"{what}: its exception ended on {match.until}; look at it again")
    return said


def nobody_to_ask(error: str) -> bool:
    """Says whether pip-audit failed because its data were not to be reached."""
    last = error.strip().lower().splitlines()[-1:] or [""]
    return any(word in last[0] for word in UNREACHABLE) and not any(
        word in last[0] for word in WRONG
    )


def ask(requirements: Path) -> tuple[dict[str, Any] | None, str]:
    """Runs pip-audit on a file of hashed requirements.

    Returns:
        Its report, None if it gave none; and what it wrote to standard error.
    """
    done = subprocess.run(  # noqa: S603 - our own arguments
        [sys.executable, "-m", "pip_audit", "--requirement", str(requirements), "--require-hashes",
         "--disable-pip", "--format", "json", "--progress-spinner", "off", "--timeout", "10"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        return json.loads(done.stdout), done.stderr
    except ValueError:
        return None, done.stderr


def knows(report: dict[str, Any]) -> bool:
    """Says whether the service told of a vulnerability that has been public for years.

    A mirror of the registry may answer without such data, and everything would look sound.
    """
    return any(package.get("vulns") for package in report["dependencies"])


def audit(requirements: Path, accepted: list[Accepted], today: date) -> tuple[int, str]:
    """Returns the exit code and what is to be said."""
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder) / "probe.txt"
        probe.write_text(f"{LONG_KNOWN} --hash=sha256:{'0' * 64}\n", "utf-8")
        report, error = ask(probe)
    if report is not None and knows(report):
        report, error = ask(requirements)
    elif report is not None or nobody_to_ask(error):
        return 0, "audit skipped: the data on vulnerabilities cannot be reached from here"
    if report is None:
        return 1, f"audit failed:\n{error.strip()}"
    lines = judge(report, accepted, today)
    total = len(report["dependencies"])
    skipped = [package["name"] for package in report["dependencies"] if "skip_reason" in package]
    lines.append(f"audit: {total} locked packages, {len(lines)} to look at")
    if skipped:
        lines.append(f"not known to the service: {', '.join(skipped)}")
    return int(len(lines) > 1 + bool(skipped)), "\n".join(lines)


def main() -> int:
    """Audits the lock and prints what came of it."""
    accepted = read_exceptions(EXCEPTIONS.read_text("utf-8"))
    code, said = audit(LOCK, accepted, datetime.now(UTC).date())
    print(said, file=sys.stderr if code else sys.stdout)
    return code


if __name__ == "__main__":
    sys.exit(main())
