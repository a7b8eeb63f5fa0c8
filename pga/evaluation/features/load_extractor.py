"""Feature spaces by name."""

from __future__ import annotations

from pathlib import Path

from pga.evaluation.features.extractor import Extractor
from pga.params.evaluation import OFFICIAL
from pga.runtime.errors import UserError


def load_extractor(label: str, weights: Path, device: str = "auto", pinned: str = OFFICIAL) -> Extractor:
    """The feature space "classifier", "inception-tf1" or "inception-pytorch_fid" with the weights in a file.

    Args:
        label: which.
        weights: file.
        device: as for training; the classifier is small and always on the CPU.
        pinned: SHA-256 that Inception's weights must have, or its first digits.

    Raises:
        UserError: no such feature space; or the weights are not the ones that are meant.
    """
    if label == "classifier":
        from pga.evaluation.features.classifier import ClassifierFeatures

        return ClassifierFeatures(weights)
    kind, _, resize = label.partition("-")
    if kind == "inception" and resize in ("tf1", "pytorch_fid"):
        from pga.evaluation.features.inception import InceptionFeatures

        return InceptionFeatures(weights, pinned, resize, device)
    raise UserError(f"no feature space {label!r}; there are classifier, inception-tf1, inception-pytorch_fid")
