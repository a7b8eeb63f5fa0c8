"""The method as a module: an encoder, a decoder and a weighted sum of terms."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from pga.method import losses
from pga.method.shared import SharedLoss, SharedValues, shares
from pga.method.terms import MODELS, PHI, RECONSTRUCTIONS, SIGMA, TERMS, THETA, Term, active, coefficients, term_of, weights
from pga.method.values import EXPRESSIONS, Values, draw_noise, posterior, term_value
from pga.networks.autoencoder import Encoder
from pga.runtime.errors import UserError
from pga.runtime.precision import PRECISIONS

CHECK_EVERY = 100
"""Calls between checks of the terms on an accelerator, where each check waits for the device; on a CPU every call is checked."""


class Diverged(UserError):
    """A term became non-finite or ran away."""


class Loss(Tensor):
    """The loss of one batch, a scalar tensor.

    Attributes:
        terms: the value of each term that takes part, detached, without its weight.
        reads: what the terms were computed from.
    """

    terms: dict[str, Tensor]
    reads: Values

    # What is computed from a loss is a plain tensor, as with a parameter.
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]


class PGA(nn.Module):
    """A perceptual generative autoencoder (or a baseline) of any encoder and decoder.

    `loss = model(x)` is the loss of a batch; `loss.backward()` gives each network the gradient that the paper gives it. Layers stay as
    they are given: neither initialised nor, where frozen, trained.

    An encoder has a method `posterior` that returns μ and log σ² (B, H), beside a forward pass that returns μ; or it returns them as a
    pair, or returns one tensor. A code (B, H) is used as it is where the model needs no σ; any other tensor (B, …) is taken for
    features, on which linear heads for μ and, where the model needs it, log σ² are put. Where `latent_dim` is H and the model needs σ,
    such an encoder's output is features as well.

    Args:
        encoder: f_φ, (B, …) → code or features.
        decoder: g_θ, (B, H) → (B, …), the shape of the data.
        model: a model of the paper ("lpga", "vpga", "lvpga", "vae", …: `pga.method.terms.MODELS`), whose coefficients are keywords, or
            terms of one's own choice as {name: weight}.
        latent_dim: H.
        terms: definitions of terms of one's own, by name.
        warmup_steps: so many calls in training mode are of a plain autoencoder: all terms but the data reconstruction are off.
        delta: "sphere" or "normal", the law of δ in Eq. 7.
        epsilon: size of δ per latent dimension.
        constant_sigma: σ of models that do not learn it ("cvvae").
        input_noise: standard deviation of noise on the encoder's input, clipped at one of it.
        precision: of the products of terms that tolerate less than the networks' own: "bfloat16", "float16" or "tf32"; within
            `torch.autocast` that of the block is used. In the paper's terms differences of h stay in full precision.
        **coefficients: of a named model, by the paper's symbols, e.g. alpha, beta, gamma.

    Attributes:
        step: how many calls in training mode there were, which the warm-up looks at; part of the state dict. With several calls per
            update (gradient accumulation) set it by hand or count them in `warmup_steps`.

    Raises:
        ValueError: the model, a coefficient or a shape does not fit.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        model: str | Mapping[str, float] = "lpga",
        *,
        latent_dim: int,
        terms: Mapping[str, Term] | None = None,
        warmup_steps: int = 0,
        delta: str = "sphere",
        epsilon: float = 0.01,
        constant_sigma: float | None = None,
        input_noise: float = 0.0,
        precision: str = "float32",
        **coefficients: float,
    ):
        super().__init__()
        self.weights = checked_weights(model, coefficients, terms or {})
        self.terms = {name: term_of(name, terms) for name in self.weights}
        self.latent_dim, self.warmup_steps, self.step = latent_dim, warmup_steps, 0
        self.delta, self.epsilon, self.constant_sigma = delta, epsilon, constant_sigma
        self.input_noise, self.precision = input_noise, precision
        if delta not in losses.PERTURBATIONS:
            raise ValueError(f"delta {delta!r}: accepted are {', '.join(losses.PERTURBATIONS)}")
        if precision not in PRECISIONS:
            raise ValueError(f"precision {precision!r}: accepted are {', '.join(PRECISIONS)}")
        if not 0 < epsilon < math.inf:
            raise ValueError(f"epsilon {epsilon}: accepted are numbers above 0")
        moved, read = any(SIGMA in self.terms[name].moves for name in self.weights), self.reads_sigma
        if (constant_sigma is not None) != (read and not moved):
            has = "learns its own" if moved else "needs it" if read else "reads none"
            raise ValueError(f"constant_sigma is for models with a constant σ; this one {has}")
        if constant_sigma is not None and not 0 < constant_sigma < math.inf:
            raise ValueError(f"constant_sigma {constant_sigma}: accepted are numbers above 0")
        if warmup_steps and not any(name in RECONSTRUCTIONS for name in self.weights):
            raise ValueError(f"warmup_steps {warmup_steps}: a warm-up keeps {', '.join(RECONSTRUCTIONS)}, of which this model has none")
        self.encoder, self.decoder = self.with_heads(encoder, decoder), decoder

    @property
    def reads_sigma(self) -> bool:
        """Whether a term reads σ_φ(x)."""
        return any(expression in READ_SIGMA for name in self.weights for expression in self.terms[name].reads)

    @property
    def needs_sigma(self) -> bool:
        """Whether a term reads σ_φ(x) and no constant stands for it."""
        return self.constant_sigma is None and self.reads_sigma

    def with_heads(self, encoder: nn.Module, decoder: nn.Module) -> nn.Module:
        """The encoder with the heads that the model needs and it lacks; checks both networks' shapes by a batch of zeros."""
        parameter = next((p for network in (decoder, encoder) for p in network.parameters()), torch.empty(0))
        with torch.no_grad(), evaluating(encoder, decoder):
            x = decoder(torch.zeros(2, self.latent_dim, device=parameter.device, dtype=parameter.dtype))
            self.data_shape = tuple(x.shape[1:])
            try:
                mu, log_var = posterior(encoder, x)
                code = encoder(x) if hasattr(encoder, "posterior") else mu
            except (RuntimeError, ValueError) as error:
                raise ValueError(f"the encoder does not take what the decoder makes, {self.data_shape}: {error}") from error
        if mu.ndim < 2 or len(mu) != 2:
            raise ValueError(f"the encoder makes {tuple(mu.shape)} of a batch of 2; wanted is (2, {self.latent_dim}), or features (2, …)")
        code = code[0] if isinstance(code, tuple) else code
        if code.shape != mu.shape or not torch.allclose(code, mu):
            raise ValueError("the encoder's forward pass is not the μ of its `posterior`; h(z) = f(g(z)) is computed by the forward pass")
        plain = not hasattr(encoder, "posterior") and log_var is None
        if plain and (self.needs_sigma or mu.shape[1:] != (self.latent_dim,)):
            features = mu[0].numel()
            heads = Encoder([encoder, nn.Flatten()], features, self.latent_dim, self.needs_sigma)
            for head in (heads.mean, heads.log_var):
                if head is not None:
                    head.to(mu.device, mu.dtype)
            return heads
        if mu.shape[1:] != (self.latent_dim,):
            raise ValueError(f"the encoder's codes have the shape {tuple(mu.shape[1:])}, latent_dim is {self.latent_dim}")
        if self.needs_sigma and log_var is None:
            raise ValueError("this model reads σ_φ(x), but the encoder's `posterior` returns no log σ²")
        return encoder

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> Loss:
        """The loss of a batch: in training mode of the terms that are on at this step, else of all.

        Args:
            x: (B, …) in the decoder's range, of the type of the networks' weights.
            generator: of all noise, on the device of x (default: torch's global one).

        Raises:
            Diverged: a term is not finite or runs away (looked at in every call on a CPU, else in every hundredth).
            ValueError: x has not the decoder's shape.
        """
        loss = self.loss(x, generator, self.active_terms() if self.training else None)
        if x.device.type == "cpu" or self.step % CHECK_EVERY == 0:
            self.check({name: float(value) for name, value in loss.terms.items()})
        if self.training:
            self.step += 1
        return loss

    def active_terms(self) -> tuple[str, ...]:
        """The terms that take part in the present step."""
        return tuple(name for name, weight in self.weights.items() if active(name, weight, self.step, self.warmup_steps))

    def loss(self, x: Tensor, generator: torch.Generator | None = None, terms: Iterable[str] | None = None) -> Loss:
        """The loss of a batch by the given terms (default: all whose weight is not zero), neither checked nor counted."""
        if tuple(x.shape[1:]) != self.data_shape:
            raise ValueError(f"the batch has the shape {tuple(x.shape)}, the decoder makes (B, {', '.join(map(str, self.data_shape))})")
        names = tuple(name for name, weight in self.weights.items() if weight) if terms is None else tuple(terms)
        device = x.device.type
        precision = self.precision
        if torch.is_autocast_enabled(device):
            precision = str(torch.get_autocast_dtype(device)).removeprefix("torch.")
        with torch.autocast(device, enabled=False):
            values = self.read(x, generator, precision, torch.is_grad_enabled() and shares(names))
            found = {name: term_value(name, values, self.terms) for name in names}
            weighted = {name: self.weights[name] * value for name, value in found.items()}
            if isinstance(values, SharedValues):
                phi, theta = ([p for p in network.parameters() if p.requires_grad] for network in (self.encoder, self.decoder))
                total = SharedLoss.apply(weighted, values, len(phi), *phi, *theta)
            else:
                total = sum(weighted.values(), start=torch.zeros((), device=x.device))
        loss: Loss = total.as_subclass(Loss)
        loss.terms, loss.reads = {name: value.detach() for name, value in found.items()}, values
        return loss

    def read(self, x: Tensor, generator: torch.Generator | None, precision: str, shared: bool) -> Values:
        """What the terms read of a batch, with new noise."""
        generator = generator or default_generator(x.device)
        noise = draw_noise(len(x), self.latent_dim, generator, x.dtype)
        corrupted = self.corrupted(x, generator) if self.training else None
        kind = SharedValues if shared else Values
        return kind(self.encoder, self.decoder, x, noise, self.delta, self.epsilon, self.constant_sigma, corrupted, precision)

    def corrupted(self, x: Tensor, generator: torch.Generator) -> Tensor | None:
        """The encoder's input with noise, which is clipped at one standard deviation as in the code of Ghosh et al.; None without any."""
        if not self.input_noise:
            return None
        drawn = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
        return x + self.input_noise * drawn.clamp(-1.0, 1.0)

    def check(self, terms: Mapping[str, float], where: str = "") -> None:
        """Refuse a non-finite or runaway term; `where` it was found is part of the message; raises Diverged with the term and the cause."""
        for name, value in terms.items():
            term = self.terms[name]
            if not math.isfinite(value) or abs(value) > term.largest:
                meaning, cause = f" ({term.meaning})" if term.meaning else "", f"; {term.cause}" if term.cause else ""
                raise Diverged(
                    f"term {name}{meaning} is {value:.4g}{where}, accepted are finite values up to {term.largest:g}. A longer warmup_steps "
                    f"(now {self.warmup_steps}), a smaller learning rate or smaller coefficients help{cause}"
                )

    def encode(self, x: Tensor) -> Tensor:
        """f(x): (B, …) → μ_φ(x), (B, H)."""
        return posterior(self.encoder, x)[0]

    def decode(self, z: Tensor) -> Tensor:
        """g(z): (B, H) → (B, …)."""
        return self.decoder(z)

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """g(z) of n draws z ~ N(0, I), (n, …) in the decoder's range, without gradients."""
        parameter = next(self.parameters())
        generator = generator or default_generator(parameter.device)
        return self.decoder(torch.randn(n, self.latent_dim, generator=generator, device=parameter.device, dtype=parameter.dtype))

    def get_extra_state(self) -> Tensor:
        """The step, for the state dict."""
        return torch.tensor(self.step)

    def set_extra_state(self, state: Tensor) -> None:
        """Continue the warm-up where the state dict was taken."""
        self.step = int(state)

    def extra_repr(self) -> str:
        """The weighted terms."""
        return " + ".join(f"{weight:g} {name}" for name, weight in self.weights.items())


