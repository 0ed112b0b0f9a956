"""The indoor filter: how likely it is that a photo was taken inside a building."""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import torch

from filters.indoor_engines import BATCH, Engine, network_input, open_engine
from filters.indoor_pictures import CROP_PX, STORED_FORMATS, Unreadable, prepare
from filters.indoor_scores import Rule, is_indoor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from filters.indoor_weights import Weights

__all__ = [
    "BATCH", "Engine", "IndoorClassifier", "Rule", "Spent", "Unreadable", "is_indoor",
    "network_input", "prepare",
]  # fmt: skip

_WAITING: Final = 2
"""Batches for each thread that are begun before the first one's results are asked for."""


@dataclass(slots=True)
class Spent:
    """Time that the threads together have spent, in seconds of their own processor time.

    Attributes:
        preparing: Reading, decoding, resizing.
        network: Normalising and running the network.
        pictures: How many pictures were looked at.
    """

    preparing: float = 0.0
    network: float = 0.0
    pictures: int = 0


class IndoorClassifier:
    """Judges photos with a ResNet18; may be called from several threads.

    Each of its threads takes a batch, decodes it and runs the network on it with one core. So one
    thread decodes while another is in the network, nothing waits for a barrier, and the number of
    threads cannot change a result.

    Attributes:
        engine: How the network is run.
        rule: How classes become a score.
        spent: Where the time went.
    """

    def __init__(
        self,
        weights: Weights,
        *,
        threads: int,
        engine: Engine = "eager",
        rule: Rule = "mass",
        formats: Sequence[str] = STORED_FORMATS,
    ) -> None:
        """Makes the network ready.

        Args:
            weights: From `filters.indoor_weights.load`.
            threads: Threads that decode and compute. PyTorch is set to one core for each of them,
                which is a setting of the whole process.
            engine: How the network is run.
            rule: How classes become a score.
            formats: Pillow's names of the formats that are read.

        Raises:
            ValueError: If there is no such engine or rule, the rule does not suit the weights, or
                `threads` is less than 1.
            EngineUnavailableError: If this machine does not have the engine.
        """
        if threads < 1:
            msg = f"threads must be 1 or more, not {threads}"
            raise ValueError(msg)
        weights.scoring.check(rule)
        torch.set_num_threads(1)
        self.engine: Engine = engine
        self.rule: Rule = rule
        self.spent = Spent()
        self._run = open_engine(engine, weights.network)
        self._scoring = weights.scoring
        self._sha256 = weights.sha256
        self._formats = tuple(formats)
        self._threads = threads
        self._counting = threading.Lock()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="indoor")

    @property
    def fingerprint(self) -> dict[str, str]:
        """What the probabilities depend on besides the pictures."""
        return {
            "engine": self.engine,
            "rule": self.rule,
            "torch": str(torch.__version__),
            "weights_sha256": self._sha256,
        }

    def probabilities(self, jpegs: Sequence[bytes]) -> list[float | Unreadable]:
        """Returns for each photo the probability that it was taken indoors.

        Args:
            jpegs: The photos as files.

        Returns:
            In the order of the photos, the score by the rule, 0 to 1, or why a photo cannot be
            judged.
        """
        return list(self.judge(jpegs))

    def judge(self, pictures: Iterable[bytes | Path]) -> Iterator[float | Unreadable]:
        """Yields the scores of any number of pictures, in their order, in constant memory.

        Args:
            pictures: Files, or paths of files, which are read when their turn comes.
        """
        waiting: deque[Future[list[float | Unreadable]]] = deque()
        coming = iter(pictures)
        while batch := tuple(islice(coming, BATCH)):
            waiting.append(self._pool.submit(self._judge_batch, batch))
            if len(waiting) > _WAITING * self._threads:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()

    def _judge_batch(self, batch: Sequence[bytes | Path]) -> list[float | Unreadable]:
        """Judges at most `BATCH` pictures."""
        begun = time.thread_time()
        prepared = [self._prepared(one) for one in batch]
        ready = [picture for picture in prepared if not isinstance(picture, Unreadable)]
        decoded = time.thread_time()
        found = iter(self._scores(ready))
        with self._counting:
            self.spent.preparing += decoded - begun
            self.spent.network += time.thread_time() - decoded
            self.spent.pictures += len(batch)
        return [one if isinstance(one, Unreadable) else next(found) for one in prepared]

    def _prepared(self, picture: bytes | Path) -> NDArray[np.uint8] | Unreadable:
        if isinstance(picture, Path):
            try:
                picture = picture.read_bytes()
            except OSError as error:
                return Unreadable(f"cannot be read: {error.strerror}")
        return prepare(picture, self._formats)

    def _scores(self, pictures: Sequence[NDArray[np.uint8]]) -> list[float]:
        """Returns the scores of at most `BATCH` prepared pictures."""
        if not pictures:
            return []
        filled = np.zeros((BATCH, CROP_PX, CROP_PX, 3), dtype=np.uint8)
        filled[: len(pictures)] = pictures
        with torch.inference_mode():
            scores: list[float] = self._scoring.scores(self._run(filled), self.rule).tolist()
        return scores[: len(pictures)]

    def close(self) -> None:
        """Ends the threads."""
        self._pool.shutdown()

    def __enter__(self) -> Self:
        """Returns the classifier itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the threads."""
        self.close()
