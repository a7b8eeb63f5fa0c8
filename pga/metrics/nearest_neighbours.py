"""Squared Euclidean distances in blocks of bounded memory, and exact nearest neighbours (for checks on memorised training images)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt

from pga.metrics.metric import Given, Metric, Value
from pga.metrics.moments import Features
from pga.runtime.progress import Progress

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

BLOCK = 1024
"""Rows that are worked on at a time: the largest array is (BLOCK, rows of the reference), in float64."""


def nearest(features: Features, reference: Features, k: int = 1, block: int = BLOCK) -> tuple[Indices, Array]:
    """The k rows of the reference that are nearest to each sample.

    Matrix products tell which rows can be among the k nearest, given their rounding errors; the distances of these are computed
    from differences, so that they are accurate, zero for a duplicate, and independent of the block size.

    Args:
        features: samples, (N, d).
        reference: (M, d).
        k: number of neighbours, at most M.
        block: samples that are worked on at a time.

    Returns:
        Indices into the reference (N, k) and Euclidean distances (N, k), nearest first; at equal distance the lowest index first.

    Raises:
        ValueError: a shape does not fit, a value is not finite, or there are fewer than k rows in the reference.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, found {k}")
    check_features(features, "features", 1)
    check_features(reference, "reference", k, features.shape[1])
    slack = 2 * rounding(features.shape[1])
    indices, distances = np.empty((len(features), k), np.int64), np.empty((len(features), k))
    with Progress(len(features), "nearest neighbours", "row") as progress:
        for start, upper, norms in squared_distances(features, reference, "upper", block):
            for row, (bounds, norm) in enumerate(zip(upper, norms, strict=True), start):
                kth = np.partition(bounds, k - 1)[k - 1]
                # a row b at most √kth from a has ‖b‖² ≤ 2 ‖a‖² + 2 kth, which bounds by how much its upper bound can be too large
                candidates = np.flatnonzero(bounds <= kth + slack * (3 * norm + 2 * kth))
                exact = squared_differences(features[row], reference, candidates)
                chosen = np.lexsort((candidates, exact))[:k]
                indices[row], distances[row] = candidates[chosen], np.sqrt(exact[chosen])
            progress.advance(len(upper))
    return indices, distances


def squared_differences(point: Features, reference: Features, candidates: Indices) -> Array:
    """‖point − reference[i]‖² for each candidate i, summed over differences."""
    parts = (candidates[start : start + BLOCK] for start in range(0, len(candidates), BLOCK))
    return np.concatenate([np.square(reference[part].astype(np.float64) - point).sum(axis=1) for part in parts])


def squared_distances(
    features: Features, reference: Features, bound: Literal["lower", "upper"], block: int = BLOCK
) -> Iterator[tuple[int, Array, Array]]:
    """Squared distances of all samples to all rows of the reference, as ‖a‖² + ‖b‖² − 2ab in float64, in blocks of samples.

    Both sets are moved so that the reference has its mean at the origin, which keeps rounding errors small. What remains of them is
    bounded: "lower" gives numbers that are at most the true ones, "upper" at least, both within 2 `rounding(d)` (‖a‖² + ‖b‖²). So
    no tie is missed where a lower bound is compared with an upper one by ≤. A lower bound may be just below zero.

    Args:
        features: (N, d).
        reference: (M, d).
        bound: which bound.
        block: samples in a block.

    Yields:
        The index of the block's first sample, the distances (samples in the block, M), which the caller may overwrite, and ‖a‖² of
        the block's samples.
    """
    # Rounded to the features' precision: differences to it are then exact in float64, or nearly so.
    centre = reference.mean(axis=0, dtype=np.float64).astype(reference.dtype)
    stretch = 1.0 + rounding(features.shape[1]) * (1.0 if bound == "upper" else -1.0)
    for start in range(0, len(features), block):
        rows = features[start : start + block].astype(np.float64) - centre
        norms = np.square(rows).sum(axis=1)
        found = np.empty((len(rows), len(reference)))
        for first in range(0, len(reference), BLOCK):
            columns = reference[first : first + BLOCK].astype(np.float64) - centre
            part = np.matmul(rows, columns.T)
            part *= -2.0
            part += stretch * norms[:, None]
            part += stretch * np.square(columns).sum(axis=1)
            found[:, first : first + BLOCK] = part
        yield start, found, norms


def rounding(dim: int) -> float:
    """Bound on the rounding error of ‖a‖² + ‖b‖² − 2ab in float64, as a share of ‖a‖² + ‖b‖² (Higham 2002, section 3.1)."""
    return (dim + 8) * float(np.finfo(np.float64).eps)


def check_features(features: Features, name: str, minimum: int, dim: int | None = None) -> None:
    """Refuse what is no set of features.

    Args:
        features: should be (N, d) with d ≥ 1.
        name: what messages call it.
        minimum: fewest rows that will do.
        dim: the d that is needed, if any.

    Raises:
        ValueError: not floating-point, another shape, too few rows, or a value that is not finite.
    """
    if not np.issubdtype(features.dtype, np.floating):
        raise ValueError(f"{name} must be floating-point numbers, found {features.dtype}")
    if features.ndim != 2 or features.shape[1] < 1 or dim not in (None, features.shape[1]):
        raise ValueError(f"{name} must have the shape (rows, {dim or 'dimensions'}), found {features.shape}")
    if len(features) < minimum:
        raise ValueError(f"{name}: {len(features)} rows are too few, at least {minimum} are needed")
    if not np.isfinite(features).all():
        raise ValueError(f"{name} must be finite")


def relative_distance(features: Features, reference: Features) -> float:
    """Median distance of a sample to the nearest real image, over that of a real image to the nearest other: near 0, samples are copies.

    Args:
        features: samples, (N, d).
        reference: real images, (M, d) with M ≥ 2.

    Raises:
        ValueError: a shape does not fit, a value is not finite, or real images stand twice, so that the distance between them is 0.
    """
    to_real = np.median(nearest(features, reference)[1])
    among_real = np.median(nearest(reference, reference, k=2)[1][:, 1])  # the first is the image itself
    if among_real == 0:
        raise ValueError("at least half of the real images have a duplicate among them, at distance 0")
    return float(to_real / among_real)


def measure(given: Given) -> dict[str, Value]:
    """The relative distance."""
    return {"nearest_real": Value(relative_distance(given.features, given.real_features))}


METRIC = Metric(
    measure,
    ("features", "real_features"),
    {"nearest_real": "Nearest real"},
    "Nearest real: median distance of a sample to its nearest real image, relative to that between real images; near 0, samples are "
    "copies.",
)
