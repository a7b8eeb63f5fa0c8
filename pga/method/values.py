"""A model is networks, weighted terms, and which parameters each term moves (`pga.method.terms`).

The gradient routing of the paper ("who receives which gradient") needs no second optimiser and no backward pass per term: a term
reads its values from networks whose other parameters are frozen, so that the sum of all terms has exactly the right gradient.

x̂ = g(z) is needed twice: by L_r, which moves φ through z, and by terms that hold z fixed; so is f(x̂), by L_lr,H, which moves f, and by
terms that hold f fixed. Each is computed once for both (`backward`).

With `precision: bfloat16` or `tf32` the networks' products are taken in that for the terms that bear it. What a term reads that takes a
small difference of two values of h stays in float32, the codes at which h is taken included; so do weights, losses, sums and updates.
"""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from pga.method import losses
from pga.method.terms import MODELS, ONE, PHI, RECONSTRUCTIONS, SIGMA, TERMS, THETA
from pga.networks.autoencoder import Decoder, Encoder
from pga.runtime import precision


@contextlib.contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Within the block `network` passes gradients through to its input, but its parameters receive none."""
    parameters = list(network.parameters())
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


@dataclass(frozen=True)
class Noise:
    """What one step draws: z_N and ξ for the posterior and for the perturbation, all standard normal, (B, H)."""

    z_n: Tensor
    xi: Tensor
    xi_delta: Tensor


def draw_noise(batch: int, latent_dim: int, generator: torch.Generator, dtype: torch.dtype) -> Noise:
    """The noise of one step. Always all three draws, so that no step's randomness depends on which terms are switched on."""
    drawn = torch.randn(3, batch, latent_dim, generator=generator, device=generator.device, dtype=dtype)
    return Noise(*drawn)


