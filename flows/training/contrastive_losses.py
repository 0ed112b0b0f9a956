"""The losses of GRAFT: a satellite's embeddings are drawn to those of the photos taken inside it.

Mall et al., "Remote Sensing Vision-Language Foundation Models without Annotations via Ground Remote
Alignment" (ICLR 2024, arXiv 2312.06960). A batch holds N chips s_i; chip i has N_i photos g_ij. The
photos of a batch lie one after another along one axis, with the index of their chip beside them, so
chips with one photo and chips with 25 go together without padding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch.nn.functional import normalize

if TYPE_CHECKING:
    from torch import Tensor

TEMPERATURE: Final = 0.07
"""What CLIP begins with (Radford et al. 2021, section 2.5). Logits are cosines divided by it."""


def image_level_loss(
    chips: Tensor,
    photos: Tensor,
    chip_of_photo: Tensor,
    *,
    temperature: float | Tensor = TEMPERATURE,
    symmetric: bool = False,
) -> Tensor:
    """Returns the loss that draws a whole chip to each of its photos.

    For chip i and its photo j, all P photos of the batch being candidates:

        1/N Σ_i 1/N_i Σ_j −log( exp(s_i·g_ij / τ) / Σ_p exp(s_i·g_p / τ) )

    This is the supervised contrastive loss with the sum outside the logarithm (Khosla et al. 2020,
    equation 2), which GRAFT takes for its image level: the chip's other photos stand in the
    denominator, too. With one photo to each chip it is InfoNCE. A chip counts the same however many
    photos it has.

    Args:
        chips: Embeddings of the chips, (N, D), of any length; cosines are taken here.
        photos: Embeddings of the photos, (P, D).
        chip_of_photo: The row in `chips` of each photo's chip, whole numbers, (P,), in any order.
            A chip without photos has no term of its own.
        temperature: τ, above 0; a tensor if it is learned.
        symmetric: Add the other direction, as CLIP does, and halve: for each photo, its own chip
            against all chips, weighted alike. GRAFT itself has one direction.

    Returns:
        A scalar in nats; single precision where the embeddings are half.

    Raises:
        ValueError: If the shapes do not fit, there is no photo, or a photo is of no chip.
    """
    _hold(chips, photos, chip_of_photo)
    logits = _cosines(chips, photos) / temperature
    column = torch.arange(len(photos), device=photos.device)
    weight = _weights(chip_of_photo, len(chips), logits.dtype)
    loss = -(weight * logits.log_softmax(dim=1)[chip_of_photo, column]).sum()
    if not symmetric:
        return loss
    other = -(weight * logits.log_softmax(dim=0)[chip_of_photo, column]).sum()
    return (loss + other) / 2


def pixel_level_loss(
    points: Tensor,
    photos: Tensor,
    chip_of_photo: Tensor,
    *,
    temperature: float | Tensor = TEMPERATURE,
    symmetric: bool = False,
) -> Tensor:
    """Returns the loss that draws the patch under a photo's own pixel to the photo.

    For photo j of chip i, whose pixel is p_ij, all P photos of the batch being candidates:

        1/N Σ_i 1/N_i Σ_j −log( exp(s_i[p_ij]·g_ij / τ) / Σ_p exp(s_i[p_ij]·g_p / τ) )

    Photos of the same chip are candidates like any other, so the loss asks for the place within
    the chip, not only for the chip.

    Args:
        points: Embedding of each photo's pixel, (P, D); see `embeddings_at`.
        photos: Embeddings of the photos, (P, D), in the same order.
        chip_of_photo: Number of each photo's chip, whole numbers from 0, (P,). It decides the
            weights alone: each chip that has photos counts the same.
        temperature: τ, above 0; a tensor if it is learned.
        symmetric: Add the other direction, each photo's own pixel against all P pixels, and halve.

    Returns:
        A scalar in nats; single precision where the embeddings are half.

    Raises:
        ValueError: If the shapes do not fit, there is no photo, or a number is negative.
    """
    if points.shape != photos.shape:
        raise ValueError(
            f"{tuple(points.shape)} points do not fit {tuple(photos.shape)} photos:"
            " each photo has one pixel, and both have the same dimensions"
        )
    count = int(chip_of_photo.max()) + 1 if chip_of_photo.numel() else 0
    _hold(points.new_empty(max(count, 0), points.shape[-1]), photos, chip_of_photo)
    logits = _cosines(points, photos) / temperature
    weight = _weights(chip_of_photo, count, logits.dtype)
    loss = -(weight * logits.log_softmax(dim=1).diagonal()).sum()
    if not symmetric:
        return loss
    other = -(weight * logits.log_softmax(dim=0).diagonal()).sum()
    return (loss + other) / 2


def embeddings_at(maps: Tensor, chip_of_photo: Tensor, points: Tensor, *, patch_px: int) -> Tensor:
    """Returns the embeddings of the patches that hold the photos' pixels.

    Args:
        maps: A grid of embeddings for each chip, (N, D, rows, columns) of patches.
        chip_of_photo: The row in `maps` of each photo's chip, whole numbers, (P,).
        points: (row, col) of each photo in pixels of the chip that the maps were made of, (P, 2);
            (0, 0) is the outer corner of the top left pixel. After a crop, those of the crop.
        patch_px: Pixels along the side of a patch.

    Returns:
        (P, D), in the order of the photos.

    Raises:
        ValueError: If the shapes do not fit, or a photo lies outside of its chip.
    """
    if maps.ndim != 4 or points.shape != (len(chip_of_photo), 2):
        raise ValueError(
            f"maps are (chips, dimensions, rows, columns) and points (photos, 2), not"
            f" {tuple(maps.shape)} and {tuple(points.shape)} for {len(chip_of_photo)} photos"
        )
    if chip_of_photo.numel() and not _within(chip_of_photo, len(maps)):
        raise ValueError(f"chip_of_photo goes beyond the {len(maps)} chips of the batch")
    patch = torch.div(points, patch_px, rounding_mode="floor").long()
    limit = torch.tensor(maps.shape[2:], device=points.device)
    outside = ((patch < 0) | (patch >= limit)).any(dim=1)
    if bool(outside.any()):
        first = int(outside.nonzero()[0])
        raise ValueError(
            f"photo {first} at row, col {points[first].tolist()} lies outside of its chip of"
            f" {(limit * patch_px).tolist()} px: leave it out, or crop around it"
        )
    return maps[chip_of_photo, :, patch[:, 0], patch[:, 1]]


def _hold(chips: Tensor, photos: Tensor, chip_of_photo: Tensor) -> None:
    if chips.ndim != 2 or photos.ndim != 2 or chips.shape[1] != photos.shape[1]:
        raise ValueError(
            f"embeddings are (chips, D) and (photos, D), not {tuple(chips.shape)} and"
            f" {tuple(photos.shape)}"
        )
    if chip_of_photo.shape != photos.shape[:1] or not len(photos):
        raise ValueError(
            f"{tuple(chip_of_photo.shape)} numbers of chips for {len(photos)} photos: each photo"
            " has one, and a batch has at least one photo"
        )
    if not _within(chip_of_photo, len(chips)):
        raise ValueError(
            f"chip_of_photo is {int(chip_of_photo.min())} to {int(chip_of_photo.max())}, and the"
            f" batch has {len(chips)} chips"
        )


def _within(chip_of_photo: Tensor, count: int) -> bool:
    return bool(chip_of_photo.min() >= 0) and bool(chip_of_photo.max() < count)


def _cosines(one: Tensor, other: Tensor) -> Tensor:
    # In half precision a sum over a batch has three digits; autocast would take it back to half.
    with torch.autocast(one.device.type, enabled=False):
        wide = torch.promote_types(torch.promote_types(one.dtype, other.dtype), torch.float32)
        return normalize(one.to(wide), dim=1) @ normalize(other.to(wide), dim=1).T


def _weights(chip_of_photo: Tensor, chips: int, dtype: torch.dtype) -> Tensor:
    """Returns 1/(N N_i) for each photo, (P,), N being the chips that have photos."""
    photos_of_chip = torch.bincount(chip_of_photo, minlength=chips)
    share = 1.0 / photos_of_chip[chip_of_photo].to(dtype)
    return share / (photos_of_chip > 0).sum()
