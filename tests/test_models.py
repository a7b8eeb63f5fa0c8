"""The step that training takes against the literal transcription of the paper in `reference_step`, and who receives which gradient."""

from __future__ import annotations

import copy
import dataclasses
import math

import pytest
import reference_step as literal
import torch
from torch import Tensor, nn

from pga import losses
from pga.models import Noise, Values, active, draw_noise, frozen, network_losses, term_value, weights
from pga.networks.build import build
from pga.terms import MODELS, PHI, SIGMA, TERMS, THETA, coefficients, reads_delta, reads_sigma

BATCH = 6
COEFFICIENTS = {"alpha": 0.6, "beta": 0.7, "gamma": 0.15, "vr": 0.3, "eta": 0.2, "c": 0.05}
"""Far from zero and from one another, so that no term hides behind the rest and no two can be exchanged."""
NETWORKS = [("conv_8", 2, 4), ("conv_mnist", 2, 3), ("conv_32", 2, 4)]
BATCH_NORM = pytest.mark.parametrize("use_bn", [False, True], ids=["no_bn", "bn"])
EPSILON = 0.01

# method.md, "Terms, and which parameters each may move"; σ: the encoder, but only through σ_φ(x)
MOVES = {
    "r": "φθ",
    "lr_n": "φ",
    "lr_h": "φ",
    "nll_phi": "φ",
    "nll_theta": "θ",
    "vr": "θσ",
    "vr_log": "θσ",
    "kl": "φσ",
    "elbo_r": "φθσ",
}
METHOD = {
    "lpga": {"r": "1", "lr_n": "alpha", "lr_h": "beta", "nll_phi": "gamma", "nll_theta": "gamma"},
    "vpga": {"r": "1", "lr_n": "alpha", "lr_h": "beta", "vr": "vr", "kl": "eta"},
    "lvpga": {"r": "1", "lr_n": "alpha", "lr_h": "beta", "vr_log": "vr", "nll_phi": "gamma", "kl": "eta"},
    "vae": {"elbo_r": "1", "kl": "c"},
}
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
    name: str, width: int, latent_dim: int, use_bn: bool, sigma_head: bool = True, delta: str = "sphere"
) -> tuple[Values, literal.Step]:
    """The same step twice: as training takes it, and for the literal transcription."""
    encoder, decoder = networks(name, width, latent_dim, use_bn, sigma_head)
    x, noise = images(decoder, latent_dim), noise_of(latent_dim)
    reference = literal.Step(encoder, decoder, x, noise.z_n, noise.xi, noise.xi_delta, EPSILON, delta)
    return Values(encoder, decoder, x, noise, delta, EPSILON), reference


def gradients_of(loss: Tensor, encoder: nn.Module, decoder: nn.Module) -> tuple[GRADIENTS, GRADIENTS]:
    """(φ's, θ's) after one backward pass; zeros where a parameter received none."""
    for network in (encoder, decoder):
        network.zero_grad(set_to_none=True)
    loss.backward()
    received = [
        {name: torch.zeros_like(p) if p.grad is None else p.grad.clone() for name, p in network.named_parameters()}
        for network in (encoder, decoder)
    ]
    return received[0], received[1]


def training_gradients(model: str, values: Values, weight: dict[str, float]) -> tuple[GRADIENTS, GRADIENTS]:
    """What one backward pass through the weighted sum of a model's terms gives."""
    return gradients_of(sum(weight[term] * term_value(term, values) for term in MODELS[model] if weight[term] > 0), values.f, values.g)


def model_weights(model: str, **changed: float) -> dict[str, float]:
    return weights(model, {name: {**COEFFICIENTS, **changed}[name] for name in coefficients(model)})


def assert_same(found: GRADIENTS, expected: GRADIENTS, relative: float = 1e-10) -> None:
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        error, size = float((found[name] - gradient).norm()), float(gradient.norm())
        assert error <= relative * size, f"{name}: differs by {error:.3g} of {size:.3g}"


# The table


def test_the_table_of_models_is_the_papers():
    assert {model: MODELS[model] for model in METHOD} == METHOD


def test_the_table_of_terms_moves_what_the_paper_moves():
    assert {term: "".join(entry.moves) for term, entry in TERMS.items() if term in MOVES} == MOVES


def test_every_model_and_term_has_a_literal_transcription():
    assert set(MODELS) <= set(literal.LOSSES), "write the model's loss in tests/reference_step.py, from the paper"
    assert set(TERMS) <= set(literal.TERMS), "write the term in tests/reference_step.py, from the paper"
    assert set(TERMS) <= set(MOVES), "say in MOVES which parameters the term moves"


