"""Kernel distance between sets of features, KID where they are Inception's (Bińkowski et al. 2018), in float64."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pga.metrics.metric import Given, Metric, Value
from pga.metrics.moments import Features
from pga.metrics.nearest_neighbours import BLOCK, Indices, check_features
from pga.runtime.progress import Progress
from pga.runtime.seeds import derive

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
    features: Features, reference: Features, seed: int = 0, subsets: int = 100, subset_size: int = 1000, block: int = BLOCK
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
    drawn = [[rng.choice(len(part), size, replace=False) for part in (features, reference)] for _ in range(subsets)]
    rows, columns = (np.array(part) for part in zip(*drawn, strict=True))
    with Progress(3 * subsets, "kernel distance", "sum") as progress:
        within = []
        for part, chosen in ((features, rows), (reference, columns)):
            alone = cube(np.einsum("nd,nd->n", part, part, dtype=np.float64) / part.shape[1] + 1.0)  # pairs of a row with itself
            within.append((subset_sums(part, part, chosen, chosen, block, progress) - alone[chosen].sum(axis=1)) / (size * (size - 1)))
        values = sum(within) - 2.0 * subset_sums(features, reference, rows, columns, block, progress) / size**2
    return KernelDistance(float(values.mean()), float(values.std(ddof=1)) / math.sqrt(subsets))


def subset_sums(x: Features, y: Features, rows: Indices, columns: Indices, block: int, progress: Progress) -> Array:
    """Sum of the kernel over each subset's pairs of rows, from the matrix of all pairs where that takes fewer multiplications.

    Args:
        x: (N, d).
        y: (M, d).
        rows: of x, (subsets, n).
        columns: of y, (subsets, n).
        block: rows of a kernel matrix that are worked on at a time.
        progress: counts the sums.
    """
    subsets, size = rows.shape
    found = np.empty(subsets)
    if len(x) * len(y) * (x.shape[1] + subsets) > subsets * size**2 * x.shape[1]:
        for i, (own, others) in enumerate(zip(rows, columns, strict=True)):
            found[i] = kernel_sum(x[own].astype(np.float64), y[others].astype(np.float64), block)
            progress.advance()
        return found
    wanted = [np.zeros((subsets, len(part))) for part in (x, y)]
    for mask, chosen in zip(wanted, (rows, columns), strict=True):
        np.put_along_axis(mask, chosen, 1.0, axis=1)
    found, other = np.zeros(subsets), y.astype(np.float64).T
    for start in range(0, len(x), block):
        kernel = powers(x[start : start + block].astype(np.float64) @ other, x.shape[1])
        found += np.einsum("sm,sm->s", wanted[0][:, start : start + block] @ kernel, wanted[1])
    progress.advance(subsets)
    return found


def squared_mmd(features: Features, reference: Features, block: int = BLOCK) -> float:
    """Unbiased squared MMD (Gretton et al. 2012, equation 3): within a set, pairs of a row with itself are left out."""
    x, y = features.astype(np.float64), reference.astype(np.float64)
    within = [(kernel_sum(z, z, block) - cube(np.square(z).mean(axis=1) + 1.0).sum()) / (len(z) * (len(z) - 1)) for z in (x, y)]
    return float(sum(within) - 2.0 * kernel_sum(x, y, block) / (len(x) * len(y)))


def kernel_sum(x: Array, y: Array, block: int) -> float:
    """Sum of (xᵢᵀyⱼ / d + 1)³ over all i and j."""
    return sum(float(powers(x[start : start + block] @ y.T, x.shape[1]).sum()) for start in range(0, len(x), block))


def powers(products: Array, dim: int) -> Array:
    """(product / d + 1)³, in place."""
    for first in range(0, len(products), CACHED):
        rows = products[first : first + CACHED]
        rows /= dim
        rows += 1.0
        rows *= rows * rows
    return products


def cube(values: Array) -> Array:
    """Third powers; `**` takes several times longer."""
    return values * values * values


def measure(given: Given) -> dict[str, Value]:
    """The kernel distance and its standard error over subsets."""
    found = kernel_distance(given.features, given.real_features, derive(given.seed, "kid") % 2**32)
    return {"kid": Value(found.value, found.standard_error)}


METRIC = Metric(measure, ("features", "real_features"), {"kid": "KID"}, "KID: unbiased kernel distance.")
