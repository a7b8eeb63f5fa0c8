"""Fréchet distance between Gaussians (Dowson & Landau 1982; Heusel et al. 2017), in float64."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.linalg

Array = npt.NDArray[np.float64]


def frechet_distance(mu: Array, sigma: Array, mu_reference: Array, sigma_reference: Array) -> float:
    """‖μ − μᵣ‖² + tr(Σ + Σᵣ − 2 (Σ Σᵣ)^½).

    tr (Σ Σᵣ)^½ is the sum of square roots of the eigenvalues of Lᵀ Σ L with Σᵣ = L Lᵀ, a symmetric problem: several times
    faster than a matrix square root and without its imaginary parts. L is the Cholesky factor; where Σᵣ is singular it is the
    symmetric square root with negative rounding errors set to zero.

    Args:
        mu: mean, (d,).
        sigma: covariance, (d, d).
        mu_reference: mean of the reference, (d,).
        sigma_reference: covariance of the reference, (d, d).

    Raises:
        ValueError: shapes differ, or a value is not finite.
    """
    shapes = {mu.shape + mu.shape, sigma.shape, mu_reference.shape + mu_reference.shape, sigma_reference.shape}
    if len(shapes) != 1:
        raise ValueError(f"shapes differ: means {mu.shape}, {mu_reference.shape}, covariances {sigma.shape}, {sigma_reference.shape}")
    if not all(np.isfinite(part).all() for part in (mu, sigma, mu_reference, sigma_reference)):
        raise ValueError("means and covariances must be finite")
    factor = square_root_factor(sigma_reference)
    eigenvalues = scipy.linalg.eigvalsh(factor.T @ sigma @ factor, check_finite=False)
    between = np.sqrt(eigenvalues.clip(min=0.0)).sum()
    return float(np.square(mu - mu_reference).sum() + np.trace(sigma) + np.trace(sigma_reference) - 2.0 * between)


def square_root_factor(sigma: Array) -> Array:
    """L with Σ = L Lᵀ: Cholesky, or the symmetric square root where Σ is singular."""
    try:
        return scipy.linalg.cholesky(sigma, lower=True, check_finite=False)
    except scipy.linalg.LinAlgError:
        eigenvalues, vectors = scipy.linalg.eigh(sigma, check_finite=False)
        return vectors * np.sqrt(eigenvalues.clip(min=0.0))
