"""Kernel distance between sets of features, KID where they are Inception's (Bińkowski et al. 2018), in float64."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pga.features.extractor import Features
from pga.metrics.neighbours import BLOCK, check_features
from pga.progress import Progress
from pga.randomness import derive

Array = npt.NDArray[np.float64]

CACHED = 64
"""Rows of a kernel matrix whose powers are taken at a time: what stays in the processor's cache is done in half the time."""


@dataclass(frozen=True)
class KernelDistance:
    """An estimate of the squared maximum mean discrepancy.

    Attributes:
        value: mean over subsets; unbiased, so that it may be below zero.
        standard_error: standard deviation over subsets / √subsets; None where all subsets are the same.
    """

    value: float
    standard_error: float | None


def kernel_distance(
    features: Features, reference: Features, seed: int, subsets: int = 100, subset_size: int = 1000, block: int = BLOCK
) -> KernelDistance:
    """Mean over random subsets of the unbiased squared MMD with the kernel (xᵀy / d + 1)³.

    Each subset takes `subset_size` rows of either set without replacement; it shrinks to min(N, M) where there are fewer. The
    standard error is the standard deviation (n − 1) of the subsets' values divided by √subsets. It says how far the mean is from
    what all subsets of these two sets would give. Subsets overlap, so it leaves out most of what other samples or another training
    run would change, and it shrinks with more subsets without limit. Where N = M ≤ `subset_size`, all subsets are the whole: the
    value is computed once and has no standard error.

    Args:
        features: samples, (N, d) with N ≥ 2.
        reference: (M, d) with M ≥ 2.
        seed: of the choice of subsets.
        subsets: how many, at least 2.
        subset_size: rows of each, at least 2.
        block: rows of a kernel matrix that are worked on at a time.

    Raises:
        ValueError: a shape does not fit, a value is not finite, or there are too few rows or subsets.
    """
    if subsets < 2 or subset_size < 2:
        raise ValueError(f"at least 2 subsets of at least 2 rows are needed, found {subsets} of {subset_size}")
    check_features(features, "features", 2)
    check_features(reference, "reference", 2, features.shape[1])
    size = min(subset_size, len(features), len(reference))
    if size == len(features) == len(reference):
        return KernelDistance(squared_mmd(features, reference, block), None)
    rng = np.random.default_rng(derive(seed, "kernel distance"))
    values = np.empty(subsets)
    with Progress(subsets, "kernel distance", "subset") as progress:
        for i in range(subsets):
            chosen, chosen_reference = (rng.choice(len(part), size, replace=False) for part in (features, reference))
            values[i] = squared_mmd(features[chosen], reference[chosen_reference], block)
            progress.advance()
    return KernelDistance(float(values.mean()), float(values.std(ddof=1)) / math.sqrt(subsets))


def squared_mmd(features: Features, reference: Features, block: int = BLOCK) -> float:
    """Unbiased squared MMD (Gretton et al. 2012, equation 3): within a set, pairs of a row with itself are left out."""
    x, y = features.astype(np.float64), reference.astype(np.float64)
    within = [(kernel_sum(z, z, block) - cube(np.square(z).mean(axis=1) + 1.0).sum()) / (len(z) * (len(z) - 1)) for z in (x, y)]
    return float(sum(within) - 2.0 * kernel_sum(x, y, block) / (len(x) * len(y)))


def kernel_sum(x: Array, y: Array, block: int) -> float:
    """Sum of (xᵢᵀyⱼ / d + 1)³ over all i and j."""
    total = 0.0
    for start in range(0, len(x), block):
        part = x[start : start + block] @ y.T
        for first in range(0, len(part), CACHED):
            rows = part[first : first + CACHED]
            rows /= x.shape[1]
            rows += 1.0
            total += float(cube(rows).sum())
    return total


def cube(values: Array) -> Array:
    """Third powers; `**` takes several times longer."""
    return values * values * values
