"""Mean and covariance of features, as files that say what they are of; a mismatch is refused."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pga.data.prepared import UNREADABLE
from pga.evaluation.features.extractor import Extractor
from pga.metrics.moments import Features, Statistics
from pga.params.evaluation import FOREIGN_SPLIT
from pga.runtime.errors import UserError
from pga.runtime.files import atomic, sha256
from pga.runtime.seeds import derive

KEPT = 10_000
"""Features of real images that are kept beside the statistics, for metrics that compare single images."""


class FeatureSubset:
    """Passes batches of features on and keeps a uniform random subset of their rows, in order.

    Args:
        batches: features of `total` images.
        total: their number.
        seed: of the choice.
    """

    def __init__(self, batches: Iterable[Features], total: int, seed: int = 0):
        self.batches = batches
        rng = np.random.default_rng(derive(seed, "kept features"))
        self.chosen = np.sort(rng.choice(total, KEPT, replace=False)) if total > KEPT else np.arange(total)
        self.parts: list[Features] = []

    def __iter__(self) -> Iterator[Features]:
        start = 0
        for batch in self.batches:
            inside = self.chosen[(self.chosen >= start) & (self.chosen < start + len(batch))]
            self.parts.append(batch[inside - start])
            start += len(batch)
            yield batch

    @property
    def features(self) -> Features:
        """What was kept, (at most KEPT, d)."""
        return np.concatenate(self.parts)


def load_features(path: Path, reference: Statistics) -> Features:
    """Features of real images, (n, d) float32, which must be those that belong to the statistics.

    Raises:
        UserError: the file is absent, damaged, or belongs to other statistics.
    """
    try:
        features: Features = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except UNREADABLE as error:
        raise UserError(f"{path}: not a complete .npy array ({error}); delete it and make it again") from error
    if sha256(path) != reference.about.get("features_sha256"):
        raise UserError(f"{path}: not the features that the statistics record; delete both and make them again")
    return features


def identity(extractor: Extractor) -> dict[str, Any]:
    """What identifies a feature space in results and statistics."""
    return {"name": extractor.label, "digest": extractor.digest, "accuracy": extractor.accuracy}


def save_statistics(path: Path, found: Statistics) -> None:
    """Write statistics, complete or not at all."""
    about = json.dumps({**found.about, "n": found.n}, sort_keys=True)
    with atomic(path) as file:
        np.savez(file, mu=found.mu, sigma=found.sigma, about=np.array(about))


def load_statistics(path: Path, extractor: Extractor | None = None, foreign: bool = False) -> Statistics:
    """Read statistics and check that they are of the feature space `extractor`.

    Args:
        path: .npz of `save_statistics`, or of another tool with mu and sigma.
        extractor: the feature space; None checks nothing.
        foreign: whoever asks vouches that a file which does not say so itself is of this feature space.

    Raises:
        UserError: the file is absent, damaged, not finite, or of another feature space.
    """
    try:
        with zipfile.ZipFile(path) as archive, np.load(path, allow_pickle=False) as file:
            if archive.testzip() is not None:
                raise ValueError("a checksum inside differs")
            mu, sigma = file["mu"], file["sigma"]
            about = json.loads(str(file["about"])) if "about" in file else {}
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except UNREADABLE as error:
        raise UserError(f"{path}: not a complete file of statistics ({error}); delete it and make it again") from error
    if mu.ndim != 1 or sigma.shape != mu.shape * 2 or not (np.isfinite(mu).all() and np.isfinite(sigma).all()):
        raise UserError(f"{path}: mean of shape {mu.shape} and covariance of shape {sigma.shape}, finite values are needed")
    if foreign and extractor is not None and not about:
        if len(mu) != extractor.dim:
            raise UserError(
                f"{path}: statistics of {len(mu)} dimensions; {extractor.label} has {extractor.dim}: they are of something else"
            )
        about = {"extractor": identity(extractor), "split": FOREIGN_SPLIT}
    if extractor is not None:
        found = about.get("extractor", {})
        if found.get("digest") != extractor.digest or found.get("name") != extractor.label:
            raise UserError(
                f"{path}: statistics of {found.get('name', 'an unknown feature space')} {str(found.get('digest'))[:12]}, "
                f"the samples' features are of {extractor.label} {extractor.digest[:12]}; make them again"
                + ("" if about else f", or say --foreign {extractor.label} if you know that another tool made them of the same")
            )
    return Statistics(mu.astype(np.float64), sigma.astype(np.float64), int(about.get("n", 0)), about)
