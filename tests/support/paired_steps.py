"""One step twice, as training takes it and for the literal transcription, on small networks in float64."""

from __future__ import annotations

import pytest
import reference_step as literal
import torch
from torch import Tensor, nn

from pga.method.shared import SharedLoss, SharedValues
from pga.method.terms import MODELS, coefficients, weights
from pga.method.values import Noise, Values, draw_noise, term_value
from pga.networks.build import build
from pga.runtime import precision

BATCH = 6
COEFFICIENTS = {
    "alpha": 0.6,
    "beta": 0.7,
    "gamma": 0.15,
    "gamma_phi": 0.11,
    "gamma_theta": 0.19,
    "vr": 0.3,
    "eta": 0.2,
    "c": 0.05,
    "rec": 1.3,
    "kl": 0.04,
    "mmd": 0.9,
    "b": 0.35,
    "l": 0.02,
}
"""Far from zero and from one another, so that no term hides behind the rest and no two can be exchanged."""
NETWORKS = [("conv_8", 2, 4), ("conv_mnist", 2, 3), ("conv_32", 2, 4), ("resnet_32", 2, 4)]
BATCH_NORM = pytest.mark.parametrize("use_bn", [False, True], ids=["no_bn", "bn"])
EPSILON = 0.01
CONSTANT_SIGMA = {"cvvae": 0.7, "cv_r": 0.7, "cv_kl": 0.7}
"""σ of the model and terms that do not learn it."""

GRADIENTS = dict[str, Tensor]


def networks(name: str, width: int, latent_dim: int, use_bn: bool, sigma_head: bool) -> tuple[nn.Module, nn.Module]:
    """Networks in float64, moved away from where they start, so that no bias and no scale has a special value."""
    generator = torch.Generator().manual_seed(7)
    pair = build(name, width, latent_dim, use_bn, sigma_head, seed=3)
    for network in pair:
        network.double()
        for parameter in network.parameters():
            parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return pair


def images(decoder: nn.Module, latent_dim: int) -> Tensor:
    with torch.no_grad():
        shape = decoder(torch.zeros(2, latent_dim, dtype=torch.float64)).shape[1:]
    return torch.rand(BATCH, *shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 2 - 1


def noise_of(latent_dim: int, batch: int = BATCH, seed: int = 5) -> Noise:
    return draw_noise(batch, latent_dim, torch.Generator().manual_seed(seed), torch.float64)


def steps(
    name: str,
    width: int,
    latent_dim: int,
    use_bn: bool,
    sigma_head: bool = True,
    delta: str = "sphere",
    constant_sigma: float | None = None,
    corrupt: bool = False,
) -> tuple[Values, literal.Step]:
    """The same step twice: as training takes it, and for the literal transcription."""
    encoder, decoder = networks(name, width, latent_dim, use_bn, sigma_head)
    x, noise = images(decoder, latent_dim), noise_of(latent_dim)
    seen = 0.9 * x.roll(1, dims=-1) if corrupt else None
    reference = literal.Step(encoder, decoder, x, noise.z_n, noise.xi, noise.xi_delta, EPSILON, delta, constant_sigma, seen)
    return Values(encoder, decoder, x, noise, delta, EPSILON, constant_sigma, seen), reference


def gradients_of(loss: Tensor, encoder: nn.Module, decoder: nn.Module) -> tuple[GRADIENTS, GRADIENTS]:
    """(φ's, θ's) after one backward pass; zeros where a parameter received none."""
    for network in (encoder, decoder):
        network.zero_grad(set_to_none=True)
    loss.backward()
    return received(encoder, decoder)


def received(encoder: nn.Module, decoder: nn.Module) -> tuple[GRADIENTS, GRADIENTS]:
    """(φ's, θ's) gradients that lie in the parameters; zeros where there are none."""
    found = [
        {name: torch.zeros_like(p) if p.grad is None else p.grad.clone() for name, p in network.named_parameters()}
        for network in (encoder, decoder)
    ]
    return found[0], found[1]


def training_gradients(model: str, values: Values, weight: dict[str, float]) -> tuple[GRADIENTS, GRADIENTS]:
    """What one backward pass through the weighted sum of a model's terms gives."""
    return gradients_of(sum(weight[term] * term_value(term, values) for term in MODELS[model] if weight[term] > 0), values.f, values.g)


def shared_gradients(model: str, values: Values, weight: dict[str, float]) -> tuple[GRADIENTS, GRADIENTS]:
    """The same as training takes them, from values with one x̂ for all terms where they are such."""
    for network in (values.f, values.g):
        network.zero_grad(set_to_none=True)
    weighted = {term: weight[term] * term_value(term, values) for term in MODELS[model] if weight[term] > 0}
    if isinstance(values, SharedValues):
        phi, theta = (list(network.parameters()) for network in (values.f, values.g))
        SharedLoss.apply(weighted, values, len(phi), *phi, *theta).backward()
    else:
        with precision.backward(values.precision):
            sum(weighted.values()).backward()
    return received(values.f, values.g)


def model_weights(model: str, **changed: float) -> dict[str, float]:
    return weights(model, {name: {**COEFFICIENTS, **changed}[name] for name in coefficients(model)})


def assert_same(found: GRADIENTS, expected: GRADIENTS, relative: float = 1e-10) -> None:
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        error, size = float((found[name] - gradient).norm()), float(gradient.norm())
        assert error <= relative * size, f"{name}: differs by {error:.3g} of {size:.3g}"
