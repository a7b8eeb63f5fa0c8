"""The step that training takes against the literal transcription of the paper in `reference_step`; identities, noise, warm-up."""

from __future__ import annotations

import dataclasses
import math

import pytest
import reference_step as literal
import torch
from paired_steps import (
    BATCH,
    BATCH_NORM,
    COEFFICIENTS,
    CONSTANT_SIGMA,
    EPSILON,
    NETWORKS,
    assert_same,
    gradients_of,
    model_weights,
    noise_of,
    steps,
    training_gradients,
)

from pga.method import losses
from pga.method.terms import MODELS, PHI, TERMS, THETA, active, coefficients, network_losses, reads_sigma, weights
from pga.method.values import Values, draw_noise, term_value

# method.md, "Losses"; a term's coefficient by its name in the parameters
METHOD = {
    "lpga": {"r": "1", "lr_n": "alpha", "lr_h": "beta", "nll_phi": "gamma", "nll_theta": "gamma"},
    "lpga_parts": {"r": "1", "lr_n": "alpha", "lr_h": "beta", "nll_phi": "gamma_phi", "nll_theta": "gamma_theta"},  # ours, for ablations
    "lpga_theta": {"r": "1", "lr_n_theta": "alpha", "lr_h_theta": "beta", "nll_phi": "gamma", "nll_theta": "gamma"},  # Section 3.1
    "vpga": {"r": "1", "lr_n": "alpha", "lr_h": "beta", "vr": "vr", "kl": "eta"},
    "lvpga": {"r": "1", "lr_n": "alpha", "lr_h": "beta", "vr_log": "vr", "nll_phi": "gamma", "kl": "eta"},
    "vae": {"elbo_r": "1", "kl": "c"},
    "vae_rec": {"elbo_r": "rec", "kl": "kl"},
    "cvvae": {"cv_r": "rec", "cv_kl": "kl"},
    "wae": {"r": "rec", "mmd": "mmd"},
    "rae": {"r": "rec", "l2_code": "b"},
    "rae_l2": {"r": "rec", "l2_code": "b", "l2_decoder": "l"},
}


def test_the_table_of_models_is_that_of_the_equations():
    assert MODELS == METHOD


def test_coefficients_are_those_of_the_equations():
    assert coefficients("lpga") == ["alpha", "beta", "gamma"]
    assert coefficients("vpga") == ["alpha", "beta", "vr", "eta"]
    assert coefficients("lvpga") == ["alpha", "beta", "vr", "gamma", "eta"]
    assert coefficients("vae") == ["c"]
    assert {model for model in MODELS if reads_sigma(model)} == {"vpga", "lvpga", "vae", "vae_rec"}


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
    values, reference = steps(name, width, latent_dim, use_bn, reads_sigma(model), constant_sigma=CONSTANT_SIGMA.get(model))
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


@pytest.mark.parametrize("model", ["wae", "lvpga"])
def test_gradients_are_those_of_the_literal_step_where_the_encoder_sees_a_corrupted_batch(model):
    values, reference = steps("conv_8", 2, 4, use_bn=True, corrupt=True)
    for found, expected in zip(
        training_gradients(model, values, model_weights(model)), literal.literal_gradients(reference, model, COEFFICIENTS), strict=True
    ):
        assert_same(found, expected)


@pytest.mark.parametrize("delta", ["sphere", "normal"])
@BATCH_NORM
@pytest.mark.parametrize("model", MODELS)
def test_values_are_those_of_the_literal_step(model, use_bn, delta):
    values, reference = steps("conv_8", 2, 4, use_bn, reads_sigma(model), delta, CONSTANT_SIGMA.get(model))
    found = {term: term_value(term, values).item() for term in MODELS[model]}
    assert found == pytest.approx(literal.literal_values(reference, model, COEFFICIENTS), rel=1e-10)
    expected = [literal.literal_loss(reference, model, COEFFICIENTS, network) for network in "φθ"]
    assert network_losses(found, model_weights(model)) == pytest.approx(tuple(expected), rel=1e-10)


@pytest.mark.parametrize("model", MODELS)
def test_gradients_do_not_depend_on_the_order_in_which_the_terms_are_computed(model):
    """Terms share values; which of them comes first must not decide who receives the gradient."""
    received = []
    for order in (list(MODELS[model]), list(reversed(MODELS[model]))):
        values, _ = steps("conv_8", 2, 4, use_bn=True, constant_sigma=CONSTANT_SIGMA.get(model))
        terms = {term: term_value(term, values) for term in order}
        loss = sum(model_weights(model)[term] * terms[term] for term in MODELS[model])
        received.append(gradients_of(loss, values.f, values.g))
    for first, second in zip(*received, strict=True):
        assert_same(first, second, relative=1e-12)


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
        assert not values.sigma(("σ",)).any()
        received[model] = training_gradients(model, values, model_weights(model, vr=COEFFICIENTS["gamma"], eta=0.0))
    for lvpga, lpga in zip(received["lvpga"], received["lpga"], strict=True):
        assert_same(lvpga, lpga, relative=1e-12)
    assert received["lpga"][1]["layers.0.weight"].any()


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
        values, _ = steps("conv_8", 2, 4, use_bn=True)
        first = draw_noise(BATCH, 4, generator, torch.float64)
        of_step = Values(values.f, values.g, values.x, first, constant_sigma=CONSTANT_SIGMA.get(model))
        training_gradients(model, of_step, model_weights(model))
        second = draw_noise(BATCH, 4, generator, torch.float64)
        drawn.append(torch.stack([*dataclasses.astuple(first), *dataclasses.astuple(second)]))
    assert all(torch.equal(drawn[0], other) for other in drawn[1:])
    assert torch.equal(before, torch.get_rng_state())
    assert len({float(draw[0, 0]) for draw in drawn[0]}) == 6


def test_terms_read_the_noise_that_is_theirs():
    """Each term changes with its own draw and with no other."""
    own = {"lr_n": "z_n", "lr_n_theta": "z_n", "mmd": "z_n", "nll_theta": "xi_delta"} | dict.fromkeys(
        ("vr", "vr_log", "elbo_r", "cv_r"), "xi"
    )
    values, _ = steps("conv_8", 2, 4, use_bn=True)
    other = noise_of(4, seed=6)
    for term in TERMS:
        before = term_value(term, Values(values.f, values.g, values.x, values.noise)).item()
        for draw in ("z_n", "xi", "xi_delta"):
            noise = dataclasses.replace(values.noise, **{draw: getattr(other, draw)})
            after = term_value(term, Values(values.f, values.g, values.x, noise)).item()
            assert (after != before) == (own.get(term) == draw), (term, draw)


def test_until_the_warm_up_ends_only_the_data_reconstruction_is_on():
    for term in TERMS:
        is_reconstruction = term in ("r", "elbo_r", "cv_r")
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


def test_weights_of_no_model_or_without_a_coefficient_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="model 'lgpa': accepted are lpga, "):
        weights("lgpa", {})
    with pytest.raises(ValueError, match="coefficients of lpga: beta is missing; found alpha"):
        weights("lpga", {"alpha": 0.1})
