"""The networks of Ghosh et al. 2019, with Keras's defaults as in their code: biases everywhere, running averages for evaluation."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from pga.networks.architectures import Ghosh
from pga.networks.autoencoder import BN_EPSILON

KERAS_MOMENTUM = 0.01  # Keras's decay of 0.99, in PyTorch's convention
FIRST_MAP = 8
"""Height and width of the decoder's first map."""


class Conv(nn.Conv2d):
    """Stride-2 convolution with TensorFlow's SAME padding for even sizes."""

    def __init__(self, inputs: int, outputs: int, kernel: int):
        super().__init__(inputs, outputs, kernel, stride=2)

    def forward(self, input: Tensor) -> Tensor:
        """(B, inputs, S, S) → (B, outputs, S/2, S/2)."""
        before, after = (self.kernel_size[0] - 2) // 2, (self.kernel_size[0] - 1) // 2
        return super().forward(F.pad(input, (before, after, before, after)))


class ConvTranspose(nn.ConvTranspose2d):
    """The adjoint of TensorFlow's SAME convolution with stride 1 or 2."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int):
        super().__init__(inputs, outputs, kernel, stride=stride)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(B, inputs, S, S) → (B, outputs, stride · S, stride · S)."""
        size = input.shape[-1] * self.stride[0]
        before = (self.kernel_size[0] - self.stride[0]) // 2
        return super().forward(input, output_size)[..., before : before + size, before : before + size]


class Signed(nn.Module):
    """[0, 1] → [-1, 1]."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape."""
        return 2 * x - 1


def bn_relu(features: int) -> list[nn.Module]:
    """Batch normalisation with running averages, then ReLU."""
    return [nn.BatchNorm2d(features, eps=BN_EPSILON, momentum=KERAS_MOMENTUM), nn.ReLU()]


def encoder_layers(row: Ghosh, width: int, use_bn: bool) -> tuple[list[nn.Module], int]:
    """Layers from the image to a vector, and the vector's length."""
    layers: list[nn.Module] = [Signed()] if row.signed else []
    inputs = row.channels
    for multiple in row.encoder:
        outputs = multiple * width
        layers += [Conv(inputs, outputs, row.kernel), *(bn_relu(outputs) if use_bn else [nn.ReLU()])]
        inputs = outputs
    return [*layers, nn.Flatten()], inputs * (row.size // 2 ** len(row.encoder)) ** 2


def decoder_layers(row: Ghosh, width: int, latent_dim: int, use_bn: bool) -> list[nn.Module]:
    """Layers from the code to the image."""
    channels = row.stem * width
    layers: list[nn.Module] = [nn.Linear(latent_dim, channels * FIRST_MAP**2), nn.Unflatten(1, (channels, FIRST_MAP, FIRST_MAP))]
    for multiple in row.decoder:
        outputs = multiple * width
        layers += [ConvTranspose(channels, outputs, row.kernel, 2), *(bn_relu(outputs) if use_bn else [nn.ReLU()])]
        channels = outputs
    return [*layers, ConvTranspose(channels, row.channels, row.kernel, 1), nn.Sigmoid()]
