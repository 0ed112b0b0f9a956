"""Counting what services answer."""

from __future__ import annotations

import threading

import pytest
import requests

from collectors.answers import Answers, by_service, how_it_ended, trouble_line
from collectors.transport import (
    Patience,
    SetupError,
    TransientTrouble,
    TroubleRemains,
    network_trouble,
    retrying,
)
from tests.collectors.loopback import Answer, Loopback


def ask(answers: Answers, *troubles: Exception, budget_s: float = 10.0) -> str:
    """Makes a request that fails so often before it is answered."""
    left = list(troubles)

    def call() -> str:
        if left:
            raise left.pop(0)
        return "answer"

    patience = Patience(budget_s, 0.5, 0.5, answers)
    return retrying(patience, call, service="S", what="w", sleep=lambda _: None)


def test_each_try_is_counted_once_by_how_it_ended() -> None:
    """Two requests, of which one is answered at the fourth try: five tries, three waits."""
    answers = Answers()
    ask(answers)
    ask(answers, TransientTrouble("S", "x", 429), TransientTrouble("S", "x", 503),
        TransientTrouble("S", "x", 429))  # fmt: skip
    counts = answers.counts()
    waited = counts.pop("S: waited_ms")
    assert counts == {"S: answered": 2, "S: 429": 2, "S: 503": 1, "S: retries": 3}
    assert 0 <= waited <= 1500


def test_what_is_not_tried_again_is_refused() -> None:
    """An error that ends the request is counted as well, and comes through as it was."""
    answers = Answers()
    with pytest.raises(SetupError, match="bad key"):
        ask(answers, SetupError("S", "bad key"))
    assert answers.counts() == {"S: refused": 1}


def test_the_last_try_of_a_spent_patience_is_no_retry() -> None:
    """When the patience is spent, the try is counted, and no wait after it."""
    answers = Answers()
    with pytest.raises(TroubleRemains):
        ask(answers, TransientTrouble("S", "x", 500), budget_s=0)
    assert answers.counts() == {"S: 500": 1}


@pytest.mark.parametrize(
    ("answer", "how"),
    [
        (Answer(fault="reset"), "connection"),
        (Answer(fault="hang"), "timeout"),
        (Answer(200, b"x" * 100, sent=50), "cut_off"),
    ],
)
def test_a_try_without_an_answer_says_what_happened(answer: Answer, how: str) -> None:
    """Broken connections are told apart as they come through `requests` over a socket."""
    with Loopback(answer) as server, pytest.raises(TransientTrouble) as caught:  # noqa: SIM117
        with network_trouble("S", "w"):
            requests.get(server.url, timeout=0.2)
    assert how_it_ended(caught.value) == how


def test_nobody_at_the_port_is_a_matter_of_the_connection() -> None:
    """A refused connection is no timeout."""
    with pytest.raises(TransientTrouble) as caught, network_trouble("S", "w"):
        requests.get("http://127.0.0.1:9/", timeout=5)
    assert how_it_ended(caught.value) == "connection"


def test_an_answer_of_no_use_is_told_from_no_answer() -> None:
    """HTML in place of JSON came with status 200, and from somebody."""
    assert how_it_ended(TransientTrouble("S", "no JSON")) == "unusable"


def test_threads_lose_no_count() -> None:
    """Many threads count together."""
    answers = Answers()
    threads = [
        threading.Thread(target=lambda: [ask(answers) for _ in range(200)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.counts() == {"S: answered": 1600}


def test_counts_are_shown_by_service_and_trouble_in_a_line() -> None:
    """Waits are in seconds; a service without trouble has no place in the line."""
    answers = Answers()
    counts = answers.counts()
    counts.update({"A: answered": 9, "B: answered": 1200, "B: 429": 2, "B: timeout": 1,
                   "B: retries": 3, "B: waited_ms": 4217})  # fmt: skip
    shown = by_service(counts)
    assert shown["A"] == {"answered": 9}
    assert shown["B"] == {
        "429": 2, "answered": 1200, "retries": 3, "timeout": 1, "waited_s": 4.2,
    }  # fmt: skip
    assert trouble_line(shown) == "B: 429 2, timeout 1 (3 tried again after 4.2 s in all)"
    assert trouble_line(by_service(Answers().counts())) == ""
