"""`pga.PGA` as a user meets it: any networks, the paper's gradients, and what every module of torch can do."""

from __future__ import annotations

import copy
import math

import pytest
import reference_step as literal
import torch
from paired_steps import (
    BATCH_NORM,
    COEFFICIENTS,
    CONSTANT_SIGMA,
    EPSILON,
    NETWORKS,
    assert_same,
    images,
    networks,
    noise_of,
    received,
)
from torch import Tensor, nn

from pga.method.pga import PGA, READ_SIGMA, Diverged, Loss
from pga.method.terms import MODELS, PHI, SIGMA, TERMS, THETA, Term, coefficients, reads_sigma
from pga.networks.autoencoder import LOG_VAR_BIAS, Decoder, Encoder

H = 4
LPGA = {"alpha": 0.06, "beta": 0.07, "gamma": 0.015}


def features(width: int = 16) -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.BatchNorm1d(width, track_running_stats=False), nn.ELU())


def decoder() -> nn.Sequential:
    return nn.Sequential(nn.Linear(H, 16), nn.ELU(), nn.Linear(16, 64), nn.Tanh(), nn.Unflatten(1, (1, 8, 8)))


def a_model(model: str = "lpga", **changes: object) -> PGA:
    torch.manual_seed(0)
    own = {name: COEFFICIENTS[name] for name in coefficients(model)}
    return PGA(features(), decoder(), model, latent_dim=H, constant_sigma=CONSTANT_SIGMA.get(model), **{**own, **changes})


