"""Trains an indoor network on labelled pictures: from given weights, or from nothing.

All layers before the last stage stay as they are: their maps are computed once for each picture,
and for some changed forms of it. In a first step the last layer alone is fitted to them, in a
second one the last stage is trained with it. From nothing, the layers before are those of
`filters.indoor_beginning`, and the first step is left out.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import nn

from filters.indoor_augmentation import base_of, changed
from filters.indoor_beginning import prepared_network
from filters.indoor_calibration import fit_temperature
from filters.indoor_checkpoint import bare_network, own_checkpoint
from filters.indoor_engines import BATCH, network_input
from filters.indoor_last_stage import STEPS, Look, Sets, outputs_of, train_last_stage
from filters.indoor_pictures import FORMATS, Unreadable, decode, fit
from filters.indoor_scores import Scoring
from filters.indoor_splitting import content_groups, content_hash, hold_back

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torchvision.models import ResNet

    from filters.indoor_weights import Weights

CLASSES: Final = ("indoor", "outdoor")
"""Outputs of a network of our own."""

HELD_BACK: Final = 0.2
"""Share of each kind that is not learnt from."""

_MAPS: Final = 6000
"""Maps that are kept, 100 kB each; fewer forms are made of many pictures."""

FORMS: Final = 4
"""Forms in which a picture is learnt from at most."""

_CALIBRATION_PICTURES: Final = 96
"""Enough for the means and variances of the given part: each picture has thousands of values."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training brought.

    Attributes:
        checkpoint: For `save_checkpoint`.
        curve: The looks at the held-back part.
        held_back: Places of the pictures that were not learnt from.
        unreadable: Why pictures were left out, by place.
    """

    checkpoint: dict[str, Any]
    curve: tuple[Look, ...]
    held_back: tuple[int, ...]
    unreadable: dict[int, str]


def train(
    pictures: Sequence[tuple[Callable[[], bytes] | bytes, bool]],
    *,
    seed: int,
    start: Weights | None = None,
    threads: int = 1,
    steps: int = STEPS,
    forms: int = FORMS,
    formats: Sequence[str] = FORMATS,
    on_look: Callable[[Look, int], None] | None = None,
) -> Trained:
    """Trains a network that tells these pictures apart.

    Args:
        pictures: Files, or what reads them, and whether each was taken indoors.
        seed: Of all chance. The same pictures, seed and number of threads give the same weights on
            the same machine.
        start: Weights to start from; None to start from nothing.
        threads: Threads that decode and that PyTorch computes with meanwhile.
        steps: Steps of training at most.
        forms: Forms in which a picture is learnt from at most: as it is, and changed.
        formats: Pillow's names of the formats that are read.
        on_look: Called with each look and with `steps`.

    Raises:
        ValueError: If a kind is missing, or the kinds cannot be parted, see `hold_back`.
    """
    before = torch.get_num_threads()
    with ThreadPoolExecutor(threads, thread_name_prefix="indoor-train") as pool:
        read = list(pool.map(partial(_base, formats=tuple(formats)), [one for one, _ in pictures]))
        unreadable = {
            place: one.reason for place, one in enumerate(read) if isinstance(one, Unreadable)
        }
        bases = [one for one in read if not isinstance(one, Unreadable)]
        places = [place for place in range(len(read)) if place not in unreadable]
        labels = np.array([pictures[place][1] for place in places], dtype=bool)
        if not len(labels) or labels.all() or not labels.any():
            msg = "pictures of both kinds are needed, indoors and outdoors"
            raise ValueError(msg)
        groups = content_groups(list(pool.map(_hash, bases)))
        held = hold_back(groups, labels, share=HELD_BACK, seed=seed)
        torch.set_num_threads(1)
        try:
            network = _begin(start, seed, bases, held, pool)
            sets = _map_all(network, bases, labels, held, seed, forms, pool)
            torch.set_num_threads(threads)
            curve = train_last_stage(network, sets, seed, steps, start is not None, on_look)
        finally:
            torch.set_num_threads(before)
    best = min(curve, key=lambda look: look.held_back_loss)
    temperature = fit_temperature(
        outputs_of(network, sets.held_maps, whole=start is not None), sets.held_labels
    )
    record: dict[str, Any] = {
        "start": "nothing" if start is None else start.sha256,
        "seed": seed,
        "pictures": {"indoor": int(labels.sum()), "outdoor": int((~labels).sum())},
        "held_back": {
            "indoor": int((held & labels).sum()), "outdoor": int((held & ~labels).sum()),
        },
        "content_groups": len(np.unique(groups)),
        "forms": sets.forms,
        "best": asdict(best),
        "curve": [asdict(look) for look in curve],
        "torch": str(torch.__version__),
    }  # fmt: skip
    scoring = Scoring((True, False), temperature)
    return Trained(
        own_checkpoint(network, CLASSES, scoring, record),
        tuple(curve),
        tuple(place for place, one in zip(places, held, strict=True) if one),
        unreadable,
    )


def _base(source: Callable[[], bytes] | bytes, formats: tuple[str, ...]) -> Any:
    """Returns a picture with its shorter side as the network's preparation makes it."""
    try:
        data = source if isinstance(source, bytes) else source()
    except OSError as error:
        return Unreadable(f"cannot be read: {error.strerror}")
    decoded = decode(data, formats)
    return decoded if isinstance(decoded, Unreadable) else base_of(decoded)


