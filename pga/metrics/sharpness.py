"""Sharpness of images, the variance of their Laplacian (Tolstikhin et al. 2018, section 4): low where images are blurry."""

from __future__ import annotations

import numpy as np

from pga.metrics.metric import Given, Images, Metric, Value

LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in a grey value (ITU-R BT.601)."""
TOGETHER = 500
"""Images in memory at a time."""


def sharpness(images: Images) -> float:
    """Mean over images of the variance of the Laplacian (0 1 0; 1 −4 1; 0 1 0) of their grey values, which are on the scale [-1, 1].

    Noise counts as sharpness: compare with the sharpness of real images, not with infinity.

    Args:
        images: (N, H, W, 1 or 3) uint8 with N ≥ 1, H and W at least 3. No value outside of the image is used.

    Raises:
        ValueError: another shape.
    """
    if images.ndim != 4 or not len(images) or images.shape[-1] not in (1, 3) or min(images.shape[1:3]) < 3:
        raise ValueError(f"images (N, height, width, 1 or 3) of at least 3×3 pixels are needed, found {images.shape}")
    total = 0.0
    for start in range(0, len(images), TOGETHER):
        part = images[start : start + TOGETHER].astype(np.float64) / 127.5 - 1.0
        grey = part @ LUMA if part.shape[-1] == 3 else part[..., 0]
        around = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
        total += float((around - 4 * grey[:, 1:-1, 1:-1]).var(axis=(1, 2)).sum())
    return total / len(images)


def measure(given: Given) -> dict[str, Value]:
    """The sharpness of the samples."""
    return {"sharpness": Value(sharpness(given.images))}


METRIC = Metric(
    measure,
    ("images",),
    {"sharpness": "Sharpness"},
    "Sharpness: variance of the Laplacian of grey values in [-1, 1], mean over images; low where they are blurry, to be compared with that "
    "of real images.",
)
