"""The paper's DCGAN-like layers, from a row of `pga.networks.table` (the authors' released code).

5×5 kernels and stride 2 everywhere, leaky ReLU (0.2) in the encoder, ReLU in the decoder, tanh at the output, no bias where
batch normalisation follows.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from pga.networks.autoencoder import batch_norm
from pga.networks.table import Dcgan


class SameConv2d(nn.Conv2d):
    """Stride-2 convolution with TensorFlow's SAME padding for even sizes: one row and column before, two after."""

    def __init__(self, inputs: int, outputs: int, bias: bool):
        super().__init__(inputs, outputs, kernel_size=5, stride=2, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        """(B, inputs, S, S) → (B, outputs, S/2, S/2)."""
        return super().forward(F.pad(input, (1, 2, 1, 2)))


class SameConvTranspose2d(nn.ConvTranspose2d):
    """The exact adjoint of `SameConv2d`: padding 1, then the last row and column dropped."""

    def __init__(self, inputs: int, outputs: int, bias: bool):
        super().__init__(inputs, outputs, kernel_size=5, stride=2, padding=1, bias=bias)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(B, inputs, S, S) → (B, outputs, 2S, 2S)."""
        return super().forward(input, output_size)[..., :-1, :-1]


def encoder_layers(row: Dcgan, width: int, use_bn: bool) -> tuple[list[nn.Module], int]:
    """Layers from the image to a vector, and the vector's length.

    Args:
        row: of the table of networks.
        width: channels of the first convolution (the paper's `dim`).
        use_bn: whether the run switches batch normalisation on.
    """
    layers: list[nn.Module] = []
    inputs = row.channels
    for multiple, bn_follows in row.encoder:
        bn = bn_follows and use_bn
        outputs = multiple * width
        layers += [SameConv2d(inputs, outputs, bias=not bn), *batch_norm(nn.BatchNorm2d, outputs, bn), nn.LeakyReLU(0.2)]
        inputs = outputs
    features = inputs * (row.size // 2 ** len(row.encoder)) ** 2
    layers.append(nn.Flatten())
    if row.hidden:
        layers += [nn.Linear(features, row.hidden, bias=not use_bn), *batch_norm(nn.BatchNorm1d, row.hidden, use_bn), nn.LeakyReLU(0.2)]
        features = row.hidden
    return layers, features


def decoder_layers(row: Dcgan, width: int, latent_dim: int, use_bn: bool) -> list[nn.Module]:
    """Layers from the code to the image; arguments as for `encoder_layers`."""
    layers: list[nn.Module] = []
    inputs = latent_dim
    if row.hidden:
        layers += [nn.Linear(inputs, row.hidden), nn.ReLU()]
        inputs = row.hidden
    start = row.size // 2 ** len(row.encoder)
    channels = row.encoder[-1][0] * width
    stem_bn = row.stem_bn and use_bn
    layers += [nn.Linear(inputs, channels * start**2, bias=not stem_bn), *batch_norm(nn.BatchNorm1d, channels * start**2, stem_bn)]
    layers += [nn.ReLU(), nn.Unflatten(1, (channels, start, start))]
    for multiple, bn_follows in row.decoder:
        bn = bn_follows and use_bn
        outputs = multiple * width
        layers += [SameConvTranspose2d(channels, outputs, bias=not bn), *batch_norm(nn.BatchNorm2d, outputs, bn), nn.ReLU()]
        channels = outputs
    return [*layers, SameConvTranspose2d(channels, row.channels, bias=True), nn.Tanh()]
