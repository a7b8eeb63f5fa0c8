"""Mean and covariance of features: the Gaussian that the Fréchet distance compares."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pga.runtime.errors import UserError

Features = npt.NDArray[np.float32]
"""(N, d), a row per image."""


@dataclass(frozen=True)
class Statistics:
    """Statistics of a set of images in a feature space.

    Attributes:
        mu: mean, (d,) float64.
        sigma: covariance with n − 1, (d, d) float64.
        n: number of images; 0 where it is unknown.
    """

    mu: npt.NDArray[np.float64]
    sigma: npt.NDArray[np.float64]
    n: int


def statistics(batches: Iterable[Features]) -> Statistics:
    """Mean and covariance of streamed features, in float64 and with memory that does not grow with their number.

    Batches are merged by their own mean and scatter (Chan et al. 1979), so that no large sums cancel. The scatter is added up in place,
    its lower triangle only: at 2,048 dimensions passes over the matrix take longer than the products.

    Raises:
        UserError: fewer than two images.
    """
    from scipy.linalg import blas

    n, mu, scatter = 0, np.zeros(0), np.zeros((0, 0))
    for batch in batches:
        features = batch.astype(np.float64)
        own = features.mean(axis=0)
        if n == 0:
            mu, scatter = np.zeros_like(own), np.zeros((len(own), len(own)), order="F")
        total, step = n + len(features), own - mu
        scatter = blas.dsyrk(1.0, (features - own).T, beta=1.0, c=scatter, lower=1, overwrite_c=1)
        scatter = blas.dsyr(n * len(features) / total, step, a=scatter, lower=1, overwrite_a=1)
        mu = mu + step * (len(features) / total)
        n = total
    if n < 2:
        raise UserError(f"statistics need at least two images, found {n}")
    sigma = (np.tril(scatter) + np.tril(scatter, -1).T) / (n - 1)
    return Statistics(mu, sigma, n)
