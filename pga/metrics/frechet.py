"""Fréchet distance between Gaussians (Dowson & Landau 1982; Heusel et al. 2017), in float64."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pga.metrics.moments import Features
from pga.metrics.nearest_neighbours import check_features

Array = npt.NDArray[np.float64]


def frechet_distance_of_features(features: Features, reference: Features) -> float:
    """Fréchet distance between the Gaussians of two sets of features (Heusel et al. 2017), covariances with n − 1, in float64.

    In the features of Inception of 2015-12-05 it is FID; in any other space it is not, and cannot be compared with published numbers.

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
    return frechet_distance(mu, sigma, mu_r, sigma_r)


def frechet_distance(mu: Array, sigma: Array, mu_reference: Array, sigma_reference: Array) -> float:
    """‖μ − μᵣ‖² + tr(Σ + Σᵣ − 2 (Σ Σᵣ)^½).

    tr (Σ Σᵣ)^½ is the sum of the square roots of the eigenvalues of Lᵀ Σᵣ L with Σ = L Lᵀ, which is symmetric: many times faster than
    a matrix square root and without its imaginary parts. Where a covariance is singular, square roots of its eigenvalues' rounding
    errors would add up; then the sum is that of the singular values of Lᵀ Lᵣ, with as many columns in L and Lᵣ as their covariances have
    rank.

    Args:
        mu: mean, (d,).
        sigma: covariance, (d, d).
        mu_reference: mean of the reference, (d,).
        sigma_reference: covariance of the reference, (d, d).

    Raises:
        ValueError: shapes differ, or a value is not finite.
    """
    shapes = {mu.shape + mu.shape, sigma.shape, mu_reference.shape + mu_reference.shape, sigma_reference.shape}
    if mu.ndim != 1 or len(shapes) != 1:
        raise ValueError(f"shapes differ: means {mu.shape}, {mu_reference.shape}, covariances {sigma.shape}, {sigma_reference.shape}")
    if not all(np.isfinite(part).all() for part in (mu, sigma, mu_reference, sigma_reference)):
        raise ValueError("means and covariances must be finite")
    import torch
    from scipy.linalg import lapack

    factor, factor_reference = cholesky(sigma), cholesky(sigma_reference)
    if factor is not None and factor_reference is not None:
        product, _ = lapack.dsygst(sigma_reference, factor, itype=2, lower=1)  # Lᵀ Σᵣ L, its lower triangle
        # torch brings a LAPACK that finds eigenvalues in about half of scipy's time
        between = float(torch.linalg.eigvalsh(torch.from_numpy(product)).clamp(min=0.0).sqrt().sum())
    else:
        factor = pivoted_cholesky(sigma) if factor is None else factor
        factor_reference = pivoted_cholesky(sigma_reference) if factor_reference is None else factor_reference
        between = float(torch.linalg.svdvals(torch.from_numpy(factor.T @ factor_reference)).sum())
    return float(np.square(mu - mu_reference).sum() + np.trace(sigma) + np.trace(sigma_reference) - 2.0 * between)


def rounding(sigma: Array) -> float:
    """A pivot of a Cholesky factorisation below it is an error of 0."""
    return float(10 * len(sigma) * np.finfo(np.float64).eps * np.diagonal(sigma).max())


def cholesky(sigma: Array) -> Array | None:
    """The lower triangle L with Σ = L Lᵀ, (d, d); None where Σ is singular."""
    from scipy.linalg import lapack

    factor, failed = lapack.dpotrf(sigma, lower=1)
    whole = not failed and np.square(np.diagonal(factor)).min() > rounding(sigma)
    return factor if whole else None


def pivoted_cholesky(sigma: Array) -> Array:
    """L (d, rank) with Σ = L Lᵀ, the largest remaining pivot first until they are errors of 0."""
    from scipy.linalg import lapack

    found, order, rank, _ = lapack.dpstrf(sigma, tol=rounding(sigma), lower=1)
    factor = np.zeros((len(sigma), rank))
    factor[order - 1] = np.tril(found)[:, :rank]
    return factor
