"""One training step, transcribed term by term from the paper's equations: literal, slow, and apart from the code that it checks.

Each term is the paper's equation with an explicit expectation over the batch, times the factor that turns it into the released
code's mean over elements. Each runs its own forward passes, and is differentiated once per network that it moves, as if each
network had an optimiser of its own: φ's gradient with θ replaced by a detached copy, θ's with φ replaced by one.

Every term is a function of (φ, θ, φ̄, θ̄): φ and θ are the occurrences which the term may move, φ̄ and θ̄ the ones which it must
not.

Neither `pga.method.values` nor `pga.method.losses` is imported here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

Parameters = dict[str, Tensor]


class _Posterior(nn.Module):
    """`encoder.posterior` as a module's forward, which is what `functional_call` can reach."""

    def __init__(self, encoder: nn.Module):
        super().__init__()
        self.encoder = encoder

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.encoder.posterior(x)


@dataclass(frozen=True)
class Step:
    """What one step is given: networks, batch x (B, C, S, S), standard normal noise (B, H) each, ε, and the law of δ in Eq. 7.

    Baselines may have a constant σ instead of a learned one, and an encoder that sees a corrupted batch.
    """

    encoder: nn.Module
    decoder: nn.Module
    x: Tensor
    z_n: Tensor
    xi: Tensor
    xi_delta: Tensor
    epsilon: float = 1e-2
    delta: str = "sphere"
    constant_sigma: float | None = None
    corrupted: Tensor | None = None

    @property
    def seen(self) -> Tensor:
        """What the encoder sees of the batch."""
        return self.x if self.corrupted is None else self.corrupted

    def f(self, phi: Parameters, x: Tensor) -> Tensor:
        return functional_call(self.encoder, phi, (x,))

    def posterior(self, phi: Parameters, x: Tensor) -> tuple[Tensor, Tensor]:
        """(μ_φ(x), σ_φ(x)²)."""
        if self.constant_sigma is not None:
            mu = self.f(phi, x)
            return mu, torch.ones_like(mu) * self.constant_sigma**2
        mu, log_var = functional_call(_Posterior(self.encoder), {f"encoder.{name}": value for name, value in phi.items()}, (x,))
        return mu, log_var.exp()

    def g(self, theta: Parameters, z: Tensor) -> Tensor:
        return functional_call(self.decoder, theta, (z,))

    @property
    def H(self) -> int:  # noqa: N802
        return self.z_n.shape[1]

    @property
    def D(self) -> int:  # noqa: N802
        return self.x[0].numel()


def expectation(per_sample: list[Tensor]) -> Tensor:
    total = per_sample[0]
    for value in per_sample[1:]:
        total = total + value
    return total / len(per_sample)


def squared_norm(v: Tensor) -> Tensor:
    return (v * v).sum()


def half_squared_errors(a: Tensor, b: Tensor) -> Tensor:
    """½ E ‖a − b‖²."""
    return expectation([squared_norm(a[i] - b[i]) / 2 for i in range(len(a))])


def L_r(s: Step, phi: Parameters, theta: Parameters, phi_fixed: Parameters, theta_fixed: Parameters) -> Tensor:  # noqa: N802
    """Eq. 1; × 2/D."""
    x_hat = s.g(theta, s.f(phi, s.seen))
    return half_squared_errors(x_hat, s.x) * 2 / s.D


def L_lr_N(s: Step, phi: Parameters, theta: Parameters, phi_fixed: Parameters, theta_fixed: Parameters) -> Tensor:  # noqa: N802
    """Eq. 2; × 2/H. φ only: g is held."""
    h_z = s.f(phi, s.g(theta_fixed, s.z_n))
    return half_squared_errors(h_z, s.z_n) * 2 / s.H


def L_lr_H(s: Step, phi: Parameters, theta: Parameters, phi_fixed: Parameters, theta_fixed: Parameters) -> Tensor:  # noqa: N802
    """Eq. 3; × 2/H. φ only, and z = sg f(x)."""
    z = s.f(phi_fixed, s.seen).detach()
    h_z = s.f(phi, s.g(theta_fixed, z))
    return half_squared_errors(h_z, z) * 2 / s.H