def test_coefficients_are_those_of_the_equations():
    assert coefficients("lpga") == ["alpha", "beta", "gamma"]
    assert coefficients("vpga") == ["alpha", "beta", "vr", "eta"]
    assert coefficients("lvpga") == ["alpha", "beta", "vr", "gamma", "eta"]
    assert coefficients("vae") == ["c"]
    assert {model for model in METHOD if reads_sigma(model)} == {"vpga", "lvpga", "vae"}
    assert {model for model in METHOD if reads_delta(model)} == {"lpga", "lvpga"}


def test_weights_by_hand():
    assert weights("lpga", {"alpha": 2.0, "beta": 3.0, "gamma": 5.0}) == {
        "r": 1, "lr_n": 2, "lr_h": 3, "nll_phi": 5, "nll_theta": 5
    }  # fmt: skip
    assert weights("vae", {"c": 0.5}) == {"elbo_r": 1, "kl": 0.5}


# Against the literal transcription


@BATCH_NORM
@pytest.mark.parametrize(("name", "width", "latent_dim"), NETWORKS)
@pytest.mark.parametrize("model", MODELS)
def test_gradients_are_those_of_the_literal_step(model, name, width, latent_dim, use_bn):
    values, reference = steps(name, width, latent_dim, use_bn, reads_sigma(model))
    phi, theta = training_gradients(model, values, model_weights(model))
    phi_literal, theta_literal = literal.literal_gradients(reference, model, COEFFICIENTS)
    assert_same(phi, phi_literal)
    assert_same(theta, theta_literal)


@BATCH_NORM
def test_gradients_of_the_ablation_are_those_of_the_literal_step(use_bn):
    """Figure 4: the LPGA row with α = β = 0."""
    values, reference = steps("conv_8", 2, 4, use_bn, sigma_head=False)
    phi, theta = training_gradients("lpga", values, model_weights("lpga", alpha=0, beta=0))
    phi_literal, theta_literal = literal.literal_gradients(reference, "ablation", COEFFICIENTS)
    assert_same(phi, phi_literal)
    assert_same(theta, theta_literal)


@pytest.mark.parametrize("delta", ["sphere", "normal"])
@BATCH_NORM
@pytest.mark.parametrize("model", MODELS)
def test_values_are_those_of_the_literal_step(model, use_bn, delta):
    values, reference = steps("conv_8", 2, 4, use_bn, reads_sigma(model), delta)
    found = {term: term_value(term, values).item() for term in MODELS[model]}
    assert found == pytest.approx(literal.literal_values(reference, model, COEFFICIENTS), rel=1e-10)
    terms = {term: torch.tensor(value, dtype=torch.float64) for term, value in found.items()}
    expected = [literal.literal_loss(reference, model, COEFFICIENTS, network) for network in "φθ"]
    assert network_losses(terms, model_weights(model)) == pytest.approx(tuple(expected), rel=1e-10)


@pytest.mark.parametrize("model", MODELS)
def test_gradients_do_not_depend_on_the_order_in_which_the_terms_are_computed(model):
    """Terms share values; which of them comes first must not decide who receives the gradient."""
    received = []
    for order in (list(MODELS[model]), list(reversed(MODELS[model]))):
        values, _ = steps("conv_8", 2, 4, use_bn=True, sigma_head=True)
        terms = {term: term_value(term, values) for term in order}
        loss = sum(model_weights(model)[term] * terms[term] for term in MODELS[model])
        received.append(gradients_of(loss, values.f, values.g))
    for first, second in zip(*received, strict=True):
        assert_same(first, second, relative=1e-12)


