"""Precision and recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020), in float64.

Each set stands for a manifold: the union of balls around its rows that reach to their k-th nearest neighbour within the set.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from pga.metrics.metric import Given, Metric, Value
from pga.metrics.moments import Features
from pga.metrics.nearest_neighbours import BLOCK, Array, check_features, squared_distances
from pga.runtime.progress import Progress


@dataclass(frozen=True)
class ManifoldMetrics:
    """How two sets of features lie to each other.

    Attributes:
        precision: share of samples within the reference's manifold; low where samples are bad.
        recall: share of the reference within the samples' manifold; low where samples lack variety.
        density: mean over samples of the number of reference balls that hold them, divided by k; may exceed 1.
        coverage: share of reference balls that hold a sample.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def manifold_metrics(features: Features, reference: Features, k: int = 3, k_density: int = 5, block: int = BLOCK) -> ManifoldMetrics:
    """Precision, recall, density and coverage of samples with respect to a reference.

    Balls are closed: a point as far as the radius is inside, as Kynkäänniemi et al. define it. Naeem et al. write "ball", and their
    code leaves such points out; the two differ only at ties. A row itself is not among its neighbours, a duplicate of it is. Ties
    are found within the rounding errors of float64, some 10⁻¹² of squared distances. Precision and recall depend on the sizes of
    the sets; Kynkäänniemi et al. take equally many of both.

    Args:
        features: samples, (N, d) with N > k.
        reference: (M, d) with M > k and M > k_density.
        k: which nearest neighbour a ball reaches to, for precision and recall.
        k_density: the same for density and coverage.
        block: rows that are worked on at a time; memory grows by block × max(N, M).

    Raises:
        ValueError: a shape does not fit, a value is not finite, or there are too few rows.
    """
    if min(k, k_density) < 1:
        raise ValueError(f"k and k_density must be at least 1, found {k} and {k_density}")
    check_features(features, "features", k + 1)
    check_features(reference, "reference", max(k, k_density) + 1, features.shape[1])
    with Progress(2 * len(features) + len(reference), "precision, recall, density, coverage", "row") as progress:
        (feature_radii,) = squared_radii(features, (k,), block, progress)
        radii, density_radii = squared_radii(reference, (k, k_density), block, progress)
        precise = balls = 0
        recalled, covered = np.zeros(len(reference), bool), np.zeros(len(reference), bool)
        for start, distances, _ in squared_distances(features, reference, "lower", block):
            precise += int((distances <= radii).any(axis=1).sum())
            recalled |= (distances <= feature_radii[start : start + len(distances), None]).any(axis=0)
            within = distances <= density_radii
            balls += int(within.sum())
            covered |= within.any(axis=0)
            progress.advance(len(distances))
    return ManifoldMetrics(
        precision=precise / len(features),
        recall=float(recalled.mean()),
        density=balls / (k_density * len(features)),
        coverage=float(covered.mean()),
    )


def squared_radii(features: Features, ks: tuple[int, ...], block: int, progress: Progress) -> list[Array]:
    """For each k the squared distance of each row to its k-th nearest other row, rounded upwards."""
    found = [np.empty(len(features)) for _ in ks]
    for start, distances, _ in squared_distances(features, features, "upper", block):
        stop = start + len(distances)
        distances[np.arange(len(distances)), np.arange(start, stop)] = np.inf
        distances.partition([k - 1 for k in ks], axis=1)
        for k, radii in zip(ks, found, strict=True):
            radii[start:stop] = distances[:, k - 1]
        progress.advance(len(distances))
    return found


def measure(given: Given) -> dict[str, Value]:
    """All four."""
    return {name: Value(value) for name, value in asdict(manifold_metrics(given.features, given.real_features)).items()}


METRIC = Metric(
    measure,
    ("features", "real_features"),
    {"precision": "Precision", "recall": "Recall", "density": "Density", "coverage": "Coverage"},
    "Precision, recall, density, coverage: the higher the better.",
)
