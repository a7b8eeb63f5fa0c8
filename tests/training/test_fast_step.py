"""The fast forms of the step against plain ones: layers as TensorFlow has them, the fused update, float32 against float64."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import reference_step as literal
import torch
import torch.nn.functional as F
from paired_steps import (
    BATCH_NORM,
    COEFFICIENTS,
    EPSILON,
    NETWORKS,
    assert_same,
    model_weights,
    noise_of,
    shared_gradients,
    steps,
    training_gradients,
)
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from pga.method.shared import SharedValues
from pga.method.values import Noise
from pga.networks.architectures import NETWORKS as NETWORKS_TABLE
from pga.networks.autoencoder import Encoder
from pga.networks.build import build
from pga.networks.dcgan import FromImage, SameConv2d, SameConvTranspose2d
from pga.params.experiment import load_experiment
from pga.params.run import Run
from pga.runtime import devices
from pga.runtime.cuda_graph import reason
from pga.training.trainer import Trainer

STRIDED = ("conv_8", "conv_mnist", "conv_32", "conv_64")


def turned(x: Tensor) -> Tensor:
    return x.flip(-2, -1)


def plain(layers: Iterator[nn.Module], x: Tensor) -> Tensor:
    """The same layers on maps that are not turned: an asymmetric copy, the stride, a crop; kernels turned instead."""
    for layer in layers:
        if isinstance(layer, SameConv2d):
            x = F.conv2d(F.pad(x, (1, 2, 1, 2)), turned(layer.weight), layer.bias, stride=2)
        elif isinstance(layer, SameConvTranspose2d):
            x = F.conv_transpose2d(x, turned(layer.weight), layer.bias, stride=2, padding=1)[..., :-1, :-1]
        elif isinstance(layer, (nn.Flatten, nn.Unflatten)):  # where maps and vectors meet, the order of the vector is that of turned maps
            x = layer(turned(x)) if x.ndim == 4 else turned(layer(x))
        else:
            x = layer(x)
    return x


@pytest.mark.parametrize("use_bn", [False, True], ids=["no_bn", "bn"])
@pytest.mark.parametrize("name", STRIDED)
def test_networks_on_turned_maps_are_the_plain_networks(name, use_bn):
    """Values, and gradients for parameters, images and codes."""
    encoder, decoder = (network.double() for network in build(name, 4, 5, use_bn, False, seed=2))
    z = torch.randn(6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    x = torch.tanh(2 * decoder(z)).detach().requires_grad_()

    def received(code: Tensor, image: Tensor) -> list[Tensor]:
        loss = code.square().sum() + image.pow(3).sum()
        return [code.detach(), image.detach(), *torch.autograd.grad(loss, [x, z, *encoder.parameters(), *decoder.parameters()])]

    fast = received(encoder(x), decoder(z))
    slow = received(encoder.mean(plain(iter(encoder.features), x)), plain(iter(decoder.layers), z))
    for found, expected in zip(fast, slow, strict=True):
        assert float((found - expected).norm()) <= 1e-10 * float(expected.norm())


@pytest.mark.parametrize("channels", [1, 3])
def test_the_first_layer_is_the_same_with_and_without_a_gradient_for_the_image(channels):
    layer = FromImage(channels, 4, bias=True).double()
    x = torch.randn(3, channels, 12, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y = layer(x)
    direct = torch.autograd.grad(y.pow(3).sum(), list(layer.parameters()))
    blocks = layer(x.clone().requires_grad_())
    torch.testing.assert_close(blocks, y, rtol=1e-12, atol=1e-12)
    for found, expected in zip(torch.autograd.grad(blocks.pow(3).sum(), list(layer.parameters())), direct, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


def a_run(model: str, network: str, **changes: object) -> Run:
    coefficients = {name: COEFFICIENTS[name] for name in ("alpha", "beta", "gamma", "vr", "eta") if name in NAMES[model]}
    settings: dict[str, object] = dict(
        dataset="toy", name=model, model=model, seed=3, network=network, width=4, latent_dim=4, batch_norm=True, batch_size=6,
        learning_rate=0.1, momentum=0.9, warmup_steps=0, steps=50, coefficients=coefficients, precision="float64", epsilon=EPSILON,
    )  # fmt: skip
    return Run(**{**settings, **changes})  # type: ignore[arg-type]


NAMES = {"lpga": ("alpha", "beta", "gamma"), "vpga": ("alpha", "beta", "vr", "eta"), "lvpga": ("alpha", "beta", "vr", "gamma", "eta")}


@pytest.mark.parametrize("model", NAMES)
def test_whole_steps_are_the_literal_gradients_and_momentum_by_hand(model):
    """Batches, noise, the shared backward pass and the fused update, three times: 1e-10 of every weight's move."""
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 1), np.uint8)
    run = a_run(model, "conv_8")
    trainer, twin = Trainer(run, images, torch.device("cpu")), Trainer(run, images, torch.device("cpu"))
    start = {name: tensor.clone() for name, tensor in twin.tensors().items()}
    velocity: dict[str, Tensor] = {}
    for _ in range(3):
        trainer.advance()
        x = twin.batch()
        twin.step += 1
        drawn = Noise(*torch.randn(3, len(x), run.latent_dim, generator=twin.noise, dtype=torch.float64))
        step = literal.Step(twin.encoder, twin.decoder, x, drawn.z_n, drawn.xi, drawn.xi_delta, EPSILON)
        gradients = literal.literal_gradients(step, model, run.coefficients)
        for network, gradient in zip(("encoder", "decoder"), gradients, strict=True):
            for name, parameter in getattr(twin, network).named_parameters():
                key = f"{network}.{name}"
                velocity[key] = 0.9 * velocity.get(key, torch.zeros_like(parameter)) + gradient[name]
                parameter.data -= 0.1 * velocity[key]
    for name, found in trainer.tensors().items():
        assert float((found - twin.tensors()[name]).norm()) <= 1e-10 * float((found - start[name]).norm()), name