@BATCH_NORM
@pytest.mark.parametrize("term", TERMS)
def test_gradients_match_finite_differences(term, use_bn):
    """Central differences of the literal value along a random direction of each parameter, truncated parts held where they were."""
    values, reference = steps("conv_8", 2, 3, use_bn)
    phi, theta = gradients_of(term_value(term, values), values.f, values.g)
    phi_fixed, theta_fixed = literal.copies(values.f), literal.copies(values.g)
    value = literal.TERMS[term][0]
    generator, step = torch.Generator().manual_seed(11), 1e-6  # small: leaky ReLUs have kinks
    checked = 0.0
    for gradients, fixed, is_phi in ((phi, phi_fixed, True), (theta, theta_fixed, False)):
        for name, gradient in gradients.items():
            direction = torch.randn(gradient.shape, generator=generator, dtype=torch.float64)
            direction /= direction.norm()
            ends = []
            for sign in (1, -1):
                moved = {**fixed, name: fixed[name] + sign * step * direction}
                phi_live, theta_live = (moved, theta_fixed) if is_phi else (phi_fixed, moved)
                if ("φ" if is_phi else "θ") not in literal.TERMS[term][1]:
                    phi_live, theta_live = phi_fixed, theta_fixed
                ends.append(float(value(reference, phi_live, theta_live, phi_fixed, theta_fixed)))
            difference = (ends[0] - ends[1]) / (2 * step)
            assert float((gradient * direction).sum()) == pytest.approx(difference, rel=1e-4, abs=2e-7), name
            checked = max(checked, abs(difference))
    assert checked > 1e-3


# Who receives which gradient


@BATCH_NORM
@pytest.mark.parametrize("term", TERMS)
def test_a_term_moves_just_the_parameters_that_it_may(term, use_bn):
    values, _ = steps("conv_8", 2, 4, use_bn)
    phi, theta = gradients_of(term_value(term, values), values.f, values.g)
    moves = MOVES[term]
    for name, gradient in theta.items():
        assert bool(gradient.any()) == ("θ" in moves), f"decoder's {name}"
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


@BATCH_NORM
@pytest.mark.parametrize("term", ["vr", "vr_log"])
def test_phi_moves_only_through_sigma(term, use_bn):
    """The same gradient as with the mean truncated and with a copy of the encoder, which cannot move, as the outer f of h."""
    values, _ = steps("conv_8", 2, 4, use_bn)
    phi, _ = gradients_of(term_value(term, values), values.f, values.g)

    outer, xi = copy.deepcopy(values.f), values.noise.xi
    mu, log_var = values.f.posterior(values.x)
    z, sigma = mu.detach(), (0.5 * log_var).exp()
    s = z.square().mean(0).sqrt()
    z_hat = outer(values.g(z))
    if term == "vr":
        loss = ((z_hat - outer(values.g(z + sigma * xi))) / s).square().mean()
    else:
        delta = (sigma + EPSILON) * xi
        loss = 0.5 * ((outer(values.g(z + delta)) - z_hat).square().sum(1) / delta.detach().square().sum(1)).log().mean()
    expected, _ = gradients_of(loss, values.f, values.g)
    assert_same(phi, expected)
    for name, gradient in phi.items():
        assert bool(gradient.any()) != name.startswith("mean"), name


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


# Identities


@BATCH_NORM
def test_lvpga_reduces_to_lpga(use_bn):
    """With γ′ = γ, η = 0 and σ_φ → 0, and LPGA's δ = ε ξ from the ξ of LVPGA."""
    received = {}
    for model, delta in (("lpga", "normal"), ("lvpga", "sphere")):
        values, _ = steps("conv_8", 2, 4, use_bn)
        values.f.log_var.bias.data.fill_(-2000.0)  # σ underflows to 0
        noise = dataclasses.replace(values.noise, xi_delta=values.noise.xi)
        values = Values(values.f, values.g, values.x, noise, delta, EPSILON)
        assert not values.sigma().any()
        received[model] = training_gradients(model, values, model_weights(model, vr=COEFFICIENTS["gamma"], eta=0.0))
    for lvpga, lpga in zip(received["lvpga"], received["lpga"], strict=True):
        assert_same(lvpga, lpga, relative=1e-12)
    assert received["lpga"][1]["layers.0.weight"].any()


@BATCH_NORM
def test_lvpga_without_gamma_is_vpga_with_another_variational_reconstruction(use_bn):
    values, _ = steps("conv_8", 2, 4, use_bn)
    received = {}
    for model, changed in {"lvpga": {"gamma": 0.0}, "vpga": {}}.items():
        received[model] = training_gradients(model, Values(values.f, values.g, values.x, values.noise), model_weights(model, **changed))
    other = Values(values.f, values.g, values.x, values.noise)
    exchange = gradients_of(COEFFICIENTS["vr"] * (term_value("vr_log", other) - term_value("vr", other)), values.f, values.g)
    for lvpga, vpga, difference in zip(received["lvpga"], received["vpga"], exchange, strict=True):
        assert any(gradient.any() for gradient in difference.values())
        assert_same(lvpga, {name: vpga[name] + difference[name] for name in vpga}, relative=1e-10)


