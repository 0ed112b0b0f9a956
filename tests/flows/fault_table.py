"""Every fault of the sandbox at every stage, and what comes of it; `docs/faults.md` is this table.

`python -m tests.flows.fault_table` prints the page.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final


class Stage(StrEnum):
    """Where in a run a request is made, by the sandbox's kind of it."""

    TOKEN = "ee.token"
    DISCOVERY = "ee.discovery"
    ALGORITHMS = "ee.algorithms"
    WEIGHTS = "weights.get"
    SEARCH = "flickr.search"
    DOWNLOAD = "photo.get"
    RESOLVE = "ee.features"
    PIXELS = "ee.get_pixels"


TITLES: Final = {
    Stage.TOKEN: "Logging in to Earth Engine: the token",
    Stage.DISCOVERY: "Logging in to Earth Engine: the description of the service",
    Stage.ALGORITHMS: "Logging in to Earth Engine: the list of functions",
    Stage.WEIGHTS: "Weights of the indoor filter",
    Stage.SEARCH: "Searching Flickr",
    Stage.DOWNLOAD: "Downloading a photo",
    Stage.RESOLVE: "Finding the scenes of chips",
    Stage.PIXELS: "Fetching the pixels of a chip",
}


class End(StrEnum):
    """What becomes of the work."""

    SAME = "the same result as without it"
    ROW = "a row with its reason"
    FAILS = "the cell fails, the others go on; the next run takes it up"
    STOPS = "the run stops"


@dataclass(frozen=True)
class Case:
    """A fault at a stage.

    Attributes:
        stage: Where.
        fault: A line of the sandbox's plan, without `where`.
        end: What becomes of the work.
        tries: How the tries ended, as the run's outcome counts them.
        said: Part of what the user sees: of the row, or of the message.
    """

    stage: Stage
    fault: dict[str, Any]
    end: End = End.SAME
    tries: dict[str, int] = field(default_factory=dict)
    said: str = ""

    @property
    def name(self) -> str:
        """A short name, for the test."""
        rest = "-".join(str(value) for name, value in self.fault.items() if name != "fault")
        return f"{self.stage} {self.fault['fault']} {rest}".strip()


def passing(stage: Stage, how: str, fault: str, **more: Any) -> Case:
    """A fault that meets the first two tries of a request, of which the third passes."""
    return Case(stage, {"fault": fault, "first": 2} | more, tries={how: 2, "answered": 1})


def everywhere(stage: Stage) -> list[Case]:
    """What any service may do, for a while."""
    return [
        passing(stage, "429", "too_many_requests"),
        passing(stage, "500", "server_error", status=500),
        passing(stage, "503", "unavailable"),
        passing(stage, "cut_off", "cut_off"),
        passing(stage, "connection", "hang", seconds=0.2),
        passing(stage, "connection", "reset"),
        Case(stage, {"fault": "slow_drip", "first": 1, "seconds": 0.2}, tries={"answered": 1}),
    ]


def unreadable(stage: Stage) -> list[Case]:
    """Answers of status 200 that are none."""
    return [passing(stage, "unusable", "html"), passing(stage, "unusable", "truncated")]


def logging_in(stage: Stage) -> list[Case]:
    """Logging in is one request to us, several to the service."""
    return [
        passing(stage, "503", "unavailable"),
        passing(stage, "connection", "reset"),
        passing(stage, "unusable", "html"),
        Case(stage, {"fault": "server_error", "status": 500}, End.STOPS, {"500": 1}, "given up"),
    ]


