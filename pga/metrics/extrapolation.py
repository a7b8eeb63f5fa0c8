"""Fréchet distance extrapolated to infinitely many samples, FID∞ where features are Inception's (Chong & Forsyth 2020)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pga.metrics.frechet import frechet_distance
from pga.metrics.metric import Given, Metric, Value
from pga.metrics.moments import Features, statistics
from pga.metrics.nearest_neighbours import BLOCK, check_features
from pga.runtime.progress import track
from pga.runtime.seeds import derive

Array = npt.NDArray[np.float64]

SIZES = 15
"""Subset sizes through which the line is drawn."""


@dataclass(frozen=True)
class Extrapolation:
    """A line through Fréchet distances against 1 / size.

    Attributes:
        value: its intercept, the distance at infinitely many samples; noise may bring it below zero.
        slope: its slope, so that slope / size is the bias at that size.
        sizes: numbers of samples, ascending.
        values: Fréchet distances at these sizes.
    """

    value: float
    slope: float
    sizes: tuple[int, ...]
    values: tuple[float, ...]


def distance_at_infinity(features: Features, reference_mu: Array, reference_sigma: Array, seed: int, sizes: int = SIZES) -> Extrapolation:
    """Fréchet distances of random subsets of several sizes, a least-squares line against 1 / size, and its intercept.

    Sizes are evenly spaced from N / 10 to N, as 5000 to 50,000 of the authors, but start no lower than at 2d: the bias is
    proportional to 1 / size only where there are more samples than dimensions. Each size has a random subset of its own, drawn
    without replacement. The bias that comes from a finite reference remains.

    Args:
        features: samples, (N, d) with N ≥ 4d.
        reference_mu: mean of the reference, (d,).
        reference_sigma: covariance of the reference, (d, d).
        seed: of the choice of subsets.
        sizes: how many, at least 2.

    Raises:
        ValueError: a shape does not fit, a value is not finite, or there are too few rows or sizes.
    """
    check_features(features, "features", 2)
    n, dim = features.shape
    chosen = subset_sizes(n, dim, sizes)
    if reference_mu.shape != (dim,) or reference_sigma.shape != (dim, dim):
        raise ValueError(f"a reference of {dim} dimensions is needed, found shapes {reference_mu.shape} and {reference_sigma.shape}")
    rng = np.random.default_rng(derive(seed, "extrapolation"))
    values = []
    for size in track(chosen, sizes, "Fréchet distance at infinity", "size"):
        subset = rng.permutation(n)[:size]
        found = statistics(features[subset[start : start + BLOCK]] for start in range(0, size, BLOCK))
        values.append(frechet_distance(found.mu, found.sigma, reference_mu, reference_sigma))
    slope, value = np.polyfit(1.0 / np.array(chosen), values, 1)
    return Extrapolation(float(value), float(slope), chosen, tuple(values))


def subset_sizes(n: int, dim: int, sizes: int = SIZES) -> tuple[int, ...]:
    """Numbers of rows, evenly spaced from n / 10 or 2 dim, whichever is more, to n.

    Raises:
        ValueError: there are too few rows or sizes.
    """
    if sizes < 2:
        raise ValueError(f"a line needs at least 2 sizes, found {sizes}")
    smallest = max(n // 10, 2 * dim)
    if n < 4 * dim or n - smallest < sizes - 1:
        raise ValueError(f"features: {n} rows of {dim} dimensions are too few for {sizes} different sizes, the least {smallest}")
    return tuple(int(size) for size in np.linspace(smallest, n, sizes).round())


def measure(given: Given) -> dict[str, Value]:
    """The extrapolated distance."""
    reference, seed = given.statistics, derive(given.seed, "infinity") % 2**32
    return {"fd_infinity": Value(distance_at_infinity(given.features, reference.mu, reference.sigma, seed).value)}


METRIC = Metric(
    measure,
    ("features", "statistics"),
    {"fd_infinity": "n → ∞"},
    "n → ∞: the Fréchet distance extrapolated to infinitely many samples.",
    fewest=lambda dim: max(4 * dim, 2 * dim + SIZES),
)