def batch(n: int = 12, seed: int = 1) -> Tensor:
    return torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def seeded(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def gradients(model: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None}


# Against the literal step


@BATCH_NORM
@pytest.mark.parametrize(("name", "width", "latent_dim"), NETWORKS[:1] + NETWORKS[2:3])
@pytest.mark.parametrize("model", MODELS)
def test_backward_gives_the_literal_gradients(model, name, width, latent_dim, use_bn):
    """Of every model, in float64, to 1e-10: terms, loss, and what lies in the parameters after `loss.backward()`."""
    pair = networks(name, width, latent_dim, use_bn, reads_sigma(model))
    x, noise, sigma = images(pair[1], latent_dim), noise_of(latent_dim), CONSTANT_SIGMA.get(model)
    own = {key: COEFFICIENTS[key] for key in coefficients(model)}
    loss = PGA(*pair, model, latent_dim=latent_dim, epsilon=EPSILON, constant_sigma=sigma, **own)(x, seeded())
    loss.backward()
    step = literal.Step(*pair, x, noise.z_n, noise.xi, noise.xi_delta, EPSILON, constant_sigma=sigma)
    for found, expected in zip(received(*pair), literal.literal_gradients(step, model, COEFFICIENTS), strict=True):
        assert_same(found, expected)
    values = literal.literal_values(step, model, COEFFICIENTS)
    assert {term: value.item() for term, value in loss.terms.items()} == pytest.approx(values, rel=1e-10)
    assert loss.item() == pytest.approx(sum(weight * values[t] for t, weight in literal.LOSSES[model](COEFFICIENTS).items()), rel=1e-10)


@pytest.mark.parametrize("term", TERMS)
def test_any_terms_of_the_table_share_one_reconstruction_and_keep_their_gradients(term):
    """Each term beside those that make a step share x̂."""
    pair = networks("conv_8", 2, H, True, sigma_head=True)
    x, noise, sigma = images(pair[1], H), noise_of(H), CONSTANT_SIGMA.get(term)
    weight = {**dict.fromkeys(("r", "nll_theta", "lr_h"), 1.0), term: 0.5}
    model = PGA(*pair, weight, latent_dim=H, epsilon=EPSILON, constant_sigma=sigma)
    loss = model(x, seeded())
    assert loss.reads.shared
    loss.backward()
    step = literal.Step(*pair, x, noise.z_n, noise.xi, noise.xi_delta, EPSILON, constant_sigma=sigma)
    for found, network in zip(received(*pair), "φθ", strict=True):
        for name, gradient in found.items():
            expected = sum(w * literal.term_gradient(step, t, network)[name] for t, w in weight.items())
            assert float((gradient - expected).norm()) <= 1e-10 * float(expected.norm()), name


# Networks of one's own


def test_heads_are_added_as_the_model_needs_them():
    plain = nn.Sequential(nn.Flatten(), nn.Linear(64, H))
    assert PGA(plain, decoder(), latent_dim=H, **LPGA).encoder is plain, "a code is used as it is"
    lpga = PGA(features(), decoder(), latent_dim=H, **LPGA)
    assert lpga.encoder.mean.out_features == H and lpga.encoder.log_var is None
    vae = PGA(features(), decoder(), "vae", latent_dim=H, c=0.05)
    assert torch.equal(vae.encoder.log_var.bias, torch.full((H,), LOG_VAR_BIAS))
    convolutions = nn.Conv2d(1, 3, 3, stride=2)
    assert PGA(convolutions, decoder(), "vpga", latent_dim=H, alpha=0, beta=0, vr=1, eta=1).encoder.mean.in_features == 27

    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.mean, self.spread = nn.Linear(64, H), nn.Linear(64, H)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.mean(x.flatten(1)), self.spread(x.flatten(1))

    pair = Pair()
    model = PGA(pair, decoder(), "lvpga", latent_dim=H, alpha=1, beta=1, vr=1, gamma=1, eta=1)
    assert model.encoder is pair
    model(batch()).backward()
    assert all(parameter.grad is not None for parameter in pair.parameters())
    assert model.encode(batch()).shape == (12, H) and model.sample(3).shape == (3, 1, 8, 8)


@pytest.mark.parametrize("model", ["lpga", "lvpga", "vae"])
def test_layers_stay_as_they_are_given(model):
    """Pretrained weights are kept, frozen layers stay frozen and unchanged, modes too; the rest trains."""
    pretrained, made = features(), decoder()
    before = copy.deepcopy(pretrained.state_dict())
    pretrained[1].requires_grad_(False)
    pretrained[2].eval()
    made[0].bias.requires_grad_(False)
    own = {name: COEFFICIENTS[name] for name in coefficients(model)}
    module = PGA(pretrained, made, model, latent_dim=H, **own)
    assert all(torch.equal(tensor, before[name]) for name, tensor in pretrained.state_dict().items())
    assert not pretrained[2].training and pretrained.training
    bias = made[0].bias.clone()
    optimiser = torch.optim.SGD(module.parameters(), 0.01)
    for _ in range(2):
        optimiser.zero_grad()
        module(batch()).backward()
        optimiser.step()
    assert torch.equal(pretrained[1].weight, before["1.weight"]) and torch.equal(made[0].bias, bias)
    assert not torch.equal(pretrained[2].weight, before["2.weight"])
    frozen = [name for name, parameter in module.named_parameters() if not parameter.requires_grad]
    assert len(frozen) == 3 and all(dict(module.named_parameters())[name].grad is None for name in frozen)


def test_encoder_and_decoder_keep_the_layers_that_they_are_given():
    layer, output = nn.Linear(64, 5), nn.Linear(H, 64)
    nn.init.constant_(layer.bias, 3.0), nn.init.constant_(output.bias, 3.0)
    weights = layer.weight.clone(), output.weight.clone()
    encoder = Encoder([nn.Flatten(), layer], 5, H, sigma_head=True)
    made = Decoder([output])
    assert torch.equal(encoder.features[1].weight, weights[0]) and torch.equal(made.layers[0].weight, weights[1])
    assert (layer.bias == 3).all() and (output.bias == 3).all()


def test_frozen_parts_receive_nothing_and_the_rest_the_same_as_before():
    """One network frozen as a whole: the other's gradient does not change."""
    free, held = a_model(), a_model()
    held.decoder.requires_grad_(False)
    for model in (free, held):
        model(batch(), seeded()).backward()
    expected = {name: gradient for name, gradient in gradients(free).items() if name.startswith("encoder")}
    found = gradients(held)
    assert found.keys() == expected.keys() and all(torch.equal(found[name], gradient) for name, gradient in expected.items())
    held = a_model()
    held.encoder.requires_grad_(False)
    held(batch(), seeded()).backward()
    expected = {name: gradient for name, gradient in gradients(free).items() if name.startswith("decoder")}
    assert gradients(held).keys() == expected.keys()
    assert all(torch.equal(gradients(held)[name], gradient) for name, gradient in expected.items())


# Models of one's own


def test_a_model_of_ones_own_in_two_lines():
    darkness = Term(loss=lambda x_hat: x_hat.square().mean(), reads=("x̂",), moves=(THETA,), meaning="dark images")
    model = PGA(features(), decoder(), {"r": 1.0, "lr_n": 0.1, "dark": 0.5}, terms={"dark": darkness}, latent_dim=H)
    loss = model(batch(), seeded())
    assert set(loss.terms) == {"r", "lr_n", "dark"}
    assert "0.5 dark" in repr(model)
    loss.backward()
    found = gradients(model)
    other = copy.deepcopy(model)
    other.weights = {"r": 1.0, "lr_n": 0.1}
    other.zero_grad()
    other(batch(), seeded()).backward()
    for name, gradient in gradients(other).items():
        assert torch.equal(found[name], gradient) == name.startswith("encoder"), name


@pytest.mark.parametrize(
    ("expression", "moves"),
    [(expression, moves) for expression in ("x̂", "f(x)", "h(z)", "h(z_N)", "g(z')", "h(z')", "log σ²", "h(z+δ')", "kernels of g")
     for moves in (("φ",), ("θ",), ("σ",), ("φ", "θ"), ("θ", "σ"), ("φ", "σ"), ("φ", "θ", "σ"))],
)  # fmt: skip
def test_a_term_of_ones_own_reaches_just_what_it_moves(expression, moves):
    own = Term(loss=lambda v: torch.stack([p.square().sum() for p in v]).sum() if isinstance(v, list) else v.pow(3).sum(),
               reads=(expression,), moves=moves)  # fmt: skip
    constant = 0.7 if expression in READ_SIGMA and SIGMA not in moves else None
    pair = networks("conv_8", 2, H, True, sigma_head=True)
    model = PGA(*pair, {"own": 1.0}, terms={"own": own}, latent_dim=H, constant_sigma=constant)
    loss = model(images(model.decoder, H), seeded())
    reaches_mean = {"x̂": "φ", "f(x)": "φ", "h(z)": "φ", "h(z_N)": "φ", "g(z')": "φ", "h(z')": "φ", "h(z+δ')": "φ"}
    reaches_theta = {"x̂", "h(z)", "h(z_N)", "g(z')", "h(z')", "h(z+δ')", "kernels of g"}
    reaches_sigma = {"g(z')", "h(z')", "h(z+δ')", "log σ²"}
    expected = {
        "mean": PHI in moves and expression in reaches_mean,
        "log_var": SIGMA in moves and expression in reaches_sigma,
        "decoder": THETA in moves and expression in reaches_theta,
    }
    if any(expected.values()):
        loss.backward()
    found = gradients(model)
    assert {part: any(part in name and bool(g.any()) for name, g in found.items()) for part in expected} == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gan",), "model 'gan': accepted are lpga"),
        (("lpga",), "coefficients of lpga are alpha, beta, gamma; found none"),
        (({"r": 1.0, "tv": 1.0},), "term 'tv': accepted are r,"),
        (({"r": math.nan},), "finite numbers"),
        (({"r": 0.0},), "no term has a weight"),
        (({"r": 1.0}, {"r": Term(loss=torch.sum, reads=("y",), moves=(PHI,))}), "term r reads 'y': accepted are x,"),
        (({"r": 1.0}, {"r": Term(loss=torch.sum, reads=("x",))}), "term r: it needs `loss`, `reads` and `moves`"),
    ],
)
def test_what_does_not_fit_is_named(arguments, message):
    model, *terms = arguments
    with pytest.raises(ValueError, match=message):
        PGA(features(), decoder(), model, latent_dim=H, terms=terms[0] if terms else None)