def L_lr_N_theta(s: Step, phi: Parameters, theta: Parameters, phi_fixed: Parameters, theta_fixed: Parameters) -> Tensor:  # noqa: N802
    """Eq. 2 minimised with respect to θ as well (Section 3.1); × 2/H."""
    return half_squared_errors(s.f(phi, s.g(theta, s.z_n)), s.z_n) * 2 / s.H


def L_lr_H_theta(s: Step, phi: Parameters, theta: Parameters, phi_fixed: Parameters, theta_fixed: Parameters) -> Tensor:  # noqa: N802
    """Eq. 3 minimised with respect to θ as well (Section 3.1); × 2/H. z = sg f(x)."""
    z = s.f(phi_fixed, s.seen).detach()
    return half_squared_errors(s.f(phi, s.g(theta, z)), z) * 2 / s.H


def L_nll_phi(s: Step, phi: Parameters, theta: Parameters, phi_fixed: Parameters, theta_fixed: Parameters) -> Tensor:  # noqa: N802
    """Eq. 6; × 1/H."""
    z = s.f(phi, s.seen)
    return expectation([squared_norm(z[i]) / 2 for i in range(len(z))]) / s.H


def half_log_ratios(s: Step, a: Tensor, b: Tensor, delta: Tensor) -> Tensor:
    """(H/2) E log(‖a − b‖² / ‖δ‖²)."""
    return expectation([s.H / 2 * torch.log(squared_norm(a[i] - b[i]) / squared_norm(delta[i])) for i in range(len(a))])


def L_nll_theta(s: Step, phi: Parameters, theta: Parameters, phi_fixed: Parameters, theta_fixed: Parameters) -> Tensor:  # noqa: N802
    """Eq. 7; × 1/H. θ only, and z = sg f(x)."""
    z = s.f(phi_fixed, s.seen).detach()
    if s.delta == "sphere":
        delta = torch.stack([s.epsilon * s.H**0.5 * s.xi_delta[i] / squared_norm(s.xi_delta[i]).sqrt() for i in range(len(z))])
    else:
        delta = s.epsilon * s.xi_delta
    h_z_delta = s.f(phi_fixed, s.g(theta, z + delta))
    h_z = s.f(phi_fixed, s.g(theta, z))
    return half_log_ratios(s, h_z_delta, h_z, delta) / s.H


def L_vr(s: Step, phi: Parameters, theta: Parameters, phi_fixed: Parameters, theta_fixed: Parameters) -> Tensor:  # noqa: N802
    """Eq. 11-12 as released: mean ((h(z) − h(z′)) / s)². θ, and φ only through σ_φ(x)."""
    z = s.posterior(phi_fixed, s.seen)[0].detach()
    sigma = s.posterior(phi, s.seen)[1].sqrt()
    z_prime = z + sigma * s.xi
    z_hat = s.f(phi_fixed, s.g(theta, z))
    h_z_prime = s.f(phi_fixed, s.g(theta, z_prime))
    scale = expectation([z[i] * z[i] for i in range(len(z))]).sqrt().detach()
    return expectation([squared_norm((z_hat[i] - h_z_prime[i]) / scale) for i in range(len(z))]) / s.H


def L_vr_log(s: Step, phi: Parameters, theta: Parameters, phi_fixed: Parameters, theta_fixed: Parameters) -> Tensor:  # noqa: N802
    """L_vr′ of Eq. 16: Eq. 7 with δ = ξ ⊙ (σ_φ(x) + ε), truncated in the denominator; × 1/H. θ, and φ only through σ_φ(x)."""
    z = s.posterior(phi_fixed, s.seen)[0].detach()
    sigma = s.posterior(phi, s.seen)[1].sqrt()
    delta = s.xi * (sigma + s.epsilon)
    h_z_delta = s.f(phi_fixed, s.g(theta, z + delta))
    h_z = s.f(phi_fixed, s.g(theta, z))
    fixed_delta = s.xi * (s.posterior(phi_fixed, s.seen)[1].sqrt() + s.epsilon)
    return half_log_ratios(s, h_z_delta, h_z, fixed_delta.detach()) / s.H


