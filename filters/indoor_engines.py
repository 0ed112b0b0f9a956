"""The ways in which the indoor filter's network can be run, and which one suits a machine."""

from __future__ import annotations

import copy
import functools
import importlib.util
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from filters.indoor_pictures import CROP_PX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torchvision.models import ResNet

Engine = Literal[
    "eager", "channels_last", "mixed", "bfloat16", "compiled", "onnx", "onnx_int8", "cuda"
]  # fmt: skip
"""How the network is run.

`eager` is plain float32, as torchvision's: the reference. `channels_last` is float32 as well, with
batch normalisation folded into the convolutions. `mixed` computes the first, second and last stage
in bfloat16 (8 bits of mantissa, sums in float32), and in float32 what errs most by that: the first
layer, the third stage and the outputs. `bfloat16` leaves float32 to the outputs alone; `compiled`
is the same through `torch.compile`. `onnx` is ONNX Runtime in float32, `onnx_int8` with
convolutions of 8 bits. `cuda` is float32 on a GPU.
"""

ENGINES: Final[tuple[Engine, ...]] = get_args(Engine)

MEASURED: Final[tuple[Engine, ...]] = ("channels_last", "onnx")
"""What is tried where there is no GPU: the exact ones. `mixed` is twice as quick as eager, and kept
within what may be on one network trained from nothing, from which its stages were chosen; on other
weights that is not known. `bfloat16` and `compiled` are quicker still, but moved probabilities of
doubtful pictures by up to 0.08 and 2 % of the decisions. These, and `onnx_int8`, go by name."""

WORTH: Final = 1.15
"""A later engine of `MEASURED` has to be this many times as fast: near-ties are not left to chance,
and the more exact one is taken."""

TOLERANCE: Final = 0.02
"""No probability may differ more than this from the reference's."""

BATCH: Final = 8
"""Pictures in one pass. It is always filled up to this, so that a picture's result does not depend,
not even in its last bit, on what else is in the batch. Larger batches are no faster on a CPU: their
maps no longer fit its caches."""

MEAN: Final = (0.485, 0.456, 0.406)
DEVIATION: Final = (0.229, 0.224, 0.225)
"""Of R, G, B in 0 to 1 over ImageNet, which the Places365 networks were trained with."""

Run = Callable[["NDArray[np.uint8]"], torch.Tensor]
"""From pictures (`BATCH`, rows, columns, bands) to the outputs (`BATCH`, classes), float32."""


class EngineUnavailableError(Exception):
    """An engine cannot be used on this machine; says why and what to do."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The engine that suits a machine best.

    Attributes:
        engine: Its name.
        seconds: Of one core, for a picture, by engine that was tried.
        passed_over: Why others were not taken, by engine.
    """

    engine: Engine
    seconds: Mapping[str, float]
    passed_over: Mapping[str, str]


def network_input(pictures: NDArray[np.uint8]) -> torch.Tensor:
    """Turns pictures (n, rows, columns, bands) into normalised float32 (n, bands, rows, columns).

    The memory keeps the order of the pictures' (`torch.channels_last`).
    """
    number, rows, columns, bands = pictures.shape
    # As long rows, because three numbers at a time would be too few for the vector units.
    long_rows = torch.from_numpy(pictures).view(number, rows, columns * bands).float()
    mean, deviation = (torch.tensor(one).repeat(columns) for one in (MEAN, DEVIATION))
    scaled = long_rows.div_(255).sub_(mean).div_(deviation)
    return scaled.view(number, rows, columns, bands).permute(0, 3, 1, 2)


def open_engine(engine: Engine, network: ResNet) -> Run:
    """Makes a network ready to be run; the network itself is not changed.

    What is returned may be called from several threads at once. Each call computes with the threads
    that PyTorch is set to; ONNX Runtime with one.

    Raises:
        ValueError: If there is no such engine.
        EngineUnavailableError: If this machine does not have it.
    """
    if engine not in ENGINES:
        raise ValueError(f"no inference engine {engine!r}: there are {', '.join(ENGINES)}")
    why = missing(engine)
    if why is not None:
        raise EngineUnavailableError(why)
    if engine == "eager":
        plain = copy.deepcopy(network).to(memory_format=torch.contiguous_format).eval()
        return lambda pictures: plain(network_input(pictures).contiguous())
    if engine in {"onnx", "onnx_int8"}:
        from filters.indoor_onnx import open_onnx  # noqa: PLC0415 - its libraries may be missing

        return open_onnx(folded(network), int8=engine == "onnx_int8")
    if engine == "cuda":
        on_gpu = folded(network).to("cuda", memory_format=torch.channels_last)
        return lambda pictures: on_gpu(network_input(pictures).to("cuda")).cpu()
    quick = folded(network).to(memory_format=torch.channels_last)
    if engine == "channels_last":
        return lambda pictures: quick(network_input(pictures))
    if engine == "mixed":
        return _mixed(quick)
    return _bfloat16(quick, compiled=engine == "compiled")


def missing(engine: Engine) -> str | None:
    """Says why this machine cannot run an engine, and what to do; None if it can."""
    if engine in {"onnx", "onnx_int8"}:
        lacking = [one for one in ("onnx", "onnxruntime", "onnxscript")
                   if importlib.util.find_spec(one) is None]  # fmt: skip
        if lacking:
            return (
                f"the engine {engine} needs {', '.join(lacking)}, which are not installed. Install"
                " the extra: pip install 'terrapair[onnx]'"
            )
    if engine == "cuda" and not torch.cuda.is_available():
        return "the engine cuda needs a GPU that PyTorch can use, and there is none here"
    if engine == "compiled" and not any(map(shutil.which, ("g++", "clang++", "c++"))):
        return "the engine compiled needs a C++ compiler (g++ or clang++), and there is none here"
    return None


