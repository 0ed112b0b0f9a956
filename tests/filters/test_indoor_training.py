"""Training an indoor network on a few pictures."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image

from filters.indoor import IndoorClassifier
from filters.indoor_beginning import prepared_network, random_network
from filters.indoor_checkpoint import save_checkpoint
from filters.indoor_training import train
from filters.indoor_weights import Weights, load
from tests.filters.pictures import jpeg, room_or_field

if TYPE_CHECKING:
    from pathlib import Path

    from filters.indoor_training import Trained

LEARNT = [(room_or_field(seed=seed, indoor=bool(seed % 2)), bool(seed % 2)) for seed in range(32)]
UNSEEN = [room_or_field(seed=seed, indoor=bool(seed % 2)) for seed in range(1000, 1024)]


@pytest.fixture(scope="module")
def trained() -> Trained:
    """Trained from nothing on pictures of two kinds."""
    return train(LEARNT, seed=3, steps=40)


def test_unseen_pictures_are_told_apart(trained: Trained, tmp_path: Path) -> None:
    """Written, read by the ordinary loader and judged by the ordinary classifier."""
    save_checkpoint(trained.checkpoint, tmp_path / "own.pth")
    weights = load(tmp_path / "own.pth", sha256=None)
    with IndoorClassifier(weights, threads=1) as classifier:
        found = classifier.probabilities(UNSEEN)
    assert [probability >= 0.5 for probability in found] == [bool(n % 2) for n in range(24)]
    assert weights.scoring.temperature == trained.checkpoint["temperature"]
    assert weights.training["curve"][-1]["step"] == 40
    assert weights.training["start"] == "nothing"


def test_same_pictures_and_seed_give_the_same_bytes(tmp_path: Path) -> None:
    """The file's digest names the weights, so it must be the same when they are."""
    one, two = (train(LEARNT[:12], seed=3, steps=4) for _ in range(2))
    save_checkpoint(one.checkpoint, tmp_path / "one.pth")
    save_checkpoint(two.checkpoint, tmp_path / "folder" / "two.pth")
    assert (tmp_path / "one.pth").read_bytes() == (tmp_path / "folder" / "two.pth").read_bytes()
    assert not list(tmp_path.rglob("*.part"))


def test_another_seed_gives_another_network() -> None:
    """The seed is not ignored, neither by the beginning nor by the split."""
    one, other = (train(LEARNT, seed=seed, steps=1, forms=1) for seed in (3, 4))
    name = "layer4.0.conv1.weight"
    assert not torch.equal(other.checkpoint["state_dict"][name], one.checkpoint["state_dict"][name])
    assert other.held_back != one.held_back


def test_given_weights_are_kept_before_the_last_stage(tmp_path: Path) -> None:
    """Two steps: a new last layer, then the last stage; all before it is that of the given ones."""
    given = random_network(5)
    start = Weights(given.eval(), "5" * 64)
    found = train(LEARNT[:12], seed=0, steps=4, start=start)
    state = found.checkpoint["state_dict"]
    for name, tensor in given.state_dict().items():
        if not name.startswith(("fc.", "layer4.")):
            assert torch.equal(state[name], tensor), name
    best = found.checkpoint["training"]["best"]["step"]
    moved = not torch.equal(
        state["layer4.1.conv2.weight"], given.state_dict()["layer4.1.conv2.weight"]
    )
    assert moved == (best > 0)
    assert bool(state["fc.weight"].any())
    assert found.checkpoint["training"]["start"] == "5" * 64
    assert [look.step for look in found.curve] == [0, 4]


def test_copies_stay_on_one_side() -> None:
    """A picture that is there three times, packed anew, is never both learnt and held back."""
    originals = [jpeg(seed=seed) for seed in range(24)]
    copies = [
        (packed(data, quality), bool(seed % 2))
        for seed, data in enumerate(originals)
        for quality in (95, 70, 50)
    ]
    held = set(train(copies, seed=1, steps=1, forms=1).held_back)
    assert held
    assert held == {3 * (place // 3) + copy for place in held for copy in range(3)}


def packed(data: bytes, quality: int) -> bytes:
    """Returns a smaller copy of a picture."""
    buffer = io.BytesIO()
    picture = Image.open(io.BytesIO(data))
    smaller = picture.resize((picture.width * 3 // 4, picture.height * 3 // 4))
    smaller.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def test_training_leaves_the_global_chance_and_threads_alone() -> None:
    """Nobody else's random numbers or threads change because a network was trained."""
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    threads = torch.get_num_threads()
    train(LEARNT[:8], seed=0, steps=1)
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads


def test_broken_pictures_are_left_out_and_named() -> None:
    """One bad file costs the others nothing; a file that cannot be read neither."""

    def gone() -> bytes:
        raise FileNotFoundError(2, "No such file or directory")

    found = train([*LEARNT[:12], (b"broken", True), (gone, False)], seed=0, steps=1)
    assert set(found.unreadable) == {12, 13}
    assert "No such file" in found.unreadable[13]
    assert found.checkpoint["training"]["pictures"] == {"indoor": 6, "outdoor": 6}


def test_one_kind_alone_or_one_picture_only_is_refused() -> None:
    """There is nothing to tell apart, or nothing to hold back."""
    with pytest.raises(ValueError, match="both kinds"):
        train([LEARNT[0], LEARNT[2]], seed=0)
    with pytest.raises(ValueError, match="cannot be parted"):
        train([LEARNT[0], LEARNT[1], LEARNT[1]], seed=0)


def test_grey_leaves_the_colour_filters_silent() -> None:
    """Eighteen of the given filters answer to colour alone."""
    bank = prepared_network(0, 2).conv1.weight.detach()
    grey = torch.rand(1, 1, 7, 7, generator=torch.Generator().manual_seed(0)).expand(1, 3, 7, 7)
    answers = (bank * grey).sum((1, 2, 3)).abs()
    assert int((answers < 1e-6).sum()) == 18
    assert np.allclose(bank.flatten(1).norm(dim=1), 1, atol=1e-5)