def _hash(base: Any) -> int:
    return content_hash(np.asarray(base))


def _map_all(
    network: ResNet, bases: Sequence[Any], labels: NDArray[np.bool_],
    held: NDArray[np.bool_], seed: int, forms: int, pool: ThreadPoolExecutor,
) -> Sets:  # fmt: skip
    """Computes the maps of the pictures in their forms, and of the held-back ones as they are."""
    learnt = np.flatnonzero(~held).tolist()
    forms = max(1, min(forms, _MAPS // len(learnt)))
    # The first form is the picture as it will be judged.
    drawn = [
        partial(changed, bases[place], seed=(seed, place, form)) if form
        else partial(fit, bases[place])
        for form in range(forms) for place in learnt
    ]  # fmt: skip
    plain = [partial(fit, bases[place]) for place in np.flatnonzero(held).tolist()]
    return Sets(
        _mapped(network, drawn, pool), np.tile(labels[~held], forms),
        _mapped(network, plain, pool), labels[held], forms,
    )  # fmt: skip


def _begin(
    start: Weights | None, seed: int, bases: Sequence[Any], held: NDArray[np.bool_],
    pool: ThreadPoolExecutor,
) -> ResNet:  # fmt: skip
    """Returns the network that training begins with."""
    if start is None:
        network = prepared_network(seed, len(CLASSES))
        learnt = [bases[place] for place in np.flatnonzero(~held).tolist()]
        some = learnt[:: max(1, len(learnt) // _CALIBRATION_PICTURES)]
        _calibrate(network, np.stack(list(pool.map(fit, some))))
        return network
    network = bare_network(len(CLASSES))
    state = {name: value for name, value in start.network.state_dict().items()
             if not name.startswith("fc.")}  # fmt: skip
    network.load_state_dict(state | {
        "fc.weight": torch.zeros_like(network.fc.weight),
        "fc.bias": torch.zeros_like(network.fc.bias),
    })  # fmt: skip
    return network.to(memory_format=torch.channels_last).eval()


def _trunk(network: ResNet, pictures: torch.Tensor) -> torch.Tensor:
    """Computes what the layers before the last stage find: (n, 256, 14, 14)."""
    maps: torch.Tensor = network.maxpool(network.relu(network.bn1(network.conv1(pictures))))
    for layer in (network.layer1, network.layer2, network.layer3):
        for block in layer:
            if block.downsample is not None or bool(block.bn2.weight.any()):
                maps = block(maps)  # the others add nothing to what they get
    return maps


@torch.no_grad()
def _calibrate(network: ResNet, pictures: NDArray[np.uint8]) -> None:
    """Sets the given layers' normalisation to the means and variances over some pictures."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain average over the batches
    network.train()
    for first in range(0, len(pictures), BATCH):
        network(network_input(pictures[first : first + BATCH]))
    network.eval()
    for norm in norms:
        norm.momentum = 0.1


def _mapped(
    network: ResNet, drawn: Sequence[Callable[[], NDArray[np.uint8]]], pool: ThreadPoolExecutor
) -> torch.Tensor:
    """Computes the maps of pictures that are drawn when they are needed."""

    def one_batch(first: int) -> torch.Tensor:
        pictures = np.stack([draw() for draw in drawn[first : first + BATCH]])
        with torch.inference_mode():
            return _trunk(network, network_input(pictures)).half()

    return torch.cat(list(pool.map(one_batch, range(0, len(drawn), BATCH)))).clone()
