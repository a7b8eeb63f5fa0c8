"""The paper's loss terms: pure functions, one per equation, the paper's symbols.

Normalisation is that of the authors' released code, to which every coefficient in `params/` belongs: the mean over the batch
and over the dimensions instead of the sum, and no ½ before squared errors. Who receives the gradient is decided elsewhere
(`pga.method.terms`, `pga.method.values`).

Shapes: x, x̂ are (B, C, H, W) in [-1, 1]; codes are (B, H) with H the latent dimension; every function returns a scalar.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pga.runtime.registry import Registry


def reconstruction(x_hat: Tensor, x: Tensor) -> Tensor:
    """L_r (Eq. 1), also of a posterior sample (Eq. 10): mean (x̂ − x)²."""
    return (x_hat - x).square().mean()


def latent_reconstruction(h_z: Tensor, z: Tensor) -> Tensor:
    """L_lr,N (Eq. 2) and L_lr,H (Eq. 3): mean (h(z) − z)²."""
    return (h_z - z).square().mean()


def prior_nll(z: Tensor) -> Tensor:
    """L_nll^φ (Eq. 6): ½ mean z², the negative log-density of N(0, I) per dimension without its constant."""
    return 0.5 * z.square().mean()


def log_volume(h_z_delta: Tensor, h_z: Tensor, delta: Tensor) -> Tensor:
    """L_nll^θ (Eq. 7) divided by H, and L_vr′ of LVPGA (Eq. 15–16): mean ½ log(‖h(z+δ) − h(z)‖² / ‖δ‖²).

    No floor under the logarithm, as in the released code: a collapse shows as −∞ and stops the run.
    The difference is small (‖δ‖ ≈ 0.01 √H): compute it in float32 or better, never in bfloat16.
    """
    change = (h_z_delta - h_z).square().sum(dim=1)
    return 0.5 * (change / delta.square().sum(dim=1)).log().mean()


def scaled_latent_error(h_z: Tensor, h_z_prime: Tensor, s: Tensor) -> Tensor:
    """L_vr of VPGA (Eq. 11–12): mean ((h(z) − h(z′)) / s)², with s of shape (H,), the root mean square of z per dimension."""
    return ((h_z - h_z_prime) / s).square().mean()


def gaussian_kl(mu: Tensor, log_var: Tensor) -> Tensor:
    """L_vkl^φ (Eq. 12, 14): KL(N(μ, σ²) ‖ N(0, I)) divided by H: ½ mean (μ² + σ² − log σ² − 1)."""
    return 0.5 * (mu.square() + log_var.exp() - log_var - 1.0).mean()


def code_l2(z: Tensor) -> Tensor:
    """RAE's penalty of the codes (Ghosh et al. 2019): mean z² over batch and dimensions, as in their code."""
    return z.square().mean()


def kernel_l2(kernels: list[Tensor]) -> Tensor:
    """RAE-L2's penalty of the decoder (Ghosh et al. 2019): the sum of squares of all kernels, biases excluded.

    Their code leaves the fully connected kernel of the 32×32 decoder out (at the start some 3 % of the sum), but not that of CelebA's;
    here as in their paper none is left out.
    """
    return torch.stack([kernel.square().sum() for kernel in kernels]).sum()


MMD_SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


def inverse_multiquadric_mmd(z: Tensor, z_prior: Tensor) -> Tensor:
    """WAE-MMD's penalty (Tolstikhin et al. 2018): unbiased MMD² of codes and prior draws, both (B, H).

    The kernel is the sum over seven scales s of C/(C + ‖a − b‖²) with C = 2 H s, as in the code of Ghosh et al.
    """
    n = len(z)
    off_diagonal = 1.0 - torch.eye(n, dtype=z.dtype, device=z.device)

    def squared_distances(a: Tensor, b: Tensor) -> Tensor:
        return (a.square().sum(1)[:, None] + b.square().sum(1)[None, :] - 2.0 * a @ b.T).clamp_min(0.0)

    within = [squared_distances(z, z), squared_distances(z_prior, z_prior)]
    between = squared_distances(z, z_prior)
    total = z.new_zeros(())
    for scale in MMD_SCALES:
        c = 2.0 * z.shape[1] * scale
        total = total + sum((c / (c + d) * off_diagonal).sum() for d in within) / (n * (n - 1)) - 2.0 * (c / (c + between)).mean()
    return total


def root_mean_square(z: Tensor) -> Tensor:
    """s of L_vr: the root mean square of z over the batch, one value per latent dimension, shape (H,)."""
    return z.square().mean(dim=0).sqrt()


def sphere(xi: Tensor, epsilon: float) -> Tensor:
    """δ uniform on the sphere of radius ε √H, from standard normal ξ of shape (B, H)."""
    return xi / xi.norm(dim=1, keepdim=True) * (epsilon * xi.shape[1] ** 0.5)


def normal(xi: Tensor, epsilon: float) -> Tensor:
    """δ ~ N(0, ε² I), the paper's other choice for Eq. 7."""
    return xi * epsilon


PERTURBATIONS: Registry[str, Callable[[Tensor, float], Tensor]] = {"sphere": sphere, "normal": normal}
