"""precision: bfloat16, against float32 and float64: which terms it touches, and that a run with it is as reproducible as any."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from paired_steps import EPSILON, GRADIENTS, gradients_of, model_weights, shared_gradients, steps
from test_fast_step import a_run, digits_like
from torch import nn

from pga.method.shared import SharedValues
from pga.method.values import Noise, Values, term_value
from pga.sampling import density
from pga.training.trainer import Trainer

CPU = torch.device("cpu")


def values_of(name: str, dtype: torch.dtype, precision: str, shared: bool) -> Values:
    """The same networks, images and noise in one arithmetic or another."""
    exact, _ = steps(name, 4, 4, use_bn=True)
    noise = Noise(*(draw.to(dtype) for draw in dataclasses.astuple(exact.noise)))
    kind = SharedValues if shared else Values
    return kind(exact.f.to(dtype), exact.g.to(dtype), exact.x.to(dtype), noise, "sphere", EPSILON, precision=precision)


def flat(gradients: tuple[GRADIENTS, GRADIENTS]) -> torch.Tensor:
    return torch.cat([gradient.double().flatten() for network in gradients for gradient in network.values()])


@pytest.mark.parametrize("model", ["lpga", "vpga", "lvpga"])
def test_bfloat16_leaves_the_decoder_s_gradient_to_the_byte_and_the_encoder_s_nearly(model):
    """With β = 0 the one term that it touches beside small differences is L_lr,N, which moves φ alone."""
    weight = model_weights(model, beta=0.0)
    phi, theta = shared_gradients(model, values_of("conv_32", torch.float32, "float32", shared=True), weight)
    phi_reduced, theta_reduced = shared_gradients(model, values_of("conv_32", torch.float32, "bfloat16", shared=True), weight)
    assert all(torch.equal(theta_reduced[name], gradient) for name, gradient in theta.items())
    whole, reduced = (torch.cat([gradient.flatten() for gradient in found.values()]) for found in (phi, phi_reduced))
    assert not torch.equal(whole, reduced)
    assert torch.cosine_similarity(whole, reduced, dim=0) > 0.99


@pytest.mark.parametrize("name", ["conv_8", "conv_32"])
@pytest.mark.parametrize("term", ["r", "lr_n", "lr_h", "nll_phi", "kl", "elbo_r"])
def test_terms_that_bear_bfloat16_keep_their_direction(term, name):
    """Each alone, where no difference of h is on: the gradient's cosine with the one in float64."""
    found = []
    for dtype, precision in ((torch.float64, "float64"), (torch.float32, "bfloat16")):
        values = values_of(name, dtype, precision, shared=False)
        value = term_value(term, values)
        assert value.dtype == dtype
        found.append(flat(gradients_of(value, values.f, values.g)))
    assert not torch.equal(*found)
    assert torch.cosine_similarity(*found, dim=0) > 0.99


@pytest.mark.parametrize("model", ["lpga", "vpga", "lvpga", "vae"])
def test_tf32_is_on_wherever_products_are_taken_but_for_what_differences_read(model, monkeypatch):
    """The switch at every forward pass and every layer's backward pass; on a CPU nobody heeds it: the same bytes as float32."""
    shared, weight = model != "vae", model_weights(model, **({} if model == "vae" else {"beta": 0.0}))
    plain = shared_gradients(model, values_of("conv_32", torch.float32, "float32", shared), weight)
    seen = []

    def watched(network: str) -> Callable[..., None]:
        def forward(module: nn.Module, received: object, result: torch.Tensor) -> None:
            seen.append((network, "forward", switch()))
            if result.requires_grad:
                result.register_hook(lambda gradient: seen.append((network, "backward", switch())))

        return forward

    def switch() -> bool:
        assert torch.backends.cuda.matmul.allow_tf32 == torch.backends.cudnn.allow_tf32
        return torch.backends.cuda.matmul.allow_tf32

    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)  # as a training begins
    values = values_of("conv_32", torch.float32, "tf32", shared)
    values.f.mean.register_forward_hook(watched("f"))
    values.g.layers[0].register_forward_hook(watched("g"))
    found = shared_gradients(model, values, weight)
    assert not switch()
    for received, expected in zip(found, plain, strict=True):
        assert all(torch.equal(received[name], gradient) for name, gradient in expected.items())
    on, off = ({(network, way): 0 for network in "fg" for way in ("forward", "backward")} for _ in range(2))
    for network, way, is_on in seen:
        (on if is_on else off)[network, way] += 1
    # f: h(z_N) is on; f(x̂) and h at the other code are off. g: g(z_N) is on, x̂ and the other code off forward; back through x̂ once each.
    expected = {("f", "forward"): (1, 2), ("g", "forward"): (1, 2), ("f", "backward"): (1, 2), ("g", "backward"): (1, 2)}
    if model == "vae":  # z is decoded once
        expected = {("f", "forward"): (0, 0), ("g", "forward"): (1, 0), ("f", "backward"): (0, 0), ("g", "backward"): (1, 0)}
    assert {key: (on[key], off[key]) for key in on} == expected


def test_a_run_in_bfloat16_keeps_float32_weights_and_goes_on_from_a_checkpoint_with_the_same_bytes():
    run = a_run("lpga", "conv_8", precision="bfloat16", warmup_steps=3, learning_rate=0.02)
    whole, broken = Trainer(run, digits_like(), CPU), Trainer(run, digits_like(), CPU)
    for step in range(8):
        whole.advance(), broken.advance()
        if step in (1, 5):  # in the warm-up and after it
            tensors, record = broken.state()
            broken = Trainer(run, digits_like(), CPU)
            broken.restore(tensors, record)
    full = Trainer(dataclasses.replace(run, precision="float32"), digits_like(), CPU)
    for _ in range(8):
        full.advance()
    for name, tensor in whole.tensors().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, broken.tensors()[name]), name
    assert not all(torch.equal(tensor, full.tensors()[name]) for name, tensor in whole.tensors().items())
    assert run.digest != dataclasses.replace(run, precision="float32").digest
    assert density.batch_for(run, np.zeros((2, 8, 8, 1), np.uint8), CPU).dtype == torch.float32
