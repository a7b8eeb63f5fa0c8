"""What the terms of one step read, with gradients for just the parameters that each term moves (`pga.method.terms`).

The gradient routing of the paper ("who receives which gradient") needs no second optimiser and no backward pass per term: a term
reads its values from networks whose other parameters are frozen, so that the sum of all terms has exactly the right gradient.

With `precision` "bfloat16", "float16" or "tf32" the networks' products are taken in that for the terms that tolerate it. What a term
reads that takes a small difference of two values of h, and holds φ fixed as all such terms of the paper do, stays in float32, the codes at
which h is taken included; so do losses and sums.
"""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn

from pga.method import losses
from pga.method.terms import PHI, SIGMA, THETA, Term, term_of
from pga.runtime import precision
from pga.runtime.registry import Registry

Moves = tuple[str, ...]


@contextlib.contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Within the block `network` passes gradients through to its input, but its parameters receive none.

    Afterwards each parameter requires a gradient if it did before: layers that the user froze stay frozen.
    """
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
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


def posterior(encoder: nn.Module, x: Tensor) -> tuple[Tensor, Tensor | None]:
    """μ_φ(x) and log σ_φ²(x), (B, H) each, of any encoder; None where it has no σ head.

    An encoder has a method `posterior` that returns both, or its forward pass returns a code or such a pair.
    """
    compute = getattr(encoder, "posterior", encoder)
    found = compute(x)
    return found if isinstance(found, tuple) else (found, None)


class Values:
    """Everything that the terms of one step read, each computed at most once.

    `get(expression, moves)` returns the value of an expression of `pga.method.terms` such that gradients reach just the parameters in
    `moves`. φ is live in f, θ in g; σ is live in σ_φ(x) where a term moves σ.

    Args:
        encoder: f_φ, anything that `posterior` accepts.
        decoder: g_θ, (B, H) → the shape of x.
        x: the batch, (B, …).
        noise: of the step.
        delta: "sphere" or "normal", the law of δ in Eq. 7.
        epsilon: size of δ per latent dimension.
        constant_sigma: σ of models that do not learn it.
        corrupted: what the encoder sees instead of x.
        precision: of the networks' products for terms that tolerate less than the networks' own.
    """

    shared = False
    """Whether x̂ and f(x̂) are computed once for terms that move different parameters (`pga.method.shared`)."""

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        x: Tensor,
        noise: Noise,
        delta: str = "sphere",
        epsilon: float = 0.01,
        constant_sigma: float | None = None,
        corrupted: Tensor | None = None,
        precision: str = "float32",
    ):
        self.f, self.g = encoder, decoder
        self.x, self.noise = x, noise
        self.epsilon, self.precision = epsilon, precision
        self.perturb = losses.PERTURBATIONS[delta]
        with self.arithmetic(exact=self.shared):
            self.mu, self.log_var = posterior(encoder, x if corrupted is None else corrupted)
        self.mu = self.mu.to(x.dtype)
        if constant_sigma is not None:
            self.log_var = torch.full_like(self.mu, 2 * math.log(constant_sigma))
        elif self.log_var is not None:
            self.log_var = self.log_var.to(x.dtype)
        self.z = self.mu.detach()
        self.cache: dict[tuple[str, bool, bool, bool], Tensor] = {}

    def fresh(self) -> Self:
        """The same, with what is computed from now on kept apart: the values of a captured step are filled anew by every replay."""
        copied = copy.copy(self)
        copied.cache = dict(self.cache)
        return copied

    def get(self, expression: str, moves: Moves) -> Any:
        """The value of `expression`, live in `moves` only. Raises KeyError for an expression that the table does not know."""
        key = (expression, PHI in moves, THETA in moves, SIGMA in moves)
        if key not in self.cache:
            self.cache[key] = EXPRESSIONS[expression](self, moves)
        return self.cache[key]

    def code(self, moves: Moves) -> Tensor:
        """μ_φ(x), live in φ if the term moves it."""
        return self.mu if PHI in moves else self.z

    def log_variance(self, moves: Moves) -> Tensor:
        """log σ_φ²(x), live in the encoder if the term moves σ."""
        if self.log_var is None:
            raise ValueError("this model reads σ_φ(x), but its encoder has no σ head and no constant σ is given")
        return self.log_var if SIGMA in moves else self.log_var.detach()

    def sigma(self, moves: Moves) -> Tensor:
        """σ_φ(x), live in the encoder if the term moves σ."""
        return (0.5 * self.log_variance(moves)).exp()

    def arithmetic(self, exact: bool) -> contextlib.AbstractContextManager[None]:
        """How the networks compute within the block: in full unless it is for terms that tolerate less."""
        return precision.exact(self.x.device) if exact else precision.forward(self.precision, self.x.device)

    def decode(self, z: Tensor, moves: Moves, exact: bool = False) -> Tensor:
        """g(z): θ is live only if the term moves it; gradients reach z either way."""
        with self.arithmetic(exact), contextlib.nullcontext() if THETA in moves else frozen(self.g):
            return self.g(z).to(z.dtype)

    def encode(self, x: Tensor, moves: Moves, exact: bool = False) -> Tensor:
        """f(x): φ is live only if the term moves it; gradients reach x either way."""
        with self.arithmetic(exact), contextlib.nullcontext() if PHI in moves else frozen(self.f):
            code = self.f(x)
            return (code[0] if isinstance(code, tuple) else code).to(x.dtype)

    def reconstruction(self, moves: Moves) -> Tensor:
        """x̂ = g(f(x))."""
        return self.decode(self.code(moves), moves)

    def h(self, z: Tensor, moves: Moves) -> Tensor:
        """h(z) = f(g(z)).

        Where φ is not moved it is one of two whose difference the term takes (`pga.method.terms`), hence exact.
        """
        exact = PHI not in moves
        return self.encode(self.decode(z, moves, exact), moves, exact)

    def h_of_data(self, moves: Moves) -> Tensor:
        """h(z) for z = sg f(x); x̂ is g(z), so that a term that moves φ alone needs no other."""
        if PHI in moves and THETA not in moves:
            return self.encode(self.get("x̂", (PHI, THETA)).detach(), moves)
        return self.h(self.z, moves)

    def delta(self) -> Tensor:
        """δ of Eq. 7."""
        return self.perturb(self.noise.xi_delta, self.epsilon)

    def delta_learned(self, moves: Moves) -> Tensor:
        """δ′ = ξ ⊙ (σ_φ(x) + ε) of LVPGA."""
        return self.noise.xi * (self.sigma(moves) + self.epsilon)

    def posterior_sample(self, moves: Moves) -> Tensor:
        """z′ = μ + σ_φ(x) ⊙ ξ; the mean is truncated unless the term moves φ itself (the ordinary VAE)."""
        return self.code(moves) + self.sigma(moves) * self.noise.xi


def kernels(network: nn.Module, moves: Moves) -> list[Tensor]:
    """All kernels of g, biases excluded."""
    found = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    return list(found) if THETA in moves else [parameter.detach() for parameter in found]


EXPRESSIONS: Registry[str, Callable[[Values, Moves], Any]] = {
    "x": lambda v, moves: v.x,
    "x̂": lambda v, moves: v.reconstruction(moves),
    "f(x)": lambda v, moves: v.code(moves),
    "log σ²": lambda v, moves: v.log_variance(moves),
    "z": lambda v, moves: v.z,
    "z_N": lambda v, moves: v.noise.z_n,
    "h(z_N)": lambda v, moves: v.h(v.noise.z_n, moves),
    "h(z)": lambda v, moves: v.h_of_data(moves),
    "δ": lambda v, moves: v.delta(),
    "h(z+δ)": lambda v, moves: v.h(v.z + v.delta(), moves),
    "sg δ'": lambda v, moves: v.delta_learned(()),
    "h(z+δ')": lambda v, moves: v.h(v.z + v.delta_learned(moves), moves),
    "h(z')": lambda v, moves: v.h(v.posterior_sample(moves), moves),
    "g(z')": lambda v, moves: v.decode(v.posterior_sample(moves), moves),
    "kernels of g": lambda v, moves: kernels(v.g, moves),
    "s": lambda v, moves: losses.root_mean_square(v.z),
}


def term_value(name: str, values: Values, terms: Mapping[str, Term] | None = None) -> Tensor:
    """The value of one term of `terms`, else of the paper's, with gradients for just the parameters that it moves."""
    term = term_of(name, terms)
    loss: Callable[..., Tensor] = getattr(losses, term.loss) if isinstance(term.loss, str) else term.loss
    return loss(*(values.get(expression, term.moves) for expression in term.reads))
