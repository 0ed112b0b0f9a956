"""The losses against their formulas, written out slowly, and against what must not matter."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy, normalize

from flows.training.contrastive_losses import (
    TEMPERATURE,
    embeddings_at,
    image_level_loss,
    pixel_level_loss,
)

DIMENSIONS = 7


def cosine(one: list[float], other: list[float]) -> float:
    """Cosine of two vectors, in Python's own arithmetic."""
    return math.fsum(a * b for a, b in zip(one, other, strict=True)) / (
        math.hypot(*one) * math.hypot(*other)
    )


def direct_image_loss(
    chips: torch.Tensor, photos: torch.Tensor, of: list[int], temperature: float, *, back: bool
) -> float:
    """The image level as the paper writes it: sums over chips and their photos, no tricks."""
    s, g = chips.tolist(), photos.tolist()
    with_photos = sorted(set(of))
    total = 0.0
    for i in with_photos:
        own = [j for j, chip in enumerate(of) if chip == i]
        for j in own:
            among = [(s[i], other) for other in g] if not back else [(other, g[j]) for other in s]
            below = math.fsum(math.exp(cosine(*pair) / temperature) for pair in among)
            above = math.exp(cosine(s[i], g[j]) / temperature)
            total -= math.log(above / below) / len(own)
    return total / len(with_photos)


def direct_pixel_loss(
    points: torch.Tensor, photos: torch.Tensor, of: list[int], temperature: float, *, back: bool
) -> float:
    """The pixel level, likewise."""
    s, g = points.tolist(), photos.tolist()
    with_photos = sorted(set(of))
    total = 0.0
    for i in with_photos:
        own = [j for j, chip in enumerate(of) if chip == i]
        for j in own:
            among = [(s[j], other) for other in g] if not back else [(other, g[j]) for other in s]
            below = math.fsum(math.exp(cosine(*pair) / temperature) for pair in among)
            total -= math.log(math.exp(cosine(s[j], g[j]) / temperature) / below) / len(own)
    return total / len(with_photos)


def batch(chips: int, photos: int, seed: int) -> tuple[torch.Tensor, ...]:
    """Chips, points, photos and the photos' chips, in double precision."""
    source = torch.Generator().manual_seed(seed)

    def draw(count: int) -> torch.Tensor:
        return torch.randn(count, DIMENSIONS, generator=source, dtype=torch.float64)

    of = torch.randint(chips, (photos,), generator=source)
    return draw(chips), draw(photos), draw(photos), of


batches = st.builds(batch, st.integers(1, 6), st.integers(1, 30), st.integers(0, 10_000))
temperatures = st.sampled_from([0.01, 0.07, 1.0])