def test_equation_14_holds_for_the_terms_of_a_model():
    """L_vkl = L_nll^φ + ½ E Σ_i [σ_i² − log σ_i²] − H/2, over H."""
    values, _ = steps("conv_8", 2, 4, use_bn=True)
    rest = 0.5 * (values.sigma().square() - values.sigma().square().log()).sum(1).mean() - 4 / 2
    assert term_value("kl", values).item() == pytest.approx((term_value("nll_phi", values) + rest / 4).item(), rel=1e-12)


# Batch normalisation, noise, warm-up


def test_every_pass_normalises_one_law():
    """x, z, z_N and z + δ are four laws: each pass sees one batch of one of them, and one merged batch would give something else."""
    values, _ = steps("conv_8", 2, 4, use_bn=True, sigma_head=False)
    f, g, z_n, z = values.f, values.g, values.noise.z_n, values.z
    apart = {"h(z_N)": f(g(z_n)), "h(z)": f(g(z)), "h(z+δ)": f(g(z + losses.sphere(values.noise.xi_delta, EPSILON)))}
    merged = f(g(torch.cat([z_n, z]))).split(BATCH)
    for moves in ((PHI,), (THETA,)):
        for expression, expected in apart.items():
            torch.testing.assert_close(values.get(expression, moves), expected, rtol=1e-12, atol=1e-12)
        assert (values.get("h(z_N)", moves) - merged[0]).abs().max() > 1e-3
        assert (values.get("h(z)", moves) - merged[1]).abs().max() > 1e-3


def test_noise_is_the_same_whatever_the_model():
    """Two steps' draws from one generator, between them a model's whole step: the second draw and all global state stay the same."""
    drawn, before = [], torch.get_rng_state()
    for model in MODELS:
        generator = torch.Generator().manual_seed(5)
        values, _ = steps("conv_8", 2, 4, use_bn=True, sigma_head=True)
        first = draw_noise(BATCH, 4, generator, torch.float64)
        training_gradients(model, Values(values.f, values.g, values.x, first), model_weights(model))
        second = draw_noise(BATCH, 4, generator, torch.float64)
        drawn.append(torch.stack([*dataclasses.astuple(first), *dataclasses.astuple(second)]))
    assert all(torch.equal(drawn[0], other) for other in drawn[1:])
    assert torch.equal(before, torch.get_rng_state())
    assert len({float(draw[0, 0]) for draw in drawn[0]}) == 6


def test_noise_is_standard_normal_and_independent():
    noise = torch.stack(dataclasses.astuple(draw_noise(5000, 4, torch.Generator().manual_seed(0), torch.float64)))
    assert noise.shape == (3, 5000, 4)
    columns = noise.permute(0, 2, 1).reshape(12, 5000)
    torch.testing.assert_close(columns @ columns.T / 5000, torch.eye(12, dtype=torch.float64), atol=0.07, rtol=0)
    assert float(columns.mean(1).abs().max()) < 0.07
    assert (columns.pow(4).mean(1) - 3).abs().max() < 0.5


def test_terms_read_the_noise_that_is_theirs():
    """Each term changes with its own draw and with no other."""
    own = {"lr_n": "z_n", "nll_theta": "xi_delta", "vr": "xi", "vr_log": "xi", "elbo_r": "xi"}
    values, _ = steps("conv_8", 2, 4, use_bn=True)
    other = noise_of(4, seed=6)
    for term in MOVES:
        before = term_value(term, Values(values.f, values.g, values.x, values.noise)).item()
        for draw in ("z_n", "xi", "xi_delta"):
            noise = dataclasses.replace(values.noise, **{draw: getattr(other, draw)})
            after = term_value(term, Values(values.f, values.g, values.x, noise)).item()
            assert (after != before) == (own.get(term) == draw), (term, draw)


def test_until_the_warm_up_ends_only_the_data_reconstruction_is_on():
    for term in MOVES:
        is_reconstruction = term in ("r", "elbo_r")
        assert [active(term, 0.5, step, 3000) for step in (0, 2999, 3000, 10**6)] == [is_reconstruction, is_reconstruction, True, True]
        assert active(term, 0.5, 0, 0)
        assert not active(term, 0.0, 10**6, 3000)


def test_collapse_shows_as_minus_infinity():
    """Proposition 1 does not hold a decoder up that ignores its code; nothing hides it."""
    values, _ = steps("conv_8", 2, 4, use_bn=False)
    with torch.no_grad():
        values.g.layers[0].weight.zero_()
    assert term_value("nll_theta", values).item() == -math.inf
    assert term_value("vr_log", values).item() == -math.inf
