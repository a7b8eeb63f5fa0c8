"""What a network runs, and TensorFlow's convolution written in loops."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn


def executed(network: nn.Module, input: Tensor) -> list[nn.Module]:
    """The leaf modules in the order in which they run."""
    seen: list[nn.Module] = []
    hooks = [m.register_forward_hook(lambda module, *_: seen.append(module)) for m in network.modules() if not list(m.children())]
    with torch.no_grad():
        network(input)
    for hook in hooks:
        hook.remove()
    return [module for module in seen if not isinstance(module, (nn.Flatten, nn.Unflatten))]


def norms(network: nn.Module) -> list[nn.Module]:
    return [module for module in network.modules() if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d))]


def same_convolution(x: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """TensorFlow's SAME convolution in loops: x (channels, S, S), kernel (outputs, channels, k, k)."""
    k, size = kernel.shape[-1], x.shape[-1]
    out = math.ceil(size / stride)
    total = max((out - 1) * stride + k - size, 0)
    before = total // 2
    result = np.zeros((len(kernel), out, out))
    for row in range(out):
        for column in range(out):
            for i in range(k):
                for j in range(k):
                    r, c = row * stride - before + i, column * stride - before + j
                    if 0 <= r < size and 0 <= c < size:
                        result[:, row, column] += kernel[:, :, i, j] @ x[:, r, c]
    return result
