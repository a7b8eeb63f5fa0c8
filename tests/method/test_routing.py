"""Who receives which gradient: per parameter, and in closed form on linear networks."""

from __future__ import annotations

import pytest
import torch
from paired_steps import BATCH_NORM, CONSTANT_SIGMA, EPSILON, gradients_of, networks, noise_of, steps
from torch import Tensor, nn

from pga.method.terms import SIGMA, TERMS
from pga.method.values import Values, frozen, term_value

# method.md, "Terms, and which parameters each may move"; σ: the encoder, but only through σ_φ(x)
MOVES = {
    "r": "φθ",
    "lr_n": "φ",
    "lr_n_theta": "φθ",
    "lr_h_theta": "φθ",
    "lr_h": "φ",
    "nll_phi": "φ",
    "nll_theta": "θ",
    "vr": "θσ",
    "vr_log": "θσ",
    "kl": "φσ",
    "elbo_r": "φθσ",
    "cv_r": "φθ",
    "cv_kl": "φ",
    "mmd": "φ",
    "l2_code": "φ",
    "l2_decoder": "θ",
}


def test_the_table_of_terms_moves_what_the_paper_moves():
    assert {term: "".join(entry.moves) for term, entry in TERMS.items()} == MOVES


@BATCH_NORM
@pytest.mark.parametrize("term", TERMS)
def test_a_term_moves_just_the_parameters_that_it_may(term, use_bn):
    values, _ = steps("conv_8", 2, 4, use_bn, constant_sigma=CONSTANT_SIGMA.get(term))
    phi, theta = gradients_of(term_value(term, values), values.f, values.g)
    moves = MOVES[term]
    for name, gradient in theta.items():
        moved = "θ" in moves and (gradient.ndim > 1 or term != "l2_decoder")
        assert bool(gradient.any()) == moved, f"decoder's {name}"
    for name, gradient in phi.items():
        if name.startswith("log_var"):
            moved = "σ" in moves
        elif name.startswith("mean"):
            moved = "φ" in moves
        else:
            moved = "φ" in moves or "σ" in moves
        assert bool(gradient.any()) == moved, f"encoder's {name}"


@pytest.mark.parametrize("expression", ["h(z')", "h(z+δ')", "g(z')"])
def test_a_value_may_be_live_in_sigma_alone(expression):
    """No term of today asks for it; g is then held like f, and gradients still reach σ_φ(x) through both."""
    values, _ = steps("conv_8", 2, 4, use_bn=True)
    phi, theta = gradients_of(values.get(expression, (SIGMA,)).square().sum(), values.f, values.g)
    assert not any(gradient.any() for gradient in theta.values())
    assert not phi["mean.weight"].any()
    assert phi["log_var.weight"].any()


def test_a_frozen_network_passes_gradients_through_and_thaws():
    encoder, decoder = networks("conv_8", 2, 4, use_bn=True, sigma_head=False)
    z = noise_of(4).z_n.requires_grad_()
    with frozen(decoder):
        decoder(z).sum().backward()
    assert bool(z.grad.any())
    assert all(p.grad is None and p.requires_grad for p in decoder.parameters())
    with pytest.raises(ZeroDivisionError), frozen(encoder):
        _ = 1 / 0
    assert all(p.requires_grad for p in encoder.parameters())


def test_a_model_which_reads_sigma_says_that_its_encoder_has_no_sigma_head():
    values, _ = steps("conv_8", 2, 4, use_bn=False, sigma_head=False)
    for term in (term for term in TERMS if SIGMA in TERMS[term].moves):
        with pytest.raises(ValueError, match="has no σ head"):
            term_value(term, values)


# Closed forms on linear networks: f(x) = F x, g(z) = G z, h(z) = J z with J = F G


class LinearEncoder(nn.Module):
    def __init__(self, F: Tensor, S: Tensor):
        super().__init__()
        self.F, self.S = nn.Parameter(F), nn.Parameter(S)

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.F.T

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self(x), x.flatten(1) @ self.S.T


class LinearDecoder(nn.Module):
    def __init__(self, G: Tensor):
        super().__init__()
        self.G = nn.Parameter(G)

    def forward(self, z: Tensor) -> Tensor:
        return (z @ self.G.T)[:, None, None, :]


@pytest.fixture
def linear() -> Values:
    B, D, H = 5, 7, 3
    F, G, S, x = (
        torch.randn(shape, generator=torch.Generator().manual_seed(k), dtype=torch.float64)
        for k, shape in enumerate([(H, D), (D, H), (H, D), (B, 1, 1, D)])
    )
    return Values(LinearEncoder(F, 0.3 * S), LinearDecoder(G), x, noise_of(H, B), "sphere", EPSILON)