def L_vkl(s: Step, phi: Parameters, theta: Parameters, phi_fixed: Parameters, theta_fixed: Parameters) -> Tensor:  # noqa: N802
    """Eq. 12, 14: KL(N(μ, σ²) ‖ N(0, I)); × 1/H."""
    mu, var = s.posterior(phi, s.seen)
    return expectation([(mu[i] * mu[i] + var[i] - torch.log(var[i]) - 1).sum() / 2 for i in range(len(mu))]) / s.H


def L_r_sample(s: Step, phi: Parameters, theta: Parameters, phi_fixed: Parameters, theta_fixed: Parameters) -> Tensor:  # noqa: N802
    """Eq. 10: ½ E ‖g(z′) − x‖² with z′ = μ_φ(x) + σ_φ(x) ⊙ ξ; × 2/D."""
    mu, var = s.posterior(phi, s.seen)
    z_prime = mu + var.sqrt() * s.xi
    return half_squared_errors(s.g(theta, z_prime), s.x) * 2 / s.D


def L_mmd(s: Step, phi: Parameters, theta: Parameters, phi_fixed: Parameters, theta_fixed: Parameters) -> Tensor:  # noqa: N802
    """WAE: unbiased MMD² of codes and prior, kernel Σ C/(C + ‖a − b‖²) over C = 2H × seven scales."""

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        constants = [2 * s.H * scale for scale in (0.1, 0.2, 0.5, 1, 2, 5, 10)]
        return torch.stack([c / (c + squared_norm(a - b)) for c in constants]).sum()

    z = s.f(phi, s.seen)
    n = len(z)
    distinct = [(i, j) for i in range(n) for j in range(n) if i != j]
    codes = expectation([kernel(z[i], z[j]) for i, j in distinct])
    prior = expectation([kernel(s.z_n[i], s.z_n[j]) for i, j in distinct])
    across = expectation([kernel(z[i], s.z_n[j]) for i in range(n) for j in range(n)])
    return codes + prior - 2 * across


def L_z(s: Step, phi: Parameters, theta: Parameters, phi_fixed: Parameters, theta_fixed: Parameters) -> Tensor:  # noqa: N802
    """RAE: mean z²."""
    z = s.f(phi, s.seen)
    return expectation([squared_norm(z[i]) for i in range(len(z))]) / s.H


def L_reg(s: Step, phi: Parameters, theta: Parameters, phi_fixed: Parameters, theta_fixed: Parameters) -> Tensor:  # noqa: N802
    """RAE-L2: the sum of the squares of the decoder's kernels; biases and batch normalisation have one dimension."""
    return torch.stack([squared_norm(parameter) for parameter in theta.values() if parameter.ndim > 1]).sum()


LiteralTerm = Callable[[Step, Parameters, Parameters, Parameters, Parameters], Tensor]

TERMS: dict[str, tuple[LiteralTerm, str]] = {
    "r": (L_r, "φθ"),
    "lr_n": (L_lr_N, "φ"),
    "lr_h": (L_lr_H, "φ"),
    "lr_n_theta": (L_lr_N_theta, "φθ"),
    "lr_h_theta": (L_lr_H_theta, "φθ"),
    "nll_phi": (L_nll_phi, "φ"),
    "nll_theta": (L_nll_theta, "θ"),
    "vr": (L_vr, "φθ"),
    "vr_log": (L_vr_log, "φθ"),
    "kl": (L_vkl, "φ"),
    "elbo_r": (L_r_sample, "φθ"),
    "cv_r": (L_r_sample, "φθ"),
    "cv_kl": (L_vkl, "φ"),
    "mmd": (L_mmd, "φ"),
    "l2_code": (L_z, "φ"),
    "l2_decoder": (L_reg, "θ"),
}
"""Each term and the networks whose parameters it moves; that φ moves in L_vr only through σ_φ is said in the term itself."""