CASES: Final = (
    # google-auth asks for a token again by itself, which is part of one try here.
    Case(Stage.TOKEN, {"fault": "unavailable", "first": 1}, tries={"answered": 1}),
    passing(Stage.TOKEN, "connection", "reset"),
    passing(Stage.TOKEN, "unusable", "html"),
    Case(Stage.TOKEN, {"fault": "token_refused"}, End.STOPS, {"refused": 1},
         "TERRAPAIR_EARTH_ENGINE_SERVICE_ACCOUNT"),
    Case(Stage.TOKEN, {"fault": "clock_skew", "seconds": 7200}, End.STOPS, {"refused": 1}, "JWT"),
    *logging_in(Stage.DISCOVERY),
    *logging_in(Stage.ALGORITHMS),
    Case(Stage.WEIGHTS, {"fault": "cut_off", "first": 1}),
    Case(Stage.WEIGHTS, {"fault": "slow_drip", "first": 1, "seconds": 0.2}),
    Case(Stage.WEIGHTS, {"fault": "unavailable"}, End.STOPS, said="what has arrived is kept"),
    Case(Stage.WEIGHTS, {"fault": "html"}, End.STOPS, said="answered with a web page"),
    Case(Stage.WEIGHTS, {"fault": "truncated"}, End.STOPS, said="SHA-256"),
    *everywhere(Stage.SEARCH),
    *unreadable(Stage.SEARCH),
    passing(Stage.SEARCH, "unusable", "wrong_body"),
    passing(Stage.SEARCH, "unusable", "failure", code=105),
    Case(Stage.SEARCH, {"fault": "failure", "code": 20}, End.ROW, {"refused": 1},
         "an empty page: there is nothing more"),
    Case(Stage.SEARCH, {"fault": "failure", "code": 18}, End.FAILS, {"refused": 1},
         "Flickr refused the request with code 18"),
    Case(Stage.SEARCH, {"fault": "unavailable"}, End.FAILS, {"503": 1}, "last: HTTP status 503"),
    Case(Stage.SEARCH, {"fault": "html"}, End.FAILS, {"unusable": 1}, "an answer that is not JSON"),
    Case(Stage.SEARCH, {"fault": "key_expired"}, End.STOPS, {"refused": 1},
         "Flickr disabled the key for asking too much"),
    Case(Stage.SEARCH, {"fault": "server_error", "status": 401}, End.STOPS, {"refused": 1},
         "Look at the key and its secret"),
    Case(Stage.SEARCH, {"fault": "server_error", "status": 404}, End.STOPS, {"refused": 1},
         "Check the address"),
    Case(Stage.SEARCH, {"fault": "server_error", "status": 501}, End.STOPS, {"refused": 1},
         "answers with HTTP status 501"),
    Case(Stage.SEARCH, {"fault": "clock_skew", "seconds": 7200}, End.STOPS, {"refused": 1},
         "Look at the key and its secret"),
    *everywhere(Stage.DOWNLOAD),
    passing(Stage.DOWNLOAD, "403", "server_error", status=403),
    Case(Stage.DOWNLOAD, {"fault": "html"}, End.ROW, {"answered": 1}, "failed, download: not_jpeg"),
    Case(Stage.DOWNLOAD, {"fault": "truncated"}, End.ROW, {"answered": 1},
         "failed, download: broken_image"),
    Case(Stage.DOWNLOAD, {"fault": "server_error", "status": 404}, End.ROW, {"answered": 1},
         "failed, download: gone"),
    Case(Stage.DOWNLOAD, {"fault": "server_error", "status": 451}, End.ROW, {"answered": 1},
         "failed, download: gone"),
    Case(Stage.DOWNLOAD, {"fault": "too_many_requests"}, End.FAILS, {"429": 1},
         "last: http://…: HTTP status 429"),
    Case(Stage.DOWNLOAD, {"fault": "server_error", "status": 403}, End.FAILS, {"403": 1},
         "last: http://…: HTTP status 403"),
    Case(Stage.DOWNLOAD, {"fault": "reset"}, End.FAILS, {"connection": 1}, "given up after"),
    Case(Stage.DOWNLOAD, {"fault": "server_error", "status": 418}, End.STOPS, {"refused": 1},
         "Open the address in a browser"),
    *everywhere(Stage.RESOLVE),
    *unreadable(Stage.RESOLVE),
    Case(Stage.RESOLVE, {"fault": "token_refused", "first": 1}, tries={"answered": 1}),
    Case(Stage.RESOLVE, {"fault": "quota_gone"}, End.SAME, {"answered": 1}, "restricted mode"),
    Case(Stage.RESOLVE, {"fault": "unavailable"}, End.FAILS, {"503": 1}, "scenes for 1 chips"),
    Case(Stage.RESOLVE, {"fault": "token_refused"}, End.STOPS, {"refused": 1},
         "TERRAPAIR_EARTH_ENGINE_SERVICE_ACCOUNT"),
    *everywhere(Stage.PIXELS),
    *unreadable(Stage.PIXELS),
    Case(Stage.PIXELS, {"fault": "token_refused", "first": 1}, tries={"answered": 1}),
    Case(Stage.PIXELS, {"fault": "quota_gone"}, End.SAME, {"answered": 1}, "restricted mode"),
    Case(Stage.PIXELS, {"fault": "html"}, End.FAILS, {"unusable": 1}, "the answer is no NPY file"),
    Case(Stage.PIXELS, {"fault": "reset"}, End.FAILS, {"connection": 1}, "given up after"),
    Case(Stage.PIXELS, {"fault": "token_refused"}, End.STOPS, {"refused": 1},
         "TERRAPAIR_EARTH_ENGINE_SERVICE_ACCOUNT"),
)  # fmt: skip

INTRODUCTION: Final = """# What each fault comes to

Made by `python -m tests.flows.fault_table`; `tests/flows/test_fault_table.py` lets each of these
faults happen at the stand-ins and holds every cell of the tables true. *Tries* are those of one
request, as `answers` in a run's outcome counts them; "1+" is as many as the patience allows
(`TERRAPAIR_PATIENCE_SECONDS`). Whatever the end, nothing that was finished is lost: when the fault
has passed, the same request gives the same result.

How a try may end: `answered`; an HTTP status that is tried again; `connection` (refused or reset),
`timeout`, `cut_off`; `unusable` (HTML, half a document, a failure told with status 200); `refused`
(no other try would change it).

"""


def render() -> str:
    """Returns the page."""
    parts = [INTRODUCTION]
    for stage, title in TITLES.items():
        parts.append(f"## {title}\n\n")
        parts.append("| fault | tries | ends as | what is said |\n|---|---|---|---|\n")
        parts += [
            f"| {_fault(case.fault)} | {_tries(case)} | {case.end} | {case.said or '—'} |\n"
            for case in CASES if case.stage is stage
        ]  # fmt: skip
        parts.append("\n")
    return "".join(parts).rstrip("\n") + "\n"


def _fault(fault: dict[str, Any]) -> str:
    rest = [f"{name} {fault[name]}" for name in ("status", "code", "seconds") if name in fault]
    how = {1: "once", 2: "twice"}.get(fault.get("first", 0), "always")
    return f"`{fault['fault']}`" + (f" ({', '.join(rest)})" if rest else "") + f", {how}"


def _tries(case: Case) -> str:
    if not case.tries:
        return "—"
    several = "first" not in case.fault and not {"refused", "answered"} & set(case.tries)
    return ", ".join(f"{count}{'+' * several} {how}" for how, count in case.tries.items())


if __name__ == "__main__":
    print(render(), end="")  # noqa: T201
