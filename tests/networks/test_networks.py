"""The networks against the paper's table, TensorFlow's padding, and the laws that batch normalisation must keep apart."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from layers_run import executed, same_convolution
from scipy import stats
from torch import Tensor, nn

from pga.networks.architectures import NETWORKS
from pga.networks.build import build
from pga.networks.dcgan import FromImage, SameConv2d, SameConvTranspose2d, ToImage

# method.md, "Networks": the layers in order, batch normalisation where marked, if the run switches it on
TABLE = {
    "conv_mnist": (
        (28, 1),
        "conv dim → conv 2dim (BN) → fc 1024 (BN) → fc H",
        "fc 1024 → fc 7·7·2dim (BN) → deconv dim → deconv 1",
    ),
    "conv_32": (
        (32, 3),
        "conv dim → conv 2dim (BN) → conv 4dim (BN) → fc H",
        "fc 4·4·4dim → deconv 2dim (BN) → deconv dim → deconv 3",
    ),
    "conv_64": (
        (64, 3),
        "conv dim → conv 2dim → conv 4dim (BN) → conv 8dim (BN) → fc H",
        "fc 4·4·8dim → deconv 4dim (BN) → deconv 2dim (BN) → deconv dim → deconv 3",
    ),
}
# for the embedded default, not the paper's
OURS = {
    "conv_8": ((8, 1), "conv dim → conv 2dim (BN) → fc H", "fc 2·2·2dim → deconv dim → deconv 1"),
    "dense_8": ((8, 1), "fc dim (BN) → fc dim (BN) → fc H", "fc dim (BN) → fc dim (BN) → fc 64"),
}
ALL = TABLE | OURS
SHAPES = {name: row[0] for name, row in ALL.items()} | {"resnet_32": (32, 3), "resnet_8": (8, 1)}
WIDTH, H = 3, 5

SIDES = pytest.mark.parametrize("side", ["encoder", "decoder"])
EVERY = pytest.mark.parametrize("name", SHAPES)


def layers_of(table: str, width: int, latent_dim: int, use_bn: bool) -> list[tuple[str, int, bool]]:
    """(kind, outputs, batch normalisation follows) of each layer in a line of the table."""
    layers = []
    for layer in table.split(" → "):
        kind, outputs = layer.removesuffix(" (BN)").split(" ")
        factors = re.sub(r"(\d)dim", r"\1·dim", outputs).split("·")
        product = math.prod({"dim": width, "H": latent_dim}.get(factor) or int(factor) for factor in factors)
        layers.append((kind, product, use_bn and layer.endswith("(BN)")))
    return layers


def pair(
    name: str, use_bn: bool, sigma_head: bool = False, width: int = WIDTH, latent_dim: int = H, seed: int = 0
) -> tuple[nn.Module, nn.Module]:
    return build(name, width, latent_dim, use_bn, sigma_head, seed)


def inputs(name: str, side: str, batch: int = 4, seed: int = 0) -> Tensor:
    size, channels = SHAPES[name]
    generator = torch.Generator().manual_seed(seed)
    if side == "encoder":
        return 2 * torch.rand(batch, channels, size, size, generator=generator) - 1
    return torch.randn(batch, H, generator=generator)


def network_of(name: str, side: str, use_bn: bool) -> nn.Module:
    encoder, decoder = pair(name, use_bn)
    return encoder if side == "encoder" else decoder


# The table


@pytest.mark.parametrize(
    ("name", "latent_dim", "encoder_millions", "decoder_millions"),
    [("conv_mnist", 12, 6.64, 6.65), ("conv_32", 128, 1.55, 1.56), ("conv_64", 128, 5.36, 5.36)],
)
def test_parameters_are_as_many_as_in_the_released_networks(name, latent_dim, encoder_millions, decoder_millions):
    """With batch normalisation as the paper's runs have it: off on MNIST, on elsewhere."""
    networks = build(name, 64, latent_dim, use_bn=name != "conv_mnist", sigma_head=False, seed=0)
    counts = [sum(p.numel() for p in network.parameters()) / 1e6 for network in networks]
    assert [round(count, 2) for count in counts] == [encoder_millions, decoder_millions]