@pytest.mark.parametrize("beta", [0.0, 0.7])
@pytest.mark.parametrize("model", NAMES)
@pytest.mark.parametrize(("name", "width", "latent_dim"), NETWORKS[:3])
@BATCH_NORM
def test_one_decoding_for_all_terms_gives_the_literal_gradients(use_bn, name, width, latent_dim, model, beta):
    """x̂ of L_r is g(z) of the terms that hold z fixed; θ has its gradient from both, φ from L_r alone. With β > 0 f(x̂) is one, too."""
    values, reference = steps(name, width, latent_dim, use_bn, sigma_head=model != "lpga")
    shared = SharedValues(values.f, values.g, values.x, values.noise, "sphere", EPSILON)
    decoded, encoded = {"once": 0, "twice": 0}, {"once": 0, "twice": 0}
    weight = model_weights(model, beta=beta)
    for key, compute in (
        ("once", lambda: shared_gradients(model, shared, weight)),
        ("twice", lambda: training_gradients(model, values, weight)),
    ):
        hooks = [
            network.register_forward_hook(lambda *_, calls=calls, key=key: calls.update({key: calls[key] + 1}))
            for network, calls in ((values.g, decoded), (values.f, encoded))
        ]
        found = compute()
        for hook in hooks:
            hook.remove()
        for got, expected in zip(found, literal.literal_gradients(reference, model, {**COEFFICIENTS, "beta": beta}), strict=True):
            assert_same(got, expected)
    assert decoded["once"] == decoded["twice"] - 1
    assert encoded["once"] == encoded["twice"] - (beta > 0)


@pytest.mark.parametrize("model", NAMES)
@pytest.mark.parametrize(("name", "width", "latent_dim"), [NETWORKS[1], NETWORKS[2]])
def test_float32_gives_the_literal_gradient_within_a_thousandth(name, width, latent_dim, model):
    """Of each network's whole gradient; h(z+δ) − h(z), a small difference, is what costs the digits."""
    values, reference = steps(name, width, latent_dim, use_bn=name != "conv_mnist", sigma_head=model != "lpga")
    expected = literal.literal_gradients(reference, model, COEFFICIENTS)
    encoder, decoder = values.f.float(), values.g.float()
    noise = Noise(*(draw.float() for draw in dataclasses.astuple(noise_of(latent_dim))))
    found = shared_gradients(model, SharedValues(encoder, decoder, values.x.float(), noise, "sphere", EPSILON), model_weights(model))
    assert isinstance(encoder, Encoder)
    for got, wanted in zip(found, expected, strict=True):
        error = sum(float((got[name].double() - gradient).square().sum()) for name, gradient in wanted.items())
        size = sum(float(gradient.square().sum()) for gradient in wanted.values())
        assert (error / size) ** 0.5 < 1e-3


def digits_like(n: int = 20) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, 8, 8, 1), np.uint8)


@pytest.mark.skipif(torch.cuda.is_available(), reason="GPU: there the recording succeeds")
def test_a_step_that_cannot_be_recorded_runs_eagerly_with_one_warning_and_the_same_bytes(capsys):
    """Without a GPU nothing can be recorded; the attempt leaves weights, velocities, sums and noise as they were."""
    eager, wanting = (Trainer(a_run("lvpga", "conv_8", warmup_steps=2), digits_like(), torch.device("cpu")) for _ in range(2))
    wanting.graph.wanted = True
    for _ in range(5):
        eager.advance(), wanting.advance()
    tensors, record = eager.state()
    found, found_record = wanting.state()
    assert record == found_record and all(torch.equal(tensor, found[name]) for name, tensor in tensors.items())
    assert capsys.readouterr().err.count("warning: this step cannot be a CUDA graph") == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="GPU: none here")
