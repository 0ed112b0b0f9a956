"""From the network's outputs to one score, and from the score to the decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

import torch

from filters.places365 import INDOOR

Rule = Literal["mass", "top10_vote"]
"""How classes become a score.

`mass` is the softmax mass on the indoor classes. `top10_vote` is the share of indoor classes among
the ten likeliest, by which the Places team's own demo decides (`run_placesCNN_unified.py`).
"""

RULES: Final[tuple[Rule, ...]] = get_args(Rule)

VOTES: Final = 10
"""Classes that vote."""


def is_indoor(score: float, threshold: float, rule: Rule = "mass") -> bool:
    """Says whether a photo counts as indoors.

    A probability at the threshold counts as indoors. Of votes there must be more than the
    threshold: the Places team's demo takes five of ten for outdoors.
    """
    return score > threshold if rule == "top10_vote" else score >= threshold


@dataclass(frozen=True, slots=True)
class Scoring:
    """What a network's outputs mean.

    Attributes:
        indoor: For each class, in the order of the outputs, whether it is indoors.
        temperature: The outputs are divided by this before the softmax (Guo et al., "On Calibration
            of Modern Neural Networks", ICML 2017); 1 where no calibration is known.
    """

    indoor: tuple[bool, ...] = INDOOR
    temperature: float = 1.0

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
            ValueError: If a kind has no class or the temperature is not positive.
        """
        if all(self.indoor) or not any(self.indoor):
            raise ValueError("classes of both kinds are needed, indoors and outdoors")
        if not 0 < self.temperature < float("inf"):
            raise ValueError(f"a temperature is positive, not {self.temperature}")

    def scores(self, logits: torch.Tensor, rule: Rule) -> torch.Tensor:
        """Returns the score of each picture, 0 to 1.

        Args:
            logits: (pictures, classes), float32.
            rule: How classes become a score.

        Raises:
            ValueError: If ten classes are to vote and there are not as many.
        """
        indoor = torch.tensor(self.indoor, device=logits.device)
        if rule == "top10_vote":
            self.check(rule)
            best = logits.topk(VOTES, dim=1).indices
            return indoor[best].float().mean(dim=1)
        classes = torch.softmax(logits / self.temperature, dim=1)
        return classes[:, indoor].sum(dim=1).clamp_(0, 1)

    def check(self, rule: Rule) -> None:
        """Checks that a rule can be used with these classes.

        Raises:
            ValueError: If there is no such rule, or there are too few classes for it.
        """
        if rule not in RULES:
            raise ValueError(f"no rule {rule!r}: there are {', '.join(RULES)}")
        if rule == "top10_vote" and len(self.indoor) < VOTES:
            raise ValueError(
                f"the rule top10_vote needs {VOTES} classes or more, and these weights have"
                f" {len(self.indoor)}; use the rule mass"
            )