def linear_gradients(term: str, v: Values) -> tuple[Tensor, Tensor, Tensor]:
    """With respect to F, S and G."""
    phi, theta = gradients_of(term_value(term, v), v.f, v.g)
    return phi["F"], phi["S"], theta["G"]


def test_closed_form_gradients_of_the_reconstruction(linear):
    x, F, G = linear.x.flatten(1), linear.f.F.data, linear.g.G.data
    error = x @ (G @ F).T - x
    by_f, by_s, by_g = linear_gradients("r", linear)
    torch.testing.assert_close(by_f, 2 / x.numel() * G.T @ error.T @ x)
    torch.testing.assert_close(by_g, 2 / x.numel() * error.T @ x @ F.T)
    assert not by_s.any()


@pytest.mark.parametrize("term", ["lr_n", "lr_h"])
def test_closed_form_gradients_of_the_latent_reconstruction(linear, term):
    F, G = linear.f.F.data, linear.g.G.data
    z = linear.noise.z_n if term == "lr_n" else linear.x.flatten(1) @ F.T
    by_f, by_s, by_g = linear_gradients(term, linear)
    torch.testing.assert_close(by_f, 2 / z.numel() * (z @ (F @ G).T - z).T @ (z @ G.T))
    assert not by_s.any()
    assert not by_g.any()


def test_closed_form_gradients_of_the_negative_log_likelihood(linear):
    x, F, G = linear.x.flatten(1), linear.f.F.data, linear.g.G.data
    by_f, by_s, by_g = linear_gradients("nll_phi", linear)
    torch.testing.assert_close(by_f, F @ x.T @ x / (5 * 3))
    assert not by_s.any()
    assert not by_g.any()
    by_f, by_s, by_g = linear_gradients("nll_theta", linear)
    expected = torch.zeros_like(G)
    for delta in linear.noise.xi_delta:
        change = F @ G @ delta
        expected += torch.outer(F.T @ change, delta) / change.dot(change) / 5
    torch.testing.assert_close(by_g, expected)
    assert not by_f.any()
    assert not by_s.any()


def test_closed_form_gradients_of_the_variational_reconstruction(linear):
    x, xi, F, S, G = linear.x.flatten(1), linear.noise.xi, linear.f.F.data, linear.f.S.data, linear.g.G.data
    J, z, sigma = F @ G, x @ F.T, (0.5 * x @ S.T).exp()
    s = z.square().mean(0).sqrt()
    step = sigma * xi
    by_change = 2 / z.numel() * (step @ J.T) / s.square()
    by_f, by_s, by_g = linear_gradients("vr", linear)
    torch.testing.assert_close(by_g, F.T @ by_change.T @ step)
    torch.testing.assert_close(by_s, (by_change @ J * step * 0.5).T @ x)
    assert not by_f.any()


def test_closed_form_gradients_of_the_learned_log_volume(linear):
    x, xi, F, S, G = linear.x.flatten(1), linear.noise.xi, linear.f.F.data, linear.f.S.data, linear.g.G.data
    J, sigma = F @ G, (0.5 * x @ S.T).exp()
    delta = xi * (sigma + EPSILON)
    change = delta @ J.T
    by_change = change / change.square().sum(1, keepdim=True) / 5
    by_f, by_s, by_g = linear_gradients("vr_log", linear)
    torch.testing.assert_close(by_g, F.T @ by_change.T @ delta)
    torch.testing.assert_close(by_s, (by_change @ J * xi * sigma * 0.5).T @ x)
    assert not by_f.any()


def test_closed_form_gradients_of_the_evidence_lower_bound(linear):
    x, xi, F, S, G = linear.x.flatten(1), linear.noise.xi, linear.f.F.data, linear.f.S.data, linear.g.G.data
    sigma = (0.5 * x @ S.T).exp()
    sample = x @ F.T + sigma * xi
    by_output = 2 / x.numel() * (sample @ G.T - x)
    by_f, by_s, by_g = linear_gradients("elbo_r", linear)
    torch.testing.assert_close(by_f, (by_output @ G).T @ x)
    torch.testing.assert_close(by_s, (by_output @ G * sigma * xi * 0.5).T @ x)
    torch.testing.assert_close(by_g, by_output.T @ sample)


def test_closed_form_gradients_of_the_kl_divergence(linear):
    x, F, S = linear.x.flatten(1), linear.f.F.data, linear.f.S.data
    by_f, by_s, by_g = linear_gradients("kl", linear)
    torch.testing.assert_close(by_f, F @ x.T @ x / (5 * 3))
    torch.testing.assert_close(by_s, 0.5 * ((x @ S.T).exp() - 1).T @ x / (5 * 3))
    assert not by_g.any()
