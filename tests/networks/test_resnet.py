"""The residual network of Appendix C: which layers run, in which order, on which sizes."""

from __future__ import annotations

import pytest
import torch
from layers_run import executed, norms
from torch import Tensor, nn

from pga.networks.build import build

H = 5


def convolutions(network: nn.Module, input: Tensor) -> list[tuple[int, int, int, Tensor]]:
    """(kernel, inputs, outputs, what it read) of each convolution that runs."""
    seen: list[tuple[int, int, int, Tensor]] = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda m, args, _: seen.append((m.kernel_size[0], m.in_channels, m.out_channels, args[0])))
    with torch.no_grad():
        network(input)
    return seen


def test_resnet_has_the_blocks_of_appendix_c():
    """Down blocks pool after the sum and up blocks unpool before their convolutions; 1×1 skips where width or scale changes."""
    w = 4
    encoder, decoder = build("resnet_32", w, H, True, False, 0)
    found = [(k, i, o, x.shape[-1]) for k, i, o, x in convolutions(encoder, torch.randn(2, 3, 32, 32))]
    down = [layer for i, s in ((3, 32), (w, 16)) for layer in ((1, i, w, s), (3, i, w, s), (3, w, w, s))]
    assert sorted(found) == sorted([*down, *[(3, w, w, 8)] * 4])
    found = [(k, i, o, x.shape[-1]) for k, i, o, x in convolutions(decoder, torch.randn(2, H))]
    up = [layer for i, s in ((4 * w, 8), (w, 16), (w, 32)) for layer in ((1, i, w, s), (3, i, w, s), (3, w, w, s))]
    assert sorted(found) == sorted([*up, (3, w, 3, 32)])
    linear = [[(m.in_features, m.out_features) for m in n.modules() if isinstance(m, nn.Linear)] for n in (encoder, decoder)]
    assert linear == [[(w * 8 * 8, H)], [(H, 4 * 4 * 4 * w)]]
    assert [len(norms(n)) for n in (encoder, decoder)] == [1 + 2 + 2 + 2, 2 + 2 + 2]
    assert [len(norms(n)) for n in build("resnet_32", w, H, False, False, 0)] == [0, 0]


def test_resnet_unpools_by_inserting_zeros():
    _, decoder = build("resnet_32", 4, H, False, False, 0)
    for kernel, _, _, read in convolutions(decoder, torch.randn(2, H)):
        if kernel == 1:
            kept = read[..., ::2, ::2]
            assert kept.any()
            assert read.count_nonzero() == kept.count_nonzero()


@pytest.mark.parametrize("use_bn", [False, True], ids=["no_bn", "bn"])
def test_resnet_normalises_before_and_after_the_first_convolution_of_a_block(use_bn):
    """Order of execution per block, batch normalisation in brackets; only the convolution that it follows has no bias."""
    encoder, decoder = build("resnet_32", 4, H, use_bn, False, 0)
    short = {"Conv2d": "conv", "BatchNorm2d": "bn", "ReLU": "relu", "AvgPool2d": "pool", "Linear": "fc", "Tanh": "tanh"}
    for network, input, blocks, end in (
        (encoder, torch.randn(2, 3, 32, 32), [False, True, True, True], ["relu", "fc"]),
        (decoder, torch.randn(2, H), [True, True, True], ["relu", "conv", "tanh"]),
    ):
        run = [module for module in executed(network, input) if type(module).__name__ in short]
        residual = [short[type(m).__name__] for m in run if getattr(m, "kernel_size", None) != (1, 1) and not isinstance(m, nn.AvgPool2d)]
        block = ["bn", "relu", "conv", "bn", "relu", "conv"]
        expected = [layer for before in blocks for layer in (block if before else block[2:])] + end
        if network is decoder:
            expected = ["fc", *expected]
        assert residual == [layer for layer in expected if use_bn or layer != "bn"]
        biases = [m.bias is not None for m in run if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
        assert biases == [not use_bn, True] * len(blocks) + [True] * (network is decoder)
        assert all(m.bias is not None for m in run if isinstance(m, nn.Linear) or getattr(m, "kernel_size", None) == (1, 1))