@given(batches, temperatures, st.booleans())
def test_both_levels_are_what_the_formulas_say(
    made: tuple[torch.Tensor, ...], temperature: float, symmetric: bool
) -> None:
    """Several photos to a chip, one or none: equal to the direct formula within 1e-6 and below."""
    chips, points, photos, of = made
    options = {"temperature": temperature, "symmetric": symmetric}
    directions = [False, True] if symmetric else [False]
    for level, first, direct in (
        (image_level_loss, chips, direct_image_loss),
        (pixel_level_loss, points, direct_pixel_loss),
    ):
        wanted = sum(
            direct(first, photos, of.tolist(), temperature, back=back) for back in directions
        ) / len(directions)
        assert float(level(first, photos, of, **options)) == pytest.approx(wanted, abs=1e-9)
        single = level(first.float(), photos.float(), of, **options)
        assert single.dtype == torch.float32
        assert float(single) == pytest.approx(wanted, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("symmetric", [False, True])
def test_gradients_are_those_of_the_formula(symmetric: bool) -> None:
    """PyTorch's numerical gradients agree, for embeddings and for a learned temperature."""
    chips, points, photos, of = batch(4, 9, 3)
    temperature = torch.tensor(0.2, dtype=torch.float64, requires_grad=True)
    for level, first in ((image_level_loss, chips), (pixel_level_loss, points)):
        inputs = (first.clone().requires_grad_(), photos.clone().requires_grad_(), temperature)
        assert torch.autograd.gradcheck(
            lambda one, other, t, level=level: level(
                one, other, of, temperature=t, symmetric=symmetric
            ),
            inputs,
        )


@given(batches, st.integers(0, 10_000))
def test_the_order_of_the_batch_does_not_matter(made: tuple[torch.Tensor, ...], seed: int) -> None:
    """Photos in another order, and chips in another order, give the same loss."""
    chips, points, photos, of = made
    source = torch.Generator().manual_seed(seed)
    turn = torch.randperm(len(photos), generator=source)
    shift = torch.randperm(len(chips), generator=source)
    number = torch.argsort(shift)  # the new number of each chip
    for symmetric in (False, True):
        image = image_level_loss(chips, photos, of, symmetric=symmetric)
        turned = image_level_loss(chips[shift], photos[turn], number[of[turn]], symmetric=symmetric)
        torch.testing.assert_close(turned, image)
        pixel = pixel_level_loss(points, photos, of, symmetric=symmetric)
        turned = pixel_level_loss(points[turn], photos[turn], number[of[turn]], symmetric=symmetric)
        torch.testing.assert_close(turned, pixel)


@given(st.integers(1, 12), st.integers(0, 10_000))
def test_one_photo_to_each_chip_is_infonce(count: int, seed: int) -> None:
    """Then both levels are the cross-entropy of the square matrix of cosines."""
    chips, _, photos, _ = batch(count, count, seed)
    logits = normalize(chips, dim=1) @ normalize(photos, dim=1).T / TEMPERATURE
    own = torch.arange(count)
    wanted = cross_entropy(logits, own)
    both = (wanted + cross_entropy(logits.T, own)) / 2
    for level in (image_level_loss, pixel_level_loss):
        torch.testing.assert_close(level(chips, photos, own), wanted)
        torch.testing.assert_close(level(chips, photos, own, symmetric=True), both)


def test_a_chip_counts_the_same_however_many_photos_it_has() -> None:
    """Twice the same photo instead of once leaves the share of its chip at a half."""
    chips, _, photos, _ = batch(2, 2, 5)
    of = torch.tensor([0, 1, 1])
    thrice = photos[[0, 1, 1]]
    logits = normalize(chips, dim=1) @ normalize(thrice, dim=1).T / TEMPERATURE
    terms = -logits.log_softmax(dim=1)
    wanted = (terms[0, 0] + terms[1, 1]) / 2
    torch.testing.assert_close(image_level_loss(chips, thrice, of), wanted)


def test_a_chip_without_photos_has_no_term_but_is_a_candidate() -> None:
    """It changes nothing for GRAFT's own direction, and makes the other harder."""
    chips, _, photos, _ = batch(4, 6, 8)
    of = torch.tensor([0, 0, 1, 1, 1, 0])
    few = image_level_loss(chips[:2], photos, of)
    torch.testing.assert_close(image_level_loss(chips, photos, of), few)
    more = image_level_loss(chips, photos, of, symmetric=True)
    assert more > image_level_loss(chips[:2], photos, of, symmetric=True)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_and_extreme_cosines_stay_finite(dtype: torch.dtype) -> None:
    """At CLIP's least temperature, exp(1/τ) is beyond single precision; sums are still right."""
    photos = torch.eye(4, dtype=dtype)
    own = torch.arange(4)
    for level in (image_level_loss, pixel_level_loss):
        loss = level(-photos, photos, own, temperature=0.005)
        assert loss.dtype == torch.float32
        assert float(loss) == pytest.approx(200.0 + math.log(3.0), abs=1e-4)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert float(level(photos, photos, own, temperature=0.005)) == 0.0


def test_embeddings_are_those_of_the_patch_that_holds_the_pixel() -> None:
    """Row before column, floor of the fraction, and each photo in its own chip."""
    maps = torch.arange(2 * 1 * 3 * 5).reshape(2, 1, 3, 5)
    points = torch.tensor([[0.0, 0.0], [15.99, 16.0], [47.99, 79.99], [16.0, 15.99]])
    found = embeddings_at(maps, torch.tensor([0, 0, 1, 1]), points, patch_px=16)
    assert found[:, 0].tolist() == [0, 1, 15 + 14, 15 + 5]


def test_gradients_reach_the_patches_alone() -> None:
    """Patches without a photo get none; one with two photos gets both."""
    maps = torch.zeros(1, 3, 2, 2, requires_grad=True)
    points = torch.tensor([[1.0, 9.0], [2.0, 8.0], [9.0, 1.0]])
    embeddings_at(maps, torch.tensor([0, 0, 0]), points, patch_px=8).sum().backward()
    assert maps.grad is not None
    assert maps.grad[0, 0].tolist() == [[0.0, 2.0], [1.0, 0.0]]


@pytest.mark.parametrize("point", [[-0.01, 5.0], [5.0, 80.0], [48.0, 5.0]])
def test_a_photo_outside_of_its_chip_is_refused(point: list[float]) -> None:
    """A crop that does not hold a photo must not give it another patch."""
    maps = torch.zeros(1, 4, 3, 5)
    with pytest.raises(ValueError, match=r"photo 1 at row, col .* outside of its chip of \[48, 80"):
        embeddings_at(maps, torch.tensor([0, 0]), torch.tensor([[1.0, 1.0], point]), patch_px=16)


def test_what_does_not_fit_is_refused() -> None:
    """Wrong shapes, no photos and numbers beyond the batch: an error that says so."""
    chips, points, photos, of = batch(3, 5, 1)
    with pytest.raises(ValueError, match="at least one photo"):
        image_level_loss(chips, photos[:0], of[:0])
    with pytest.raises(ValueError, match="at least one photo"):
        pixel_level_loss(points[:0], photos[:0], of[:0])
    with pytest.raises(ValueError, match="the batch has 3 chips"):
        image_level_loss(chips, photos, of + 3)
    with pytest.raises(ValueError, match="chip_of_photo is -1"):
        pixel_level_loss(points, photos, torch.full((5,), -1))
    with pytest.raises(ValueError, match="points do not fit"):
        pixel_level_loss(points[:4], photos, of)
    with pytest.raises(ValueError, match=r"embeddings are \(chips, D\)"):
        image_level_loss(chips[:, :3], photos, of)
    with pytest.raises(ValueError, match="numbers of chips for 5 photos"):
        image_level_loss(chips, photos, of[:4])
    with pytest.raises(ValueError, match="goes beyond the 1 chips"):
        embeddings_at(torch.zeros(1, 2, 3, 3), torch.tensor([1]), torch.zeros(1, 2), patch_px=8)
    with pytest.raises(ValueError, match="points"):
        embeddings_at(torch.zeros(1, 2, 3, 3), torch.tensor([0]), torch.zeros(2, 2), patch_px=8)