class Values:
    """Everything that the terms of one step read, each computed at most once.

    `get(expression, moves)` returns the value of an expression of `pga.method.terms` such that gradients reach just the parameters in
    `moves`. φ is live in f, θ in g; σ is live in σ_φ(x) where a term moves σ.
    """

    def __init__(
        self,
        encoder: Encoder,
        decoder: Decoder,
        x: Tensor,
        noise: Noise,
        delta: str = "sphere",
        epsilon: float = 0.01,
        constant_sigma: float | None = None,
        corrupted: Tensor | None = None,
        shared: bool = False,
        precision: str = "float32",
    ):
        """With `shared`, which is for terms that take a difference of h, gradients come from `backward` alone.

        `precision` is that of the networks' products for terms that bear less than the networks' own.
        """
        self.f, self.g = encoder, decoder
        self.x, self.noise = x, noise
        self.epsilon, self.precision, self.shared = epsilon, precision, shared
        self.perturb = losses.PERTURBATIONS[delta]
        with self.arithmetic(exact=shared):
            self.mu, self.log_var = encoder.posterior(x if corrupted is None else corrupted)
        self.mu = self.mu.to(x.dtype)
        if constant_sigma is not None:
            self.log_var = torch.full_like(self.mu, 2 * math.log(constant_sigma))
        elif self.log_var is not None:
            self.log_var = self.log_var.to(x.dtype)
        self.z = self.mu.detach()
        # What x̂ is decoded from and σ computed from. The code is a view: torch's counters of FLOP refuse a module's input without a past.
        self.code = self.mu.detach().requires_grad_().view_as(self.mu) if shared else self.mu
        self.spread = self.log_var.detach().requires_grad_() if shared and self.log_var is not None else self.log_var
        self.cache: dict[tuple[str, bool, bool], Tensor] = {}

    def fresh(self) -> Values:
        """The same, with what is computed from now on kept apart: a recorded step's values are filled anew by every replay."""
        copied = copy.copy(self)
        copied.cache = dict(self.cache)
        return copied

    def get(self, expression: str, moves: tuple[str, ...]) -> Tensor:
        """The value of `expression`, live in `moves` only. Raises KeyError for an expression that the table does not know."""
        key = (expression, PHI in moves, THETA in moves)
        if key not in self.cache:
            self.cache[key] = EXPRESSIONS[expression](self, moves)
        return self.cache[key]

    def sigma(self) -> Tensor:
        """σ_φ(x), live in the encoder."""
        if self.spread is None:
            raise ValueError("this model reads σ_φ(x), but its encoder has no σ head and the run no constant σ")
        return (0.5 * self.spread).exp()

    def arithmetic(self, exact: bool) -> contextlib.AbstractContextManager[None]:
        """How the networks compute within the block: in full unless it is for terms that bear less."""
        return contextlib.nullcontext() if exact else precision.forward(self.precision, self.x.device)

    def decode(self, z: Tensor, moves: tuple[str, ...], exact: bool = False) -> Tensor:
        """g(z): θ is live only if the term moves it; gradients reach z either way."""
        with self.arithmetic(exact), contextlib.nullcontext() if THETA in moves else frozen(self.g):
            return self.g(z).to(z.dtype)

    def encode(self, x: Tensor, exact: bool = False) -> Tensor:
        """f(x)."""
        with self.arithmetic(exact):
            return self.f(x).to(x.dtype)

    def reconstruction(self) -> Tensor:
        """x̂; exact where it is h's g(z) too."""
        return self.decode(self.code, (PHI, THETA), exact=self.shared)

    @cached_property
    def f_of_x_hat(self) -> Tensor:
        """f(x̂), live in all parameters."""
        return self.encode(self.get("x̂", (PHI, THETA)), exact=True)

    def h(self, z: Tensor, moves: tuple[str, ...]) -> Tensor:
        """h(z) = f(g(z)), live in f if φ is moved and in g if θ is; the paper's terms move one of them.

        If θ alone is moved, it is one of two whose difference the term takes (`pga.method.terms`), hence exact.
        """
        if PHI in moves:
            with contextlib.nullcontext() if THETA in moves else torch.no_grad():
                x = self.decode(z, moves)
            return self.encode(x)
        x = self.decode(z, moves, exact=True)
        with frozen(self.f):
            return self.encode(x, exact=True)

    def h_of_data(self, moves: tuple[str, ...]) -> Tensor:
        """h(z) for z = sg f(x): f(x̂), once for all terms where `backward` tells their gradients apart."""
        if self.shared:
            return self.f_of_x_hat
        if PHI in moves and THETA not in moves:
            return self.encode(self.get("x̂", (PHI, THETA)).detach())
        return self.h(self.z, moves)

    def delta(self) -> Tensor:
        """δ of Eq. 7."""
        return self.perturb(self.noise.xi_delta, self.epsilon)

    def delta_learned(self) -> Tensor:
        """δ′ = ξ ⊙ (σ_φ(x) + ε) of LVPGA, live in σ."""
        return self.noise.xi * (self.sigma() + self.epsilon)

    def posterior_sample(self, moves: tuple[str, ...]) -> Tensor:
        """z′ = μ + σ_φ(x) ⊙ ξ; the mean is truncated unless the term moves φ itself (the ordinary VAE)."""
        return (self.mu if PHI in moves else self.z) + self.sigma() * self.noise.xi

    def log_variance(self) -> Tensor:
        """log σ_φ²(x), live in the encoder."""
        if self.log_var is None:
            raise ValueError("this model reads log σ², but its encoder has no σ head")
        return self.log_var


EXPRESSIONS: dict[str, Callable[[Values, tuple[str, ...]], Any]] = {
    "x": lambda v, moves: v.x,
    "x̂": lambda v, moves: v.reconstruction(),
    "f(x)": lambda v, moves: v.mu,
    "log σ²": lambda v, moves: v.log_variance(),
    "z": lambda v, moves: v.z,
    "z_N": lambda v, moves: v.noise.z_n,
    "h(z_N)": lambda v, moves: v.h(v.noise.z_n, moves),
    "h(z)": lambda v, moves: v.h_of_data(moves),
    "δ": lambda v, moves: v.delta(),
    "h(z+δ)": lambda v, moves: v.h(v.z + v.delta(), moves),
    "sg δ'": lambda v, moves: v.delta_learned().detach(),
    "h(z+δ')": lambda v, moves: v.h(v.z + v.delta_learned(), moves),
    "h(z')": lambda v, moves: v.h(v.posterior_sample(moves), moves),
    "g(z')": lambda v, moves: v.decode(v.posterior_sample(moves), moves),
    "kernels of g": lambda v, moves: [parameter for parameter in v.g.parameters() if parameter.ndim > 1],
    "s": lambda v, moves: losses.root_mean_square(v.z),
}