def test_the_table_of_networks_is_covered():
    ours = {name: (row.size, row.channels) for name, row in NETWORKS.items() if not name.startswith("ghosh")}
    assert ours == SHAPES, "say in this file which layers the network has"


@pytest.mark.parametrize("use_bn", [False, True], ids=["no_bn", "bn"])
@SIDES
@pytest.mark.parametrize("name", ALL)
def test_layers_are_those_of_the_table(name, side, use_bn):
    """Kinds, widths, kernels, where batch normalisation sits, no bias where it follows, activations."""
    expected = layers_of(ALL[name][1 if side == "encoder" else 2], WIDTH, H, use_bn)
    found = executed(network_of(name, side, use_bn), inputs(name, side))
    kinds = {"conv": nn.Conv2d, "deconv": nn.ConvTranspose2d, "fc": nn.Linear}
    for number, (kind, outputs, bn) in enumerate(expected):
        layer = found.pop(0)
        assert isinstance(layer, kinds[kind])
        assert (layer.out_features if kind == "fc" else layer.out_channels) == outputs
        assert (layer.bias is None) == bn
        if kind != "fc":
            assert (layer.kernel_size, layer.stride, layer.dilation, layer.groups) == ((5, 5), (2, 2), (1, 1), 1)
        if bn:
            norm = found.pop(0)
            assert isinstance(norm, (nn.BatchNorm1d, nn.BatchNorm2d))
            assert (norm.num_features, norm.eps) == (outputs, 1e-3)
        if number < len(expected) - 1:
            activation = found.pop(0)
            assert isinstance(activation, nn.LeakyReLU if side == "encoder" else nn.ReLU)
            assert getattr(activation, "negative_slope", 0.2) == 0.2
    assert [type(module) for module in found] == ([] if side == "encoder" else [nn.Tanh])


@EVERY
def test_shapes(name):
    size, channels = SHAPES[name]
    encoder, decoder = pair(name, use_bn=True, sigma_head=True)
    x = inputs(name, "encoder")
    mu, log_var = encoder.posterior(x)
    assert mu.shape == log_var.shape == (4, H)
    assert torch.equal(mu, encoder(x))
    images = decoder(inputs(name, "decoder"))
    assert images.shape == (4, channels, size, size)
    assert images.abs().max() <= 1


def test_without_a_sigma_head_there_is_no_log_variance():
    encoder, _ = pair("conv_8", use_bn=False, sigma_head=False)
    assert encoder.posterior(inputs("conv_8", "encoder"))[1] is None
    assert not any("log_var" in name for name, _ in encoder.named_parameters())


def test_both_heads_read_the_same_features():
    encoder, _ = pair("conv_8", use_bn=True, sigma_head=True)
    with torch.no_grad():
        encoder.log_var.weight.copy_(encoder.mean.weight)
        encoder.log_var.bias.copy_(encoder.mean.bias)
    mu, log_var = encoder.posterior(inputs("conv_8", "encoder"))
    assert torch.equal(mu, log_var)


# TensorFlow's SAME padding, and its adjoint


def turned(x: Tensor) -> Tensor:
    """Turned by 180°, as the networks' maps and kernels lie."""
    return x.flip(-2, -1)


