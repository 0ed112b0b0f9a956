"""How quick the indoor filter is beside plain PyTorch, whether it still agrees, and what it learns.

The pictures are the sandbox's, in the size that datasets store; both sides run in one process, in
turns, on the same files.
"""

from __future__ import annotations

import io
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torchvision import transforms

from collectors.sandbox.landcover import Landcover
from collectors.sandbox.pictures import Pictures
from filters.indoor import BATCH, IndoorClassifier, Spent, is_indoor
from filters.indoor_checkpoint import save_checkpoint
from filters.indoor_engines import choose_engine, open_engine
from filters.indoor_pictures import decode, fit, prepare
from filters.indoor_training import train
from filters.indoor_weights import load
from tests.benchmarks.lines import report
from tests.filters.pictures import room_or_field

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from filters.indoor_weights import Weights

pytestmark = pytest.mark.benchmark

THREADS = 2
STORED_SIDE_PX = 336
ROUNDS = 5

DRAWS = (21, 23, 25, 27, 29)
"""Seeds of the sandbox's pictures that are learnt from; the next of each, of those unseen."""

REFERENCE = transforms.Compose(
    [
        transforms.Resize(256),
        transforms.CenterCrop(224),
        transforms.ToTensor(),
        transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ]
)


def stored(picture: Image.Image) -> bytes:
    """Packs a picture as a dataset does: shortest side 336 px, quality 90."""
    scale = STORED_SIDE_PX / min(picture.size)
    size = (round(picture.width * scale), round(picture.height * scale))
    buffer = io.BytesIO()
    picture.resize(size, Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def painted(count: int, seed: int) -> list[tuple[Image.Image, bool]]:
    """Paints pictures of the sandbox, opened."""
    made = Pictures(0, Landcover(0)).sample(count, seed)
    return [(Image.open(io.BytesIO(data)).convert("RGB"), indoor) for data, indoor in made]


def eager(weights: Weights, files: Sequence[bytes]) -> list[float]:
    """Judges one picture after the other with PIL, torchvision and plain float32."""
    indoor = torch.tensor(weights.scoring.indoor)
    scores = []
    with torch.inference_mode():
        for data in files:
            picture = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
            outputs = weights.network(REFERENCE(picture)[None]) / weights.scoring.temperature
            scores.append(float(torch.softmax(outputs, dim=1)[0, indoor].sum()))
    return scores


def photos_per_second(work: Callable[[], object], photos: int) -> float:
    """Measures one go."""
    begun = time.perf_counter()
    work()
    return photos / (time.perf_counter() - begun)


def test_indoor_vs_eager_ratio(weights: Path) -> None:
    """Photos a second from JPEG bytes to decision, and where the time goes."""
    loaded = load(weights, sha256=None)
    loaded.network.to(memory_format=torch.contiguous_format)
    files = [stored(picture) for picture, _ in painted(64, 11)] * 2
    choice = choose_engine(loaded.network)
    ours, theirs = [], []
    with IndoorClassifier(loaded, threads=THREADS, engine=choice.engine) as classifier:
        classifier.probabilities(files[: 4 * BATCH])
        torch.set_num_threads(THREADS)
        eager(loaded, files[:BATCH])
        classifier.spent = Spent()
        for _ in range(ROUNDS):
            theirs.append(photos_per_second(lambda: eager(loaded, files[:64]), 64))
            ours.append(photos_per_second(lambda: classifier.probabilities(files), len(files)))
        spent = classifier.spent
    # On a machine that has other work, PyTorch's waiting threads make the reference far slower than
    # it is: the time of one core says what is left then.
    torch.set_num_threads(1)
    begun = time.thread_time()
    eager(loaded, files[:32])
    eager_core_ms = (time.thread_time() - begun) / 32 * 1e3
    core_ms = (spent.preparing + spent.network) / spent.pictures * 1e3
    decoding, resizing = decode_and_resize(files)
    whole = spent.preparing + spent.network
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    report(
        "indoor_vs_eager_ratio", round(ratio, 2), "x", ">= 2, 3 wanted",
        photos_per_second=round(statistics.median(ours), 1),
        eager_photos_per_second=round(statistics.median(theirs), 1),
        one_core_ratio=round(eager_core_ms / core_ms, 2), core_ms_a_photo=round(core_ms, 2),
        eager_core_ms_a_photo=round(eager_core_ms, 2),
        engine=choice.engine, threads=THREADS, size="504 x 336 and alike",
        share_decoding=round(spent.preparing / whole * decoding / (decoding + resizing), 3),
        share_resizing=round(spent.preparing / whole * resizing / (decoding + resizing), 3),
        share_network=round(spent.network / whole, 3),
        one_core_photos_per_second={k: round(1 / v, 1) for k, v in choice.seconds.items()},
    )  # fmt: skip


def decode_and_resize(files: Sequence[bytes]) -> tuple[float, float]:
    """Returns the processor time of decoding and of resizing, in seconds."""
    begun = time.thread_time()
    pictures = [decode(data, ("JPEG",)) for data in files]
    decoded = time.thread_time()
    for picture in pictures:
        assert isinstance(picture, Image.Image)
        fit(picture)
    return decoded - begun, time.thread_time() - decoded


def test_indoor_network_efficiency(weights: Path) -> None:
    """Processor time of the network beside decoding, against the same engine on ready pictures."""
    loaded = load(weights, sha256=None)
    files = [stored(picture) for picture, _ in painted(64, 12)] * 2
    engine = choose_engine(loaded.network).engine
    ready = np.stack([prepare(data) for data in files[:BATCH]])
    ratios = []
    with IndoorClassifier(loaded, threads=THREADS, engine=engine) as classifier:
        classifier.probabilities(files[: 4 * BATCH])
        run = open_engine(engine, loaded.network)

        def network_alone(_: int) -> float:
            with torch.inference_mode():
                begun = time.thread_time()
                run(ready)
            return time.thread_time() - begun

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(network_alone, range(2 * THREADS)))
            for _ in range(ROUNDS):
                alone = sum(pool.map(network_alone, range(len(files) // BATCH)))
                classifier.spent.network = 0.0
                classifier.probabilities(files)
                ratios.append(alone / classifier.spent.network)
    report(
        "indoor_network_efficiency", round(statistics.median(ratios), 3), "of ready tensors",
        ">= 0.9", engine=engine, threads=THREADS, rounds=[round(one, 3) for one in ratios],
    )  # fmt: skip


def test_indoor_decision_agreement(weights: Path) -> None:
    """Decisions and probabilities against plain float32 on 2,000 pictures, many of them in doubt.

    Clear pictures would agree under any engine: the doubtful ones are a room and a landscape laid
    over each other, in the shares that leave the filter most in doubt.
    """
    loaded = load(weights, sha256=None)
    loaded.network.to(memory_format=torch.contiguous_format)
    engine = choose_engine(loaded.network).engine
    clear = painted(1300, 13)
    rooms = [picture for picture, indoor in clear if indoor]
    fields = [picture for picture, indoor in clear if not indoor]
    shares = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
    files = [stored(picture) for picture, _ in clear]
    with IndoorClassifier(loaded, threads=THREADS, engine=engine) as classifier:
        for number in range(2000 - len(clear)):
            room = rooms[number % len(rooms)]
            field = fields[(7 * number) % len(fields)].resize(room.size)
            blends = [stored(Image.blend(room, field, share)) for share in shares]
            doubts = [abs(score - 0.5) for score in classifier.probabilities(blends)]
            files.append(blends[int(np.argmin(doubts))])
        found = np.array(classifier.probabilities(files))
    torch.set_num_threads(1)
    expected = np.array(eager(loaded, files))
    same = [is_indoor(a, 0.5) == is_indoor(b, 0.5) for a, b in zip(found, expected, strict=True)]
    report(
        "indoor_decision_agreement", float(np.mean(same)), "share", ">= 0.995",
        engine=engine, pictures=len(files),
        in_doubt=int(((expected > 0.3) & (expected < 0.7)).sum()),
        largest_difference=round(float(np.abs(found - expected).max()), 5),
    )  # fmt: skip


def learnt_from_nothing(
    learnt: Sequence[tuple[bytes, bool]], unseen: Sequence[tuple[bytes, bool]], path: Path
) -> tuple[float, float]:
    """Trains on some pictures; returns the share of others that is judged right, and seconds."""
    begun = time.perf_counter()
    save_checkpoint(train(learnt, seed=0, threads=THREADS).checkpoint, path)
    seconds = time.perf_counter() - begun
    with IndoorClassifier(load(path, sha256=None), threads=THREADS) as classifier:
        scores = classifier.probabilities([data for data, _ in unseen])
    right = [is_indoor(s, 0.5) == indoor for s, (_, indoor) in zip(scores, unseen, strict=True)]
    return float(np.mean(right)), seconds


def test_indoor_scratch_accuracy(tmp_path: Path) -> None:
    """Trained from nothing on 400 pictures, and judged on others.

    On the sandbox's pictures several times: which 400 are drawn moves the result by a point or two.
    """
    made, seconds = learnt_from_nothing(
        *([(room_or_field(seed=seed, indoor=bool(seed % 2)), bool(seed % 2)) for seed in seeds]
          for seeds in (range(400), range(5000, 5500))),
        tmp_path / "made",
    )  # fmt: skip
    box = Pictures(0, Landcover(0))
    draws = [
        learnt_from_nothing(box.sample(400, seed), box.sample(500, seed + 1), tmp_path / str(seed))
        for seed in DRAWS
    ]
    report(
        "indoor_scratch_accuracy", made, "share right", ">= 0.95 in 180 s",
        seconds=round(seconds, 1), pictures=400, unseen=500,
        sandbox=round(statistics.mean(right for right, _ in draws), 4), sandbox_target=">= 0.97",
        sandbox_draws=dict(zip(DRAWS, (right for right, _ in draws), strict=True)),
        sandbox_seconds=[round(took, 1) for _, took in draws], seed=0,
    )  # fmt: skip
