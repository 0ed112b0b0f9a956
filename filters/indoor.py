"""The indoor filter: how likely it is that a photo was taken inside a building."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Self

import numpy as np
import torch
from PIL import Image, ImageOps

from filters.places365 import INDOOR

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from filters.indoor_weights import Weights

Engine = Literal["eager"]
"""How the network is run; the same pictures give the same bits under the same engine."""

SHORTER_SIDE_PX: Final = 256
CROP_PX: Final = 224
"""The sizes that the Places365 networks were validated with (`train_placesCNN.py`)."""

MEAN: Final = (0.485, 0.456, 0.406)
DEVIATION: Final = (0.229, 0.224, 0.225)
"""Of R, G, B in 0 to 1 over ImageNet, which the Places365 networks were trained with."""

BATCH: Final = 8
"""Pictures in one pass. It is always filled up to this, so that a picture's result does not depend,
not even in its last bit, on what else is in the batch."""

PIXEL_LIMIT: Final = 50_000_000
"""Pictures with more pixels are not decoded: photos are stored far smaller."""

ASPECT_LIMIT: Final = 16
"""Pictures longer than this many times their width are not photos, and blow up when resized."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A picture that cannot be judged because it cannot be decoded.

    Attributes:
        reason: What was seen.
    """

    reason: str


def is_indoor(probability: float, threshold: float) -> bool:
    """Says whether a photo counts as indoors: at the threshold or above it."""
    return probability >= threshold


def prepare(jpeg: bytes) -> NDArray[np.uint8] | Unreadable:
    """Brings a photo into the form that the network looks at.

    Upright by its EXIF orientation, RGB, the shorter side resized to 256 pixels (bilinear), the
    middle 224 × 224 cut out: as `torchvision.transforms.Resize` and `CenterCrop` do.

    Returns:
        (rows, columns, bands), or why the bytes cannot be decoded.
    """
    try:
        with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as picture:
            width, height = picture.size
            if width * height > PIXEL_LIMIT:
                return Unreadable(f"{width} × {height} pixels, more than {PIXEL_LIMIT}")
            if max(width, height) > ASPECT_LIMIT * min(width, height):
                return Unreadable(f"{width} × {height} pixels, a strip")
            upright = ImageOps.exif_transpose(picture).convert("RGB")
    except Image.DecompressionBombError as error:
        return Unreadable(str(error))
    except (OSError, SyntaxError, ValueError) as error:
        return Unreadable(f"not a whole JPEG: {error}")
    width, height = upright.size
    shorter = min(width, height)
    width, height = (int(SHORTER_SIDE_PX * side / shorter) for side in (width, height))
    resized = upright.resize((width, height), Image.Resampling.BILINEAR)
    left, top = round((width - CROP_PX) / 2), round((height - CROP_PX) / 2)
    return np.array(resized.crop((left, top, left + CROP_PX, top + CROP_PX)))


def network_input(pictures: NDArray[np.uint8]) -> torch.Tensor:
    """Turns pictures (n, rows, columns, bands) into normalised float32 (n, bands, rows, columns).

    The memory keeps the order of the pictures' (`torch.channels_last`).
    """
    scaled = torch.from_numpy(pictures).float().div_(255)
    return scaled.sub_(torch.tensor(MEAN)).div_(torch.tensor(DEVIATION)).permute(0, 3, 1, 2)


class IndoorClassifier:
    """Judges photos with a ResNet18 trained on Places365; may be called from several threads.

    Attributes:
        engine: How the network is run.
    """

    def __init__(self, weights: Weights, *, threads: int, engine: Engine = "eager") -> None:
        """Makes the network ready.

        Args:
            weights: From `filters.indoor_weights.load`.
            threads: Threads that decode, and threads that PyTorch computes with (a setting of the
                whole process).
            engine: How the network is run.

        Raises:
            ValueError: If there is no such engine, or `threads` is less than 1.
        """
        if engine != "eager":
            msg = f"no inference engine {engine!r}: 'eager' is the only one"
            raise ValueError(msg)
        if threads < 1:
            msg = f"threads must be 1 or more, not {threads}"
            raise ValueError(msg)
        torch.set_num_threads(threads)
        self.engine = engine
        self._network = weights.network.to(memory_format=torch.channels_last).eval()
        self._sha256 = weights.sha256
        self._indoor = torch.tensor(INDOOR)
        self._lock = threading.Lock()
        self._decoders = ThreadPoolExecutor(threads, thread_name_prefix="indoor-decode")

    @property
    def fingerprint(self) -> dict[str, str]:
        """What the probabilities depend on besides the pictures."""
        return {
            "engine": self.engine,
            "torch": str(torch.__version__),
            "weights_sha256": self._sha256,
        }

    def probabilities(self, jpegs: Sequence[bytes]) -> list[float | Unreadable]:
        """Returns for each photo the probability that it was taken indoors.

        That is the sum of the network's softmax over the indoor classes of Places365, computed in
        float32.

        Args:
            jpegs: The photos as JPEG files.

        Returns:
            In the order of the photos, 0 to 1, or why a photo cannot be judged.
        """
        judged: list[float | Unreadable] = []
        for first in range(0, len(jpegs), BATCH):
            prepared = list(self._decoders.map(prepare, jpegs[first : first + BATCH]))
            pictures = [picture for picture in prepared if not isinstance(picture, Unreadable)]
            found = self._judge(pictures)
            judged.extend(
                picture if isinstance(picture, Unreadable) else next(found) for picture in prepared
            )
        return judged

    def _judge(self, pictures: Sequence[NDArray[np.uint8]]) -> Iterator[float]:
        """Yields the probabilities of at most `BATCH` prepared pictures."""
        if not pictures:
            return
        filled = np.zeros((BATCH, CROP_PX, CROP_PX, len(MEAN)), dtype=np.uint8)
        filled[: len(pictures)] = pictures
        with self._lock, torch.inference_mode():
            classes = torch.softmax(self._network(network_input(filled)), dim=1)
            indoor = classes[:, self._indoor].sum(dim=1).clamp_(0, 1)
        yield from indoor[: len(pictures)].tolist()

    def close(self) -> None:
        """Ends the decoding threads."""
        self._decoders.shutdown()

    def __enter__(self) -> Self:
        """Returns the classifier itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the decoding threads."""
        self.close()
