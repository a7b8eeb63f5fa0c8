"""The paper's DCGAN-like layers, from a row of `pga.networks.architectures` (the authors' released code).

5×5 kernels and stride 2 everywhere, leaky ReLU (0.2) in the encoder, ReLU in the decoder, tanh at the output, no bias where
batch normalisation follows.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pga.networks.architectures import Dcgan
from pga.networks.autoencoder import batch_norm


class SameConv2d(nn.Conv2d):
    """Stride-2 convolution with TensorFlow's SAME padding for even sizes, of feature maps that are turned by 180°.

    SAME pads one row and column before and two after, which costs a copy of every map here. Turned by 180°, map and kernel, it is
    the symmetric padding of 2 that convolutions have built in; so the networks work on turned maps, and only images are turned.
    """

    def __init__(self, inputs: int, outputs: int, bias: bool):
        super().__init__(inputs, outputs, kernel_size=5, stride=2, padding=2, bias=bias)


class SameConvTranspose2d(nn.ConvTranspose2d):
    """The exact adjoint of `SameConv2d`: (B, inputs, S, S) → (B, outputs, 2S, 2S)."""

    def __init__(self, inputs: int, outputs: int, bias: bool):
        super().__init__(inputs, outputs, kernel_size=5, stride=2, padding=2, output_padding=1, bias=bias)


class FromImage(SameConv2d):
    """The encoder's first convolution: turns the image.

    With few channels its gradient for the image is slow; where this gradient is wanted the layer works on the image's 2×2 blocks
    as channels, which is the same sum (`block_kernel`).
    """

    def forward(self, input: Tensor) -> Tensor:
        """(B, inputs, S, S) → (B, outputs, S/2, S/2)."""
        turned = input.flip(-2, -1)
        if not (torch.is_grad_enabled() and input.requires_grad):
            return super().forward(turned)
        return F.conv2d(F.pixel_unshuffle(turned, 2), block_kernel(self.weight), self.bias, padding=1)


class ToImage(SameConvTranspose2d):
    """The decoder's last layer: its four outputs per place are channels first, then a 2×2 block of the image; turns the image back.

    A transposed convolution to so few channels is several times slower than the convolution that it equals.
    """

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(B, inputs, S, S) → (B, outputs, 2S, 2S)."""
        kernel = block_kernel(self.weight).transpose(0, 1).flip(-2, -1).contiguous(memory_format=torch.channels_last)
        bias = None if self.bias is None else self.bias.repeat_interleave(4)
        return F.pixel_shuffle(F.conv2d(input, kernel, bias, padding=1), 2).flip(-2, -1)


def block_kernel(kernel: Tensor) -> Tensor:
    """(F, C, 5, 5) of stride 2 and padding 2 → (F, 4C, 3, 3) of stride 1 and padding 1 on images with 2×2 blocks as channels."""
    features, channels = kernel.shape[:2]
    blocks = F.pad(kernel, (0, 1, 0, 1)).view(features, channels, 3, 2, 3, 2)  # rows, row in block, columns, column in block
    merged = blocks.permute(0, 1, 3, 5, 2, 4).reshape(features, 4 * channels, 3, 3)
    return merged.contiguous(memory_format=torch.channels_last)


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
        kind = SameConv2d if layers else FromImage
        layers += [kind(inputs, outputs, bias=not bn), *batch_norm(nn.BatchNorm2d, outputs, bn), nn.LeakyReLU(0.2)]
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
    return [*layers, ToImage(channels, row.channels, bias=True), nn.Tanh()]
