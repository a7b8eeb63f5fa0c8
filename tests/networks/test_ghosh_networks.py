"""The networks of the block from Ghosh et al. 2019, as method.md and the evidence describe their code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from layers_run import executed, norms, same_convolution
from torch import nn

from pga.networks.architectures import NETWORKS, unit_range
from pga.networks.build import build
from pga.networks.ghosh import Conv, ConvTranspose
from pga.params.experiment import load_experiment
from pga.params.run import Run

WIDTH, H = 2, 5
# name: image size, channels, kernel, transposed convolutions as multiples of the first width (128: 512, 256, 128)
GHOSH = {
    "ghosh_32_grey": (32, 1, 4, [4, 2]),
    "ghosh_32": (32, 3, 4, [4, 2]),
    "ghosh_64": (64, 3, 5, [4, 2, 1]),
    "ghosh_64_cv": (64, 3, 5, [4, 2, 1]),
}
EVERY = pytest.mark.parametrize("name", GHOSH)


def ghosh_runs() -> list[Run]:
    scale = load_experiment(Path(__file__).parents[2] / "params/paper.yaml")
    return [run for run in scale.all_runs() if run.seed == 0 and run.network in GHOSH]


def images(name: str) -> torch.Tensor:
    size, channels, _, _ = GHOSH[name]
    return torch.rand(4, channels, size, size, generator=torch.Generator().manual_seed(0))


def codes() -> torch.Tensor:
    return torch.randn(4, H, generator=torch.Generator().manual_seed(1))


def test_these_are_all_and_only_they_have_images_from_zero_to_one():
    assert {name for name in NETWORKS if unit_range(name)} == set(GHOSH)


@EVERY
def test_layers_are_those_of_the_described_networks(name):
    """Four strided convolutions 128-256-512-1024, each with BN and ReLU, fc; fc 8·8·1024, transposed ones alike, a last of stride 1."""
    size, channels, kernel, up = GHOSH[name]
    encoder, decoder = build(name, WIDTH, H, True, False, 0)
    run = [m for m in executed(encoder, images(name)) if isinstance(m, (nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.Linear))]
    assert [type(m).__bases__[0] if isinstance(m, Conv) else type(m) for m in run] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU] * 4 + [nn.Linear]
    assert [(m.out_channels, m.kernel_size[0], m.stride[0]) for m in run if isinstance(m, nn.Conv2d)] == [
        (multiple * WIDTH, kernel, 2) for multiple in (1, 2, 4, 8)
    ]
    assert run[-1].in_features == 8 * WIDTH * (size // 16) ** 2

    run = executed(decoder, codes())
    kinds = [nn.Linear, *[ConvTranspose, nn.BatchNorm2d, nn.ReLU] * len(up), ConvTranspose, nn.Sigmoid]
    assert [type(m) for m in run] == kinds
    assert run[0].out_features == 8 * 8 * (16 if name == "ghosh_64_cv" else 8) * WIDTH
    assert [(m.out_channels, m.kernel_size[0], m.stride[0]) for m in run if isinstance(m, ConvTranspose)] == [
        *((multiple * WIDTH, kernel, 2) for multiple in up),
        (channels, kernel, 1),
    ]
    assert all(m.bias is not None for n in (encoder, decoder) for m in n.modules() if isinstance(m, (nn.Conv2d, ConvTranspose, nn.Linear)))


@pytest.mark.parametrize("run", ghosh_runs(), ids=lambda run: f"{run.dataset}-{run.name}")
def test_the_decoders_first_map_has_1024_channels_whatever_the_width(run):
    """CV-VAE on CelebA has half the filters; their decoder starts with the same fc 8·8·1024."""
    row = NETWORKS[run.network]
    assert row.stem * run.width == 1024
    assert (run.width == 64) == (run.dataset == "celeba140" and run.model == "cvvae")


@EVERY
def test_images_are_from_zero_to_one_and_the_encoder_sees_them_from_minus_one_but_for_celeba(name):
    encoder, decoder = build(name, WIDTH, H, True, False, 0)
    made = decoder(codes())
    assert made.shape == images(name).shape
    assert 0 <= made.min() < made.max() <= 1
    seen: list[torch.Tensor] = []
    next(m for m in encoder.modules() if isinstance(m, Conv)).register_forward_hook(lambda _, args, __: seen.append(args[0]))
    encoder(images(name))
    torch.testing.assert_close(seen[0], images(name) if name.startswith("ghosh_64") else 2 * images(name) - 1)


@EVERY
def test_batch_normalisation_keeps_running_averages_for_evaluation(name):
    """Keras's: ε 1e-3 and decay 0.99; in evaluation an image's code does not depend on the batch around it."""
    encoder, _ = build(name, WIDTH, H, True, False, 0)
    assert norms(encoder)
    assert {(norm.eps, norm.momentum, norm.track_running_stats) for norm in norms(encoder)} == {(1e-3, 0.01, True)}
    x = images(name)
    with torch.no_grad():
        alone, together = encoder.train()(x[:2]), encoder(x)[:2]
        assert (alone - together).abs().max() > 1e-3
        alone, together = encoder.eval()(x[:2]), encoder(x)[:2]
    torch.testing.assert_close(alone, together, rtol=1e-4, atol=1e-5)


def test_log_sigma_is_bounded_by_five():
    encoder, _ = build("ghosh_32_grey", WIDTH, H, True, True, 0)
    x = images("ghosh_32_grey")
    features = encoder.features.eval()(x)
    torch.testing.assert_close(encoder.posterior(x)[1], 2 * 5 * torch.tanh(encoder.log_var(features)))
    encoder.log_var.weight.data *= 1e4
    assert 9.9 < encoder.posterior(x)[1].abs().max() <= 10


@pytest.mark.parametrize(("kernel", "stride"), [(4, 2), (5, 2), (4, 1), (5, 1)])
def test_convolutions_pad_as_tensorflow_and_transposed_ones_are_adjoint(kernel, stride):
    generator, size = torch.Generator().manual_seed(0), 8
    up = ConvTranspose(4, 3, kernel, stride).double()
    nn.init.zeros_(up.bias)
    y = torch.randn(1, 4, size // stride, size // stride, generator=generator, dtype=torch.float64)
    x = torch.randn(1, 3, size, size, generator=generator, dtype=torch.float64)
    down = same_convolution(x[0].numpy(), up.weight.detach().numpy(), stride)
    assert up(y).shape == x.shape
    assert (up(y) * x).sum().item() == pytest.approx(float((down * y[0].numpy()).sum()), rel=1e-12)
    if stride == 2:
        conv = Conv(3, 4, kernel).double()
        conv.weight.data, conv.bias.data = up.weight.data, torch.zeros(4, dtype=torch.float64)
        np.testing.assert_allclose(conv(x)[0].detach().numpy(), down, atol=1e-12)


@pytest.mark.parametrize("name", ["ghosh_32", "conv_8"])
def test_spectral_normalisation_bounds_every_kernel(name):
    """RAE-SN: once the power iteration has settled, the largest singular value of every kernel is one, as outputs × rest, and of a
    transposed convolution's as inputs × rest, which is how Ghosh et al. flatten it."""
    kinds = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
    size, channels = NETWORKS[name].size, NETWORKS[name].channels
    encoder, decoder = build(name, WIDTH, H, False, False, 0, spectral=True)
    x = torch.rand(2, channels, size, size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for _ in range(100):
            decoder(encoder(x))
    largest = []
    for module in (m for network in (encoder, decoder) for m in network.modules() if isinstance(m, kinds)):
        largest.append(torch.linalg.matrix_norm(module.weight.detach().flatten(1), 2).item())
    plain = [m for network in build(name, WIDTH, H, False, False, 0) for m in network.modules() if isinstance(m, kinds)]
    assert largest == pytest.approx([1.0] * len(plain), abs=0.01)
