"""The indoor filter's preparation and judgement, against torchvision's own."""

from __future__ import annotations

import io
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torchvision import transforms

from filters import indoor, indoor_pictures
from filters.indoor import IndoorClassifier, Unreadable, is_indoor, prepare
from filters.places365 import INDOOR
from tests.filters.pictures import jpeg

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from filters.indoor_weights import Weights

REFERENCE = transforms.Compose(
    [
        transforms.Resize(256),
        transforms.CenterCrop(224),
        transforms.ToTensor(),
        transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ]
)


def reference_input(data: bytes) -> torch.Tensor:
    """Prepares a picture with torchvision's transforms."""
    return REFERENCE(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))


@pytest.fixture
def classifier(weights: Weights) -> Iterator[IndoorClassifier]:
    """A classifier with random weights."""
    with IndoorClassifier(weights, threads=1) as one:
        yield one


@pytest.mark.parametrize(
    "data",
    [
        jpeg(320, 240),
        jpeg(213, 320),
        jpeg(256, 256),
        jpeg(500, 337),
        jpeg(90, 61),
        jpeg(1, 1),
        jpeg(640, 41),
        jpeg(320, 240, mode="L"),
        jpeg(320, 240, mode="CMYK"),
        *(jpeg(320, 240, orientation=orientation) for orientation in range(2, 9)),
    ],
)
def test_preparation_equals_torchvisions(data: bytes) -> None:
    """Every size, colour mode and orientation gives the reference's numbers, to the last bit."""
    prepared = prepare(data)
    assert not isinstance(prepared, Unreadable)
    assert torch.equal(indoor.network_input(prepared[None])[0], reference_input(data))


def test_probability_is_the_softmax_mass_of_the_indoor_classes(
    classifier: IndoorClassifier, weights: Weights
) -> None:
    """Computed the long way, class by class."""
    data = jpeg()
    with torch.inference_mode():
        logits = weights.network(reference_input(data)[None])[0].double()
    mass = torch.exp(logits) / torch.exp(logits).sum()
    expected = sum(float(share) for share, inside in zip(mass, INDOOR, strict=True) if inside)
    (found,) = classifier.probabilities([data])
    assert 0.01 < expected < 0.99
    assert found == pytest.approx(expected, abs=1e-5)


def test_result_does_not_depend_on_the_batch(classifier: IndoorClassifier) -> None:
    """Alone, among others, in another place: not a bit differs, nor on a second run."""
    pictures = [jpeg(seed=seed) for seed in range(indoor.BATCH + 1)]
    together = classifier.probabilities(pictures)
    assert len(set(together)) == len(pictures)
    for place in (0, 5, indoor.BATCH):
        assert classifier.probabilities([pictures[place]]) == [together[place]]
    assert classifier.probabilities(pictures[::-1]) == together[::-1]
    assert classifier.probabilities(pictures) == together


@pytest.mark.parametrize("size", [1, 3, 32])
def test_batch_size_and_threads_change_no_more_than_rounding(
    weights: Weights, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Float32 in another batch size, order and number of threads: within 1e-5."""
    pictures = [jpeg(seed=seed) for seed in range(11)]
    with IndoorClassifier(weights, threads=1) as one:
        expected = one.probabilities(pictures)
    monkeypatch.setattr(indoor, "BATCH", size)
    with IndoorClassifier(weights, threads=2, engine="channels_last") as two:
        found = two.probabilities(pictures[::-1])[::-1]
    assert found == pytest.approx(expected, abs=1e-5)


def test_any_number_of_pictures_is_judged_in_constant_memory(
    classifier: IndoorClassifier, tmp_path: Path
) -> None:
    """Files are read when their turn comes: never more than a few batches before the results."""
    path = tmp_path / "one.jpg"
    path.write_bytes(jpeg())
    asked = 0

    def endless() -> Iterator[Path]:
        nonlocal asked
        while True:
            asked += 1
            yield path

    judged = classifier.judge(endless())
    assert len({next(judged) for _ in range(5)}) == 1
    assert asked <= 4 * indoor.BATCH
    assert classifier.probabilities([jpeg()]) == [next(judged)]


def test_a_file_that_is_gone_is_a_value(classifier: IndoorClassifier, tmp_path: Path) -> None:
    """A path that cannot be read says so in its place."""
    (found,) = classifier.judge([tmp_path / "gone.jpg"])
    assert isinstance(found, Unreadable)
    assert "No such file" in found.reason


def test_unreadable_pictures_stand_in_their_places(classifier: IndoorClassifier) -> None:
    """One bad file costs the others nothing."""
    good, other = jpeg(seed=1), jpeg(seed=2)
    alone = classifier.probabilities([good, other])
    mixed = classifier.probabilities([b"", good, good[:400], other, b"<html>"])
    assert [mixed[1], mixed[3]] == alone
    assert [type(mixed[place]) for place in (0, 2, 4)] == [Unreadable] * 3
    assert mixed[0].reason.startswith("not a whole JPEG")
    assert not [one for one in (mixed[0], mixed[2], mixed[4]) if "object at 0x" in one.reason]
    assert classifier.probabilities([]) == []


def png() -> bytes:
    """Returns a picture that is no JPEG."""
    buffer = io.BytesIO()
    Image.new("RGB", (300, 300)).save(buffer, "PNG")
    return buffer.getvalue()


def test_other_files_and_strange_shapes_are_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other format, no strip, no bomb is decoded."""
    assert "not a whole JPEG" in prepare(png()).reason
    assert "strip" in prepare(jpeg(1700, 100)).reason
    monkeypatch.setattr(indoor_pictures, "PIXEL_LIMIT", 320 * 240 - 1)
    assert "pixels" in prepare(jpeg(320, 240)).reason


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # Pillow warns of broken EXIF and reads on
def test_damage_anywhere_is_a_value_not_an_exception() -> None:
    """A few bytes overwritten at any place of the file end in pixels or in a reason."""
    whole = jpeg(200, 150)
    chance = np.random.default_rng(0)
    kinds = set()
    for _ in range(300):
        damaged = bytearray(whole)
        for place in chance.integers(0, min(len(whole), 700), 4):
            damaged[place] = chance.integers(0, 256)
        kinds.add(type(prepare(bytes(damaged))))
    assert kinds == {np.ndarray, Unreadable}


def test_threads_get_their_own_answers(classifier: IndoorClassifier) -> None:
    """Calls from several threads at once do not mix."""
    pictures = [jpeg(seed=seed) for seed in range(4)]
    expected = classifier.probabilities(pictures)
    found: dict[int, list] = {}

    def ask(number: int) -> None:
        found[number] = classifier.probabilities([pictures[number]] * 3)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: [expected[number]] * 3 for number in range(4)}


def test_fingerprint_names_what_the_numbers_depend_on(
    classifier: IndoorClassifier,
) -> None:
    """Engine, rule, version of PyTorch, and the weights' digest."""
    assert classifier.fingerprint == {
        "engine": "eager",
        "rule": "mass",
        "torch": torch.__version__,
        "weights_sha256": "0" * 64,
    }


@pytest.mark.parametrize("settings", [{"threads": 0}, {"threads": 1, "engine": "magic"}])
def test_wrong_settings_are_refused(weights: Weights, settings: dict) -> None:
    """An unknown engine is never silently another one."""
    with pytest.raises(ValueError, match=r"engine|threads"):
        IndoorClassifier(weights, **settings)


def test_threshold_itself_counts_as_indoors() -> None:
    """The limit belongs to the rejected side."""
    assert is_indoor(0.5, 0.5)
    assert not is_indoor(0.4999, 0.5)
