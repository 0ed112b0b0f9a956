"""Bringing a picture down to a smaller size."""

from __future__ import annotations

import numpy as np
from PIL import Image


def reduce_picture(picture: Image.Image, width: int, height: int) -> Image.Image:
    """Resamples a picture by Lanczos's filter, three lobes, widened so that nothing aliases.

    The filter is Pillow's, and so are the results but for two levels of 256 in a few values of a
    thousand (more where pure black meets pure white). PyTorch computes it with the processor's
    vectors in a sixth of the time, in whole numbers, so that the result is the same on every
    processor (`torch.nn.functional.interpolate`; docs/decisions/0017).

    Args:
        picture: In RGB, 8 bits a channel.
        width: Of the result, px; not more than the picture's.
        height: Of the result, px; not more than the picture's.

    Returns:
        A new picture in RGB without metadata.
    """
    import torch  # noqa: PLC0415 - takes a second, and most commands never resize

    pixels = torch.from_numpy(np.array(picture))  # a copy: PyTorch warns of read-only memory
    reduced = torch.nn.functional.interpolate(
        pixels[None].permute(0, 3, 1, 2),  # one picture: (1, bands, rows, columns)
        size=(height, width),
        mode="lanczos",
        antialias=True,
    )
    return Image.fromarray(reduced[0].permute(1, 2, 0).contiguous().numpy())