def term_value(name: str, values: Values) -> Tensor:
    """The value of one term of `pga.method.terms.TERMS`, with gradients for just the parameters that it moves."""
    term = TERMS[name]
    loss: Callable[..., Tensor] = getattr(losses, term.loss)
    return loss(*(values.get(expression, term.moves) for expression in term.reads))


def shares(terms: Iterable[str]) -> bool:
    """Whether g(z) is wanted both by a term that moves φ through it and by one that holds z fixed."""
    rows = [TERMS[term] for term in terms]
    return any("x̂" in row.reads for row in rows) and any("h(z)" in row.reads and THETA in row.moves for row in rows)


def backward(weighted: dict[str, Tensor], values: Values) -> None:
    """Add the gradient of the sum of weighted terms to the parameters.

    Where x̂ and f(x̂) are shared, they hang on the parameters of g and f at once, but not on f(x), of which the terms read copies. Three
    passes then compute no more than each needs: what the terms that read x̂ send back to z; θ's gradient of the terms that move θ, and
    what these send to log σ²; φ's gradient of the terms that move φ, where the first two passes' findings are handed to f(x). The second
    goes through the small differences, and is exact whatever the precision.
    """
    if not values.shared:
        with precision.backward(values.precision):
            sum(weighted.values(), start=torch.zeros((), device=values.x.device)).backward()
        return
    rows = {term: TERMS[term] for term in weighted}
    through_x_hat = torch.stack([weighted[term] for term, row in rows.items() if "x̂" in row.reads]).sum()
    with precision.backward(values.precision):
        [to_code] = torch.autograd.grad(through_x_hat, values.code, retain_graph=True)

    moving_theta = torch.stack([weighted[term] for term, row in rows.items() if THETA in row.moves]).sum()
    spread = values.spread if any({THETA, SIGMA} <= set(row.moves) for row in rows.values()) else None
    free = [] if spread is None else [spread]
    torch.autograd.backward(moving_theta, inputs=[*values.g.parameters(), *free], retain_graph=True)

    roots: list[Tensor] = [weighted[term] for term, row in rows.items() if PHI in row.moves and "x̂" not in row.reads]
    gradients: list[Tensor | None] = [None] * len(roots)
    roots, gradients = [*roots, values.mu], [*gradients, to_code]
    if spread is not None and values.log_var is not None:
        roots, gradients = [*roots, values.log_var], [*gradients, spread.grad]
    with precision.backward(values.precision):
        torch.autograd.backward(roots, gradients, inputs=list(values.f.parameters()))


def weights(model: str, coefficients: dict[str, float]) -> dict[str, float]:
    """Weight of each term of `model`, e.g. {"r": 1, "lr_n": α, …}."""
    return {term: 1.0 if name == ONE else coefficients[name] for term, name in MODELS[model].items()}


def active(term: str, weight: float, step: int, warmup_steps: int) -> bool:
    """Whether a term takes part in the given step (counted from 0): until the warm-up ends only the data reconstruction does.

    The released code's `global_step > init_steps` lets one more step pass, 3001 instead of 3000.
    """
    return weight > 0 and (step >= warmup_steps or term in RECONSTRUCTIONS)


def network_losses(terms: dict[str, Tensor], weight: dict[str, float]) -> tuple[float, float]:
    """(encoder's, decoder's) loss: the weighted sum of the terms which move that network's parameters."""
    sums = {PHI: 0.0, THETA: 0.0}
    for name, value in terms.items():
        for network in {PHI if parameter == SIGMA else parameter for parameter in TERMS[name].moves}:
            sums[network] += weight[name] * float(value)
    return sums[PHI], sums[THETA]