def test_a_step_that_waits_for_the_host_breaks_its_recording_and_then_runs_eagerly_with_the_same_bytes(capsys):
    """After a recording that broke off, the generator draws and the stream is the one before."""
    devices.make_deterministic(1)
    run, device = a_run("lpga", "conv_8", precision="float32"), torch.device("cuda")
    eager, wanting = Trainer(dataclasses.replace(run, graph="never"), digits_like(), device), Trainer(run, digits_like(), device)
    update, stream = wanting.update, torch.cuda.current_stream()

    def waiting(batch_indices, active_terms):
        loss = update(batch_indices, active_terms)
        assert all(math.isfinite(float(term)) for term in loss.terms.values())
        return loss

    wanting.update = waiting
    for _ in range(4):
        eager.advance(), wanting.advance()
    found = wanting.state()[0]
    assert all(torch.equal(tensor, found[name]) for name, tensor in eager.state()[0].items())
    assert torch.cuda.current_stream() == stream
    assert capsys.readouterr().err.count("capturing") == 1, "the reason is the first error, not the end of the recording"


def test_the_reason_of_a_broken_recording_is_what_broke_it():
    def broken():
        try:
            {}["a key that is looked for in passing"]
        except KeyError:
            try:
                raise RuntimeError("not permitted when a stream is capturing\nand much more")
            finally:
                raise RuntimeError("failed due to a previous error during capture")

    with pytest.raises(RuntimeError) as raised:
        broken()
    assert reason(raised.value) == "not permitted when a stream is capturing"


class Operations(TorchDispatchMode):
    """The names of the operations within the block."""

    def __init__(self):
        super().__init__()
        self.found = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.found.add(func.name().removeprefix("aten::"))
        return func(*args, **(kwargs or {}))


WAITING = {"_local_scalar_dense", "nonzero", "equal", "lift_fresh", "masked_select", "randperm", "unique2", "index_put_"}
"""Operations that read values on the host or copy them from it, which no recording bears, or that have no reproducible form on a GPU."""

PAPER = load_experiment(Path(__file__).parents[2] / "params/paper.yaml")


@pytest.mark.parametrize(("name", "dataset"), {name: dataset for dataset, rows in PAPER.datasets.items() for name in rows.runs}.items())
def test_no_row_of_the_paper_has_a_step_that_waits_for_the_host(name, dataset):
    """So that each can be recorded as a CUDA graph; looked at where there is no GPU."""
    small = {"width": 4, "batch_size": 4, "train_images": None, "validation_images": 0, "lr_patience": None, "selection": "last"}
    run = dataclasses.replace(PAPER.run(dataset, name, 0), **small)
    shape = NETWORKS_TABLE[run.network]
    images = np.random.default_rng(0).integers(0, 256, (8, shape.size, shape.size, shape.channels), np.uint8)
    trainer = Trainer(run, images, torch.device("cpu"))
    for on in (tuple(trainer.weights), tuple(trainer.weights)[:1]):
        with Operations() as operations:
            trainer.update(trainer.index_buffer, on)
        assert "convolution_backward" in operations.found and (
            "_fused_sgd_" in operations.found or "_foreach_addcmul_.Scalar" in operations.found
        )
        assert not {operation.partition(".")[0] for operation in operations.found} & WAITING
    with Operations() as operations:
        float(torch.tensor(1.0) + 1)
    assert {"lift_fresh", "_local_scalar_dense"} <= operations.found, "what is looked for would be seen"


def test_what_a_step_changes_is_all_that_it_changes():
    """A recording puts back `changing`; with it and the noise put back, the next step is the same again."""
    trainer = Trainer(a_run("lvpga", "conv_8", optimiser="adam"), digits_like(), torch.device("cpu"))
    trainer.advance()
    before, noise = [tensor.detach().clone() for tensor in trainer.changing()], trainer.noise.get_state()
    ends = []
    for _ in range(2):
        trainer.update(trainer.index_buffer, tuple(trainer.weights))
        ends.append([tensor.detach().clone() for tensor in trainer.changing()])
        with torch.no_grad():
            for tensor, value in zip(trainer.changing(), before, strict=True):
                tensor.copy_(value)
        trainer.noise.set_state(noise)
    assert all(torch.equal(first, second) for first, second in zip(*ends, strict=True))
    assert not all(torch.equal(first, second) for first, second in zip(ends[0], before, strict=True))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="GPU: none here")
@pytest.mark.parametrize("model", NAMES)
def test_a_recorded_step_gives_the_bytes_of_the_eager_one_and_goes_on_from_a_checkpoint(model):
    device, run = torch.device("cuda"), a_run(model, "conv_8", precision="float32", warmup_steps=3)
    devices.make_deterministic(1)
    eager, graph = Trainer(dataclasses.replace(run, graph="never"), digits_like(), device), Trainer(run, digits_like(), device)
    for step in range(12):
        eager.advance(), graph.advance()
        if step == 6:
            tensors, record = graph.state()
            graph = Trainer(run, digits_like(), device)
            graph.restore({name: tensor.cpu() for name, tensor in tensors.items()}, record)
    assert graph.graph.wanted, "the step could not be recorded"
    found = graph.state()[0]
    assert all(torch.equal(tensor, found[name]) for name, tensor in eager.state()[0].items())