class Drawing(Encoder):
    """An encoder that returns a draw from its posterior, as a VAE's often does."""

    def forward(self, x):
        mu, log_var = self.posterior(x)
        return mu + (0.5 * log_var).exp() * torch.randn_like(mu)


class Features(Encoder):
    """An encoder whose forward pass returns what its heads read."""

    def forward(self, x):
        return self.features(x)


def test_shapes_and_sigma_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"the encoder does not take what the decoder makes, \(1, 8, 8\)"):
        PGA(nn.Linear(3, H), decoder(), latent_dim=H, **LPGA)
    with pytest.raises(ValueError, match=r"codes have the shape \(5,\), latent_dim is 4"):
        PGA(Encoder([features()], 16, 5, False), decoder(), latent_dim=H, **LPGA)
    with pytest.raises(ValueError, match="returns no log σ²"):
        PGA(Encoder([features()], 16, H, False), decoder(), "vae", latent_dim=H, c=1)
    with pytest.raises(ValueError, match="this one needs it"):
        PGA(features(), decoder(), "cvvae", latent_dim=H, rec=1, kl=1)
    with pytest.raises(ValueError, match="learns its own"):
        PGA(features(), decoder(), "vae", latent_dim=H, c=1, constant_sigma=0.5)
    for given, message in (
        ({"constant_sigma": 0.5}, "this one reads none"),
        ({"precision": "bf16"}, "precision 'bf16': accepted are float32, float64, bfloat16, float16, tf32"),
        ({"epsilon": 0}, "epsilon 0: accepted are numbers above 0"),
    ):
        with pytest.raises(ValueError, match=message):
            PGA(features(), decoder(), latent_dim=H, **LPGA, **given)
    with pytest.raises(ValueError, match="constant_sigma -1: accepted are numbers above 0"):
        PGA(features(), decoder(), "cvvae", latent_dim=H, rec=1, kl=1, constant_sigma=-1)
    with pytest.raises(ValueError, match="the encoder's forward pass is not the μ of its `posterior`"):
        PGA(Drawing([features()], 16, H, True), decoder(), "vae", latent_dim=H, c=1)
    with pytest.raises(ValueError, match="the encoder's forward pass is not the μ of its `posterior`"):
        PGA(Features([features()], 16, H, True), decoder(), "vae", latent_dim=H, c=1)
    with pytest.raises(ValueError, match="a warm-up keeps r, elbo_r, cv_r"):
        PGA(features(), decoder(), {"lr_n": 1.0}, latent_dim=H, warmup_steps=5)
    with pytest.raises(ValueError, match=r"the batch has the shape \(2, 1, 9, 9\), the decoder makes \(B, 1, 8, 8\)"):
        a_model()(torch.zeros(2, 1, 9, 9))


