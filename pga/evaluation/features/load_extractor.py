"""Feature spaces by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pga.data.prepared import Images
from pga.evaluation.features.extractor import Extractor
from pga.metrics.moments import Features
from pga.params.feature_spaces import FEATURE_SPACES, OFFICIAL, PIXELS
from pga.runtime.errors import UserError


class PixelFeatures:
    """The pixels of an image as its features (an `Extractor`), to find nearest images by."""

    label = PIXELS
    digest = PIXELS
    dim = 0
    accuracy: float | None = None

    def __call__(self, images: Images) -> Features:
        """(B, H, W, C) uint8 → (B, H·W·C) float32."""
        return images.reshape(len(images), -1).astype(np.float32)


def load_extractor(label: str, weights: Path | None, device: str = "auto", pinned: str = OFFICIAL) -> Extractor:
    """A feature space with the weights in a file.

    Args:
        label: key of `FEATURE_SPACES`, or "pixels".
        weights: file; none for pixels.
        device: as for training; the classifier is small and always on the CPU.
        pinned: SHA-256 that Inception's weights must have, or its first digits.

    Raises:
        UserError: no such feature space; or the weights are not the ones that are meant.
    """
    if label == PIXELS:
        return PixelFeatures()
    if label not in FEATURE_SPACES:
        raise UserError(f"no feature space {label!r}; there are {', '.join(FEATURE_SPACES)}")
    if weights is None:
        raise UserError(f"the feature space {label} needs --weights")
    kind, _, variant = label.partition("-")
    if kind == "classifier":
        from pga.evaluation.features.classifier import ClassifierFeatures

        return ClassifierFeatures(weights)
    if kind == "dinov2":
        from pga.evaluation.features.dinov2 import Dinov2Features

        return Dinov2Features(weights, variant, device)
    from pga.evaluation.features.inception import InceptionFeatures

    return InceptionFeatures(weights, pinned, variant, device)
