"""What every feature space offers, and how features of many images are computed in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from pga.data.prepared import Images
from pga.metrics.moments import Features
from pga.runtime.errors import UserError
from pga.runtime.progress import Progress


class Extractor(Protocol):
    """A feature space.

    Attributes:
        label: name in file names and results ("classifier", "inception-tf1").
        dim: length of a feature vector.
        digest: identity of its weights.
        accuracy: test accuracy, for a classifier; None for others.
    """

    label: str
    dim: int
    digest: str
    accuracy: float | None

    def __call__(self, images: Images) -> Features:
        """(B, H, W, C) uint8 → (B, dim) float32."""
        ...


def check_images(images: Images) -> None:
    """Refuse what no feature space sees; raises UserError if the images are not uint8 (N, H, W, C) with 1 or 3 channels."""
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise UserError(f"features need uint8 images (N, height, width, 1 or 3), found {images.dtype} of shape {images.shape}")


def refuse_other_range(images: Images) -> None:
    """Refuse images whose numbers are those of another range than 0…255, after a look at as few of them as settle it.

    Raises:
        UserError: there is no value but 0 and 1, or 255 as well: [0, 1] or [-1, 1] converted to integers.
    """
    levels: set[int] = set()
    for start in range(0, len(images), 100):
        levels |= set(map(int, np.unique(images[start : start + 100])))
        if levels - {0, 1, 255}:
            return
    if 1 in levels:
        raise UserError(
            f"the images' only values are {', '.join(map(str, sorted(levels)))}: these look like numbers of [0, 1] or [-1, 1] converted to "
            "integers; accepted are uint8 images of 0…255"
        )


def stream(extractor: Extractor, images: Images, batch_size: int = 100) -> Iterator[Features]:
    """Features of `images`, batch by batch: memory does not grow with their number.

    Raises:
        UserError: the images are not uint8 (N, H, W, C) with 1 or 3 channels, or a feature is not finite.
    """
    check_images(images)
    with Progress(len(images), f"features ({extractor.label})", "image") as progress:
        for start in range(0, len(images), batch_size):
            features = extractor(np.ascontiguousarray(images[start : start + batch_size]))
            if not np.isfinite(features).all():
                raise UserError(f"features ({extractor.label}) of images {start}…{start + len(features) - 1} are not finite")
            yield features
            progress.advance(len(features))