# The warm-up, and terms that diverge


def test_the_warm_up_counts_calls_in_training_mode_and_is_saved():
    model = a_model(warmup_steps=2)
    assert [set(model(batch()).terms) for _ in range(3)] == [{"r"}, {"r"}, set(MODELS["lpga"])]
    model.step = 0
    model.eval()
    assert set(model(batch()).terms) == set(MODELS["lpga"]) and model.step == 0
    model.train()(batch())
    other = a_model(warmup_steps=2)
    other.load_state_dict(model.state_dict())
    assert other.step == 1 and all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True))


def test_a_diverging_term_raises_with_its_cause():
    model = a_model()
    with torch.no_grad():
        model.decoder[0].weight.zero_()
    with pytest.raises(Diverged, match=r"term nll_theta .* is -inf, .*smaller learning rate.*zero when h gives all codes alike"):
        model(batch())


# What every module can do


def test_training_with_torchs_own_optimiser_clipping_and_eval():
    model = a_model()
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    found = []
    for _ in range(60):
        optimiser.zero_grad()
        loss = model(batch(), seeded())
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        assert nn.utils.get_total_norm(gradients(model).values()) <= min(float(norm), 1.0) + 1e-4
        optimiser.step()
        found.append(loss.item())
    assert isinstance(loss, Loss) and type(loss * 2) is Tensor and loss.shape == ()
    assert found[-1] < found[0]
    model.eval()
    with torch.no_grad():
        assert not model(batch(), seeded()).requires_grad
        assert torch.equal(model.decode(model.encode(batch(3))), model.decoder(model.encoder(batch(3))))


