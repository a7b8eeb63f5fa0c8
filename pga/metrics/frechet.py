"""Fréchet distance between Gaussians (Dowson & Landau 1982; Heusel et al. 2017), in float64."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.linalg

Array = npt.NDArray[np.float64]


def frechet_distance(mu: Array, sigma: Array, mu_reference: Array, sigma_reference: Array) -> float:
    """‖μ − μᵣ‖² + tr(Σ + Σᵣ − 2 (Σ Σᵣ)^½).

    tr (Σ Σᵣ)^½ is the sum of the singular values of Lᵀ Lᵣ with Σ = L Lᵀ and Σᵣ = Lᵣ Lᵣᵀ: many times faster than a matrix square root
    and without its imaginary parts. Where both covariances have full rank, L and Lᵣ are Cholesky factors, and the singular values are
    the square roots of the eigenvalues of a symmetric matrix. Where one is singular, square roots of its eigenvalues' rounding
    errors would add up; then L and Lᵣ have as many columns as their covariance has rank.

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
    product = square_root_factor(sigma).T @ square_root_factor(sigma_reference)
    if product.shape == sigma.shape:
        between = np.sqrt(scipy.linalg.eigvalsh(product.T @ product, check_finite=False, driver="evd").clip(min=0.0)).sum()
    else:
        between = scipy.linalg.svdvals(product, check_finite=False).sum()
    return float(np.square(mu - mu_reference).sum() + np.trace(sigma) + np.trace(sigma_reference) - 2.0 * between)


def square_root_factor(sigma: Array) -> Array:
    """L (d, rank) with Σ = L Lᵀ: Cholesky's, or √λ v of each eigenvalue that is no rounding error of 0 where Σ is singular."""
    rounding = 10 * len(sigma) * np.finfo(np.float64).eps
    try:
        factor: Array = scipy.linalg.cholesky(sigma, lower=True, check_finite=False)
        if np.square(np.diagonal(factor)).min() > rounding * np.diagonal(sigma).max():  # a pivot below it is an error of 0
            return factor
    except scipy.linalg.LinAlgError:
        pass
    eigenvalues, vectors = scipy.linalg.eigh(sigma, check_finite=False)
    kept = eigenvalues > rounding * eigenvalues[-1]
    return vectors[:, kept] * np.sqrt(eigenvalues[kept])
