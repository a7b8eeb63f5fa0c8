"""Mean and covariance of features as files, with a record of what they are of; a mismatch is refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from pga.data.prepared import UNREADABLE
from pga.evaluation.features.extractor import Extractor
from pga.evaluation.metrics_record import SpaceId
from pga.metrics.moments import Features, Statistics
from pga.runtime.errors import UserError
from pga.runtime.files import atomic
from pga.runtime.seeds import derive
from pga.runtime.sidecar import Sidecar
from pga.training.run_record import StepRecord

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


class StatisticsRecord(StepRecord, Sidecar):
    """Beside statistics of real images (.npz) and their features: of which images and feature space they are.

    Attributes:
        dataset, split, data_sha256: the prepared images.
        n: their number.
        extractor: the feature space.
        dtype: in which sums were taken.
    """

    kind: Literal["statistics"] = "statistics"
    dataset: str
    split: str
    data_sha256: str
    n: int
    extractor: SpaceId
    dtype: str = "float64"


def features_path(path: Path) -> Path:
    """Where the features of single images lie, beside their statistics."""
    return path.with_name(f"{path.stem}-features.npy")


def save_statistics(path: Path, found: Statistics, features: Features, record: StatisticsRecord) -> None:
    """Write statistics, features of single images and last the record of both, each complete or not at all."""
    with atomic(path) as file:
        np.savez(file, mu=found.mu, sigma=found.sigma)
    with atomic(features_path(path)) as file:
        np.save(file, features, allow_pickle=False)
    record.write_beside([path, features_path(path)])


def load_features(path: Path, record: StatisticsRecord | None, beside: Path) -> Features:
    """Features of real images, (n, d) float32, which must belong to the statistics whose record lies at `beside`.

    Raises:
        UserError: the file is absent, damaged, or belongs to other statistics.
    """
    if record is None:
        raise UserError(f"{path}: {beside} does not name it; delete both and make them again")
    record.check_file(path, beside)
    try:
        features: Features = np.load(path, allow_pickle=False)
    except UNREADABLE as error:
        raise UserError(f"{path}: not a complete .npy array ({error}); delete it and make it again") from error
    return features


def load_statistics(path: Path) -> tuple[Statistics, StatisticsRecord | None]:
    """Statistics, and what the record beside them says; None of another tool's (.npz with mu and sigma).

    Raises:
        UserError: the file is absent, damaged, not finite, was changed, or is of other code than there is now.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            mu, sigma = file["mu"], file["sigma"]
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except UNREADABLE as error:
        raise UserError(f"{path}: not a complete file of statistics ({error}); delete it and make it again") from error
    if mu.ndim != 1 or sigma.shape != mu.shape * 2 or not (np.isfinite(mu).all() and np.isfinite(sigma).all()):
        raise UserError(f"{path}: mean of shape {mu.shape} and covariance of shape {sigma.shape}, finite values are needed")
    record = StatisticsRecord.read_beside(path)
    if record:
        record.refuse_other_code(path)
    return Statistics(mu.astype(np.float64), sigma.astype(np.float64), record.n if record else 0), record


def refuse_other_space(path: Path, found: Statistics, record: StatisticsRecord | None, extractor: Extractor, foreign: bool) -> None:
    """Refuse statistics of another feature space than `extractor`.

    Args:
        path: their file.
        found: the statistics.
        record: what is said of them.
        extractor: the feature space.
        foreign: whoever asks vouches that a file of which nothing is said is of this feature space.

    Raises:
        UserError: they are.
    """
    if foreign and record is None:
        if len(found.mu) != extractor.dim:
            raise UserError(
                f"{path}: statistics of {len(found.mu)} dimensions; {extractor.label} has {extractor.dim}: they are of something else"
            )
    elif record is None or (record.extractor.name, record.extractor.digest) != (extractor.label, extractor.digest):
        space = f"{record.extractor.name} {str(record.extractor.digest)[:12]}" if record else "an unknown feature space"
        raise UserError(
            f"{path}: statistics of {space}, the samples' features are of {extractor.label} {extractor.digest[:12]}; make them again"
            + ("" if record else f", or say --foreign {extractor.label} if you know that another tool made them of the same")
        )