def folded(network: ResNet) -> ResNet:
    """Returns a copy of a network with batch normalisation folded into the convolutions."""
    copied: Any = copy.deepcopy(network).eval()
    pairs = [(copied, "conv1", "bn1")]
    for layer in (copied.layer1, copied.layer2, copied.layer3, copied.layer4):
        for block in layer:
            pairs += [(block, "conv1", "bn1"), (block, "conv2", "bn2")]
            if block.downsample is not None:
                pairs.append((block.downsample, "0", "1"))
    for owner, convolution, norm in pairs:
        both = fuse_conv_bn_eval(getattr(owner, convolution), getattr(owner, norm))
        setattr(owner, convolution, both)
        setattr(owner, norm, nn.Identity())
    whole: ResNet = copied
    return whole


def _mixed(network: ResNet) -> Run:
    """Runs the stages whose numbers bear it in bfloat16, the others in float32.

    Which ones was found by running one stage at a time in bfloat16: the first layer and the third
    stage moved probabilities by up to 0.028 and 0.025, the others by at most 0.007 each.
    """
    for stage in (network.layer1, network.layer2, network.layer4):
        stage.to(torch.bfloat16)

    def run(pictures: NDArray[np.uint8]) -> torch.Tensor:
        maps = network.maxpool(network.relu(network.conv1(network_input(pictures))))
        maps = network.layer2(network.layer1(maps.to(torch.bfloat16)))
        maps = network.layer4(network.layer3(maps.float()).to(torch.bfloat16))
        outputs: torch.Tensor = network.fc(maps.float().mean((2, 3)))
        return outputs

    return run


def _bfloat16(network: ResNet, *, compiled: bool) -> Run:
    """Runs all but the last layer in bfloat16, which keeps 8 bits of each number's mantissa."""
    last = network.fc
    network.fc = nn.Identity()
    body: Any = network.to(torch.bfloat16)
    if compiled:
        from torch._inductor import config  # noqa: PLC0415 - slow to import, and seldom asked for

        with torch.inference_mode(), config.patch(freezing=True):
            body = torch.compile(body, fullgraph=True)
            body(torch.zeros(BATCH, 3, CROP_PX, CROP_PX).to(
                torch.bfloat16, memory_format=torch.channels_last))  # fmt: skip

    def run(pictures: NDArray[np.uint8]) -> torch.Tensor:
        features = body(network_input(pictures).to(torch.bfloat16))
        outputs: torch.Tensor = last(features.float())
        return outputs

    return run


def choose_engine(network: ResNet) -> Choice:
    """Chooses the engine for a dataset that begins on this machine.

    A GPU where there is one; else the quickest of `MEASURED`. An engine whose softmax on made-up
    pictures differs from the reference's by more than `TOLERANCE` is passed over.
    """
    if missing("cuda") is None:
        return Choice("cuda", {}, {})
    passed_over: dict[str, str] = {}
    pictures = _made_up()
    with torch.inference_mode():
        expected = torch.softmax(open_engine("eager", network)(pictures), dim=1)
    runs: dict[Engine, Run] = {}
    for engine in MEASURED:
        why = missing(engine)
        if why is None:
            run = open_engine(engine, network)
            with torch.inference_mode():
                found = torch.softmax(run(pictures), dim=1)
            largest = float((found - expected).abs().sum(dim=1).max()) / 2
            if largest <= TOLERANCE:
                runs[engine] = run
                continue
            why = f"its probabilities differ by up to {largest:.3f} from the reference's"
        passed_over[engine] = why
    seconds = _measure(runs)
    best: Engine = MEASURED[0]
    for engine in runs:
        if seconds[engine] * WORTH < seconds.get(best, float("inf")):
            best = engine
    return Choice(best, seconds, passed_over)


_TIMES: dict[str, float] = {}
"""What was measured in this process: the speed does not depend on the weights."""

_ROUNDS: Final = 6


def _measure(runs: Mapping[Engine, Run]) -> dict[str, float]:
    """Measures the time of one core that each engine takes for a picture, in seconds.

    In time of the processor, not of the clock, and in turns, so that other work on the machine
    counts as little as can be.
    """
    if not runs.keys() <= _TIMES.keys():
        pictures = _made_up()
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            took: dict[str, list[float]] = {engine: [] for engine in runs}
            with torch.inference_mode():
                for _ in range(_ROUNDS):
                    for engine, run in runs.items():
                        begun = time.thread_time()
                        run(pictures)
                        took[engine].append(time.thread_time() - begun)
        finally:
            torch.set_num_threads(before)
        _TIMES.update({engine: min(times) / BATCH for engine, times in took.items()})
    return {engine: _TIMES[engine] for engine in runs}


@functools.cache
def _made_up() -> NDArray[np.uint8]:
    """Returns smooth coloured noise: (`BATCH`, rows, columns, bands)."""
    chance = np.random.default_rng(0)
    coarse = torch.from_numpy(chance.uniform(0, 255, (BATCH, 3, 8, 8)))
    smooth = nn.functional.interpolate(coarse, (CROP_PX, CROP_PX), mode="bicubic")
    noisy = smooth.permute(0, 2, 3, 1).numpy() + chance.normal(0, 12, (BATCH, CROP_PX, CROP_PX, 3))
    return noisy.clip(0, 255).astype(np.uint8)
