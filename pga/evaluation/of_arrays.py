"""Metrics as functions of two arrays of features, each (rows, dimensions), of samples and of a reference.

In the features of Inception of 2015-12-05 they are FID, KID and the rest as published; in any other space they are not, and their numbers
cannot be compared with published ones.
"""

from __future__ import annotations

import numpy as np

from pga.metrics import frechet
from pga.metrics.kid import KernelDistance, kernel_distance
from pga.metrics.manifold import ManifoldMetrics, manifold_metrics
from pga.metrics.moments import Features
from pga.metrics.nearest_neighbours import check_features


def frechet_distance(features: Features, reference: Features) -> float:
    """Fréchet distance between the Gaussians of two sets of features (Heusel et al. 2017), covariances with n − 1, in float64.

    Args:
        features: samples, (N, d) floating-point with N ≥ 2.
        reference: (M, d) with M ≥ 2.

    Raises:
        ValueError: a shape does not fit, or a value is not finite.
    """
    check_features(features, "features", 2)
    check_features(reference, "reference", 2, features.shape[1])
    found = [part.astype(np.float64) for part in (features, reference)]
    (mu, sigma), (mu_r, sigma_r) = ((part.mean(axis=0), np.atleast_2d(np.cov(part, rowvar=False))) for part in found)
    return frechet.frechet_distance(mu, sigma, mu_r, sigma_r)


def kid(features: Features, reference: Features, seed: int = 0, subsets: int = 100, subset_size: int = 1000) -> KernelDistance:
    """Kernel distance (Bińkowski et al. 2018): `value`, the unbiased squared MMD with a cubic kernel, and its `standard_error`.

    Arguments, ranges and errors are those of `pga.metrics.kid.kernel_distance`.
    """
    return kernel_distance(features, reference, seed, subsets, subset_size)


def precision_recall(features: Features, reference: Features, k: int = 3, k_density: int = 5) -> ManifoldMetrics:
    """`precision`, `recall` (Kynkäänniemi et al. 2019), `density` and `coverage` (Naeem et al. 2020).

    Arguments, ranges and errors are those of `pga.metrics.manifold.manifold_metrics`.
    """
    return manifold_metrics(features, reference, k, k_density)