READ_SIGMA = {"log σ²", "h(z')", "g(z')", "h(z+δ')", "sg δ'"}
"""Expressions that read σ_φ(x)."""


def checked_weights(model: str | Mapping[str, float], given: Mapping[str, float], terms: Mapping[str, Term]) -> dict[str, float]:
    """Weight of each term of a model by name, or of one's own; raises ValueError, which names what is unknown, missing or not a number."""
    if isinstance(model, str):
        if model not in MODELS:
            raise ValueError(f"model {model!r}: accepted are {', '.join(MODELS)}, or terms with their weights, e.g. {{'r': 1.0}}")
        needed = coefficients(model)
        if sorted(needed) != sorted(given):
            raise ValueError(f"coefficients of {model} are {', '.join(needed)}; found {', '.join(given) or 'none'}")
        found = weights(model, given)
    elif given:
        raise ValueError(f"{', '.join(given)}: coefficients are of a model by name; terms of your own come with their weights")
    else:
        found = dict(model)
    if unknown := [name for name in found if name not in terms and name not in TERMS]:
        raise ValueError(f"term {unknown[0]!r}: accepted are {', '.join([*TERMS, *terms])}; `terms` defines others")
    if bad := {name: weight for name, weight in found.items() if not math.isfinite(weight)}:
        raise ValueError(f"weights must be finite numbers; found {bad}")
    if not any(found.values()):
        raise ValueError("no term has a weight other than zero")
    for name in found:
        term = term_of(name, terms)
        if not term.loss or not term.reads or not set(term.moves) <= {PHI, THETA, SIGMA} or not term.moves:
            raise ValueError(f"term {name}: it needs `loss`, `reads` and `moves` of {PHI}, {THETA}, {SIGMA}; found {term}")
        if unread := [expression for expression in term.reads if expression not in EXPRESSIONS]:
            raise ValueError(f"term {name} reads {unread[0]!r}: accepted are {', '.join(EXPRESSIONS)}")
    return found


@contextmanager
def evaluating(*networks: nn.Module) -> Any:
    """Evaluation mode within the block; afterwards each layer is in its own mode again."""
    before = [(module, module.training) for network in networks for module in network.modules()]
    for module, _ in before:
        module.training = False
    try:
        yield
    finally:
        for module, training in before:
            module.training = training


def default_generator(device: torch.device) -> torch.Generator:
    """Torch's global generator of a device."""
    if device.type == "cuda":
        return torch.cuda.default_generators[torch.cuda.current_device() if device.index is None else device.index]
    if device.type == "mps":
        return torch.mps._get_default_mps_generator()
    return torch.default_generator
