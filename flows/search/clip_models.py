"""Models that put images and words into one space: those of open_clip (extra `embeddings`)."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from collectors.transport import SetupError, WrongUse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL import Image

BATCH: Final = 64
"""Images, or texts, that a model is given at a time."""

_WITH_WEIGHTS: Final = ("hf-hub:", "local-dir:")
"""Begins of open_clip's names of models that bring their weights."""


@dataclass(frozen=True, slots=True)
class ModelName:
    """Which model, as open_clip calls it.

    Attributes:
        name: Such as `ViT-B-32`, or `hf-hub:…` or `local-dir:…`, which bring their weights.
        pretrained: A tag of open_clip's, such as `laion2b_s34b_b79k`, or a checkpoint's path.
        config: A JSON file that says how a model of one's own is built; its name is the model's.
    """

    name: str
    pretrained: str | None = None
    config: Path | None = None


class ClipModel:
    """A model, ready to embed.

    Attributes:
        fingerprint: SHA-256 of weights, preparation of images, and the model's name.
    """

    def __init__(self, wanted: ModelName) -> None:
        """Loads a model, with its weights; open_clip downloads those of a tag once.

        Raises:
            SetupError: If open_clip is not installed, there are no weights, or they do not fit.
        """
        if wanted.pretrained is None and not wanted.name.startswith(_WITH_WEIGHTS):
            raise WrongUse(
                wanted.name, "is a model without weights, which would rank by chance.",
                "Give --pretrained a tag of open_clip's, such as laion2b_s34b_b79k, or a file.",
            )  # fmt: skip
        try:
            import open_clip
            import torch
        except ImportError as error:
            raise SetupError(
                wanted.name, f"needs open_clip, which is not installed ({error}).",
                "Install the extra: uv pip install 'terrapair[embeddings]'.",
            ) from None  # fmt: skip
        self._torch = torch
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            if wanted.config is not None:
                if not wanted.config.is_file():
                    raise FileNotFoundError(f"there is no file {wanted.config}")
                open_clip.add_model_config(wanted.config)
            model, self._prepare = open_clip.create_model_from_pretrained(
                wanted.name, pretrained=wanted.pretrained, device=self._device
            )
            self._tokenize = open_clip.get_tokenizer(wanted.name)
        except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, OSError,
                pickle.UnpicklingError) as error:  # fmt: skip
            why = str(error).strip().splitlines() or [type(error).__name__]
            raise SetupError(
                f"{wanted.name} {wanted.pretrained or ''}".strip(),
                f"cannot be loaded: {why[0]}",
                "open_clip.list_pretrained() names models and tags; a file must be a checkpoint"
                " of that model.",
            ) from error
        self._model = model.eval()
        self.fingerprint = self._hash(wanted.name)

    def _hash(self, name: str) -> str:
        found = hashlib.sha256(f"{name}\n{self._prepare}\n".encode())
        for key, tensor in sorted(self._model.state_dict().items()):
            whole = tensor.detach().cpu().contiguous()
            found.update(f"{key} {whole.dtype} {tuple(whole.shape)}\n".encode())
            found.update(whole.flatten().view(self._torch.uint8).numpy())
        return found.hexdigest()

    def images(self, pictures: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Returns (pictures, dimensions) embeddings of length 1."""
        return self._embedded(
            [self._prepare(one.convert("RGB")) for one in pictures], self._model.encode_image
        )

    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Returns (texts, dimensions) embeddings of length 1."""
        return self._embedded(list(self._tokenize(list(texts))), self._model.encode_text)

    def _embedded(self, inputs: list[Any], encode: Any) -> NDArray[np.float32]:
        torch = self._torch
        parts = []
        with torch.inference_mode():
            for first in range(0, len(inputs), BATCH):
                batch = torch.stack(inputs[first : first + BATCH]).to(self._device)
                parts.append(encode(batch, normalize=True).float().cpu().numpy())
        found: NDArray[np.float32] = np.concatenate(parts)
        return found