@pytest.mark.parametrize("model", ["lpga", "vae"])
def test_gradients_accumulate_and_scale(model):
    """Two halves of a loss are one; a loss takes part in sums as any tensor; `torch.autograd.grad` finds the same."""
    module = a_model(model)
    module(batch(), seeded()).backward()
    whole = gradients(module)
    module.zero_grad()
    for _ in range(2):
        (module(batch(), seeded()) / 2).backward()
    for name, gradient in gradients(module).items():
        torch.testing.assert_close(gradient, whole[name], rtol=1e-5, atol=1e-7)
    module.zero_grad()
    (module(batch(), seeded()) + 3 * module.decoder[0].bias.sum()).backward()
    torch.testing.assert_close(gradients(module)["decoder.0.bias"], whole["decoder.0.bias"] + 3)
    parameters = dict(module.named_parameters())
    found = torch.autograd.grad(module(batch(), seeded()), list(parameters.values()))
    assert all(torch.equal(gradient, whole[name]) for name, gradient in zip(parameters, found, strict=True))
    loss = module(batch(), seeded())
    loss.backward()
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


def test_copies_state_and_dtype():
    model = a_model("lvpga")
    model(batch(), seeded()).backward()
    twin = copy.deepcopy(model)
    fresh = a_model("lvpga")
    fresh.load_state_dict(model.state_dict())
    assert twin.step == fresh.step == 1
    losses = [m(batch(), seeded()).item() for m in (model, twin, fresh)]
    assert losses[0] == losses[1] == losses[2]
    with torch.no_grad():
        twin.decoder[0].weight.add_(1)
    assert not torch.equal(twin.decoder[0].weight, model.decoder[0].weight)
    double = model.to(torch.float64)
    loss = double(batch().double(), seeded())
    loss.backward()
    assert loss.dtype == torch.float64 and all(g.dtype == torch.float64 for g in gradients(double).values())
    assert model.to("meta").decoder[0].weight.is_meta


@pytest.mark.parametrize("model", ["lpga", "lvpga", "vae"])
def test_autocast_reduces_the_terms_that_tolerate_it_and_no_difference_of_h(model):
    """θ's gradient of L_nll^θ and L_vr′ is that of float32 to the byte; in the rest the direction stays."""
    module = a_model(model, **({} if model == "vae" else {"beta": 0.0}))
    module(batch(), seeded()).backward()
    plain = gradients(module)
    module.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        loss = module(batch(), seeded())
    assert loss.dtype == torch.float32
    loss.backward()
    reduced = gradients(module)
    assert not all(torch.equal(reduced[name], gradient) for name, gradient in plain.items())
    flat = [torch.cat([gradient.flatten() for gradient in found.values()]) for found in (plain, reduced)]
    assert torch.cosine_similarity(*flat, dim=0) > 0.99
    if model != "vae":
        assert all(torch.equal(reduced[name], gradient) for name, gradient in plain.items() if name.startswith("decoder"))


@pytest.mark.slow
def test_a_compiled_model_gives_the_same_gradients():
    model = a_model().double()
    model(batch().double(), seeded()).backward()
    expected = gradients(model)
    model.zero_grad()
    loss = torch.compile(model, backend="eager")(batch().double(), seeded())
    assert set(loss.terms) == set(MODELS["lpga"])
    loss.backward()
    for name, gradient in gradients(model).items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-10, atol=1e-12)