LOSSES: dict[str, Callable[[dict[str, float]], dict[str, float]]] = {
    # Eq. 9
    "lpga": lambda c: {"r": 1, "lr_n": c["alpha"], "lr_h": c["beta"], "nll_phi": c["gamma"], "nll_theta": c["gamma"]},
    "lpga_parts": lambda c: {
        "r": 1,
        "lr_n": c["alpha"],
        "lr_h": c["beta"],
        "nll_phi": c["gamma_phi"],
        "nll_theta": c["gamma_theta"],
    },
    # Section 3.1: Eq. 9 with the latent reconstruction minimised with respect to θ too
    "lpga_theta": lambda c: {
        "r": 1,
        "lr_n_theta": c["alpha"],
        "lr_h_theta": c["beta"],
        "nll_phi": c["gamma"],
        "nll_theta": c["gamma"],
    },
    # Figure 4: Eq. 9 with α = β = 0
    "ablation": lambda c: {"r": 1, "nll_phi": c["gamma"], "nll_theta": c["gamma"]},
    # Eq. 13
    "vpga": lambda c: {"r": 1, "lr_n": c["alpha"], "lr_h": c["beta"], "vr": c["vr"], "kl": c["eta"]},
    # Eq. 16; "vr" is γ′
    "lvpga": lambda c: {"r": 1, "lr_n": c["alpha"], "lr_h": c["beta"], "vr_log": c["vr"], "nll_phi": c["gamma"], "kl": c["eta"]},
    # Eq. 10
    "vae": lambda c: {"elbo_r": 1, "kl": c["c"]},
    # The block from Ghosh et al.; where their code sums errors over pixels, the weight "rec" does
    "vae_rec": lambda c: {"elbo_r": c["rec"], "kl": c["kl"]},
    "cvvae": lambda c: {"cv_r": c["rec"], "cv_kl": c["kl"]},
    "wae": lambda c: {"r": c["rec"], "mmd": c["mmd"]},
    "rae": lambda c: {"r": c["rec"], "l2_code": c["b"]},
    "rae_l2": lambda c: {"r": c["rec"], "l2_code": c["b"], "l2_decoder": c["l"]},
}


def copies(network: nn.Module) -> Parameters:
    """Detached copies of a network's parameters."""
    return {name: parameter.detach().clone() for name, parameter in network.named_parameters()}


def literal_value(s: Step, term: str) -> float:
    phi, theta = copies(s.encoder), copies(s.decoder)
    return TERMS[term][0](s, phi, theta, phi, theta).item()


def literal_values(s: Step, model: str, coefficients: dict[str, float]) -> dict[str, float]:
    """The value of each term of a model's loss."""
    return {term: literal_value(s, term) for term in LOSSES[model](coefficients)}


def literal_loss(s: Step, model: str, coefficients: dict[str, float], network: str) -> float:
    """The loss which one network ("φ" or "θ") descends: the weighted sum of the terms which move it."""
    return sum(weight * literal_value(s, term) for term, weight in LOSSES[model](coefficients).items() if network in TERMS[term][1])


def term_gradient(s: Step, term: str, network: str) -> Parameters:
    """The gradient of one term with respect to one network's parameters ("φ" or "θ"), all else held fixed; zeros if it moves none."""
    phi, theta = copies(s.encoder), copies(s.decoder)
    moved = {"φ": phi, "θ": theta}[network]
    value, moves = TERMS[term]
    if network not in moves:
        return {name: torch.zeros_like(parameter) for name, parameter in moved.items()}
    live = {name: parameter.clone().requires_grad_() for name, parameter in moved.items()}
    loss = value(s, live, theta, phi, theta) if network == "φ" else value(s, phi, live, phi, theta)
    gradients = torch.autograd.grad(loss, list(live.values()), allow_unused=True)
    return {
        name: torch.zeros_like(parameter) if gradient is None else gradient
        for (name, parameter), gradient in zip(live.items(), gradients, strict=True)
    }


def literal_gradients(s: Step, model: str, coefficients: dict[str, float]) -> tuple[Parameters, Parameters]:
    """What the optimisers of φ and of θ receive: {parameter's name: gradient} each."""
    sums = ({}, {})
    for network, total in zip("φθ", sums, strict=True):
        for term, weight in LOSSES[model](coefficients).items():
            for name, gradient in term_gradient(s, term, network).items():
                total[name] = total.get(name, torch.zeros_like(gradient)) + weight * gradient
    return sums