@pytest.mark.parametrize("size", [2, 4, 8, 14, 28])
@pytest.mark.parametrize("kind", [SameConv2d, FromImage])
def test_convolution_pads_as_tensorflow(kind, size):
    generator = torch.Generator().manual_seed(size)
    layer = kind(3, 4, bias=True).double()
    x = torch.randn(2, 3, size, size, generator=generator, dtype=torch.float64)
    found = turned(layer(x if kind is FromImage else turned(x))).detach().numpy()
    kernel, bias = turned(layer.weight.detach()).numpy(), layer.bias.detach().numpy()
    expected = np.stack([same_convolution(image, kernel, 2) + bias[:, None, None] for image in x.numpy()])
    assert found.shape == (2, 4, size // 2, size // 2)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("size", [2, 4, 8, 14, 28])
@pytest.mark.parametrize("kinds", [(SameConv2d, SameConvTranspose2d), (FromImage, ToImage)])
def test_transposed_convolution_is_the_exact_adjoint(kinds, size):
    """⟨A x, y⟩ = ⟨x, A′ y⟩, and A′ y is the gradient of ⟨A x, y⟩, which is how TensorFlow defines it."""
    generator = torch.Generator().manual_seed(size)
    A, adjoint = kinds[0](3, 4, bias=False).double(), kinds[1](4, 3, bias=False).double()
    adjoint.weight.data = A.weight.data
    x = torch.randn(2, 3, size, size, generator=generator, dtype=torch.float64, requires_grad=True)
    y = torch.randn(2, 4, size // 2, size // 2, generator=generator, dtype=torch.float64)
    left, right = (A(x) * y).sum(), (x * adjoint(y)).sum()
    assert (left - right).abs() < 1e-12 * A(x).norm() * y.norm()
    torch.testing.assert_close(adjoint(y), torch.autograd.grad(left, x)[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", [SameConvTranspose2d, ToImage])
def test_transposed_convolution_adds_its_bias_everywhere(kind):
    layer = kind(2, 3, bias=True)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.constant_(layer.bias, 0.5)
    assert torch.equal(layer(torch.randn(1, 2, 4, 4)), torch.full((1, 3, 8, 8), 0.5))


@EVERY
def test_there_are_no_running_averages_and_evaluation_is_training(name):
    for network, side in zip(pair(name, use_bn=True), ("encoder", "decoder"), strict=True):
        assert list(network.buffers()) == []
        with torch.no_grad():
            first, again, evaluated = (network.train(training)(inputs(name, side)) for training in (True, True, False))
        assert torch.equal(first, again) and torch.equal(first, evaluated)


# Initial weights


@EVERY
def test_weights_are_glorot_uniform_and_biases_zero(name):
    for network in build(name, 32, 16, use_bn=True, sigma_head=False, seed=0):
        for module in network.modules():
            if not isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
                continue
            area = math.prod(module.weight.shape[2:])
            fans = module.weight.shape[0] + module.weight.shape[1]
            bound = math.sqrt(6 / (area * fans))
            drawn = module.weight.detach().flatten().numpy()
            assert np.abs(drawn).max() <= bound
            some = drawn[:: max(1, len(drawn) // 20_000)]
            assert stats.kstest(some, stats.uniform(-bound, 2 * bound).cdf).pvalue > 1e-4
            assert module.bias is None or not module.bias.any()


def test_sigma_starts_at_a_tenth():
    encoder, _ = build("conv_8", 32, 16, use_bn=False, sigma_head=True, seed=0)
    assert not torch.equal(encoder.log_var.weight, encoder.mean.weight)
    with torch.no_grad():
        log_var = encoder.posterior(torch.zeros(2, 1, 8, 8))[1]  # all biases are zero, so are the features of a grey image
    assert (0.5 * log_var).exp().flatten().tolist() == pytest.approx([0.1] * 32)


def test_build_depends_on_its_seed_alone_and_leaves_global_randomness_untouched():
    def flat(seed: int) -> Tensor:
        return torch.cat([p.detach().flatten() for network in pair("conv_32", True, True, seed=seed) for p in network.parameters()])

    torch.manual_seed(123)
    before = torch.get_rng_state()
    first = flat(0)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(456)
    assert torch.equal(first, flat(0))
    other = flat(1)
    assert float((first != other).double().mean()) > 0.9
