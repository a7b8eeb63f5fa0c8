"""The residual network of Appendix C (Figure 5): Miyato et al. 2018's for CIFAR-10, as the authors' released code builds it.

A block is BN–ReLU (not in the encoder's first), 3×3 convolution, BN–ReLU, 3×3 convolution, plus a skip that is a 1×1 convolution
where width or scale changes. "Down" averages 2×2 after the sum; "up" inserts zeros before the convolutions.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from pga.networks.architectures import Resnet
from pga.networks.autoencoder import batch_norm


class Unpool(nn.Module):
    """Twice the size, each value in the upper left of its 2×2 cell, zeros elsewhere."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, S, S) → (B, C, 2S, 2S)."""
        return F.pad(x[:, :, :, None, :, None], (0, 1, 0, 0, 0, 1)).flatten(4, 5).flatten(2, 3)


class Block(nn.Module):
    """One residual block.

    Args:
        inputs, outputs: channels.
        scale: "down", "same" or "up".
        use_bn: whether the run switches batch normalisation on.
        preactivation: BN–ReLU before the first convolution.
    """

    def __init__(self, inputs: int, outputs: int, scale: str, use_bn: bool, preactivation: bool = True):
        super().__init__()
        before: list[nn.Module] = [*batch_norm(nn.BatchNorm2d, inputs, use_bn), nn.ReLU()] if preactivation else []
        up: list[nn.Module] = [Unpool()] if scale == "up" else []
        self.residual = nn.Sequential(
            *before,
            *up,
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=not use_bn),
            *batch_norm(nn.BatchNorm2d, outputs, use_bn),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1),
        )
        changes = scale != "same" or inputs != outputs
        self.skip = nn.Sequential(*([Unpool()] if up else []), nn.Conv2d(inputs, outputs, 1)) if changes else nn.Identity()
        self.pool = nn.AvgPool2d(2) if scale == "down" else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, S, S) → (B, outputs, S′, S′) with S′ = S/2, S or 2S."""
        pooled: Tensor = self.pool(self.skip(x) + self.residual(x))
        return pooled


def encoder_layers(row: Resnet, width: int, use_bn: bool) -> tuple[list[nn.Module], int]:
    """Layers from the image to a vector, and the vector's length."""
    layers: list[nn.Module] = []
    inputs = row.channels
    for number, scale in enumerate(row.encoder):
        layers.append(Block(inputs, width, scale, use_bn, preactivation=number > 0))
        inputs = width
    return [*layers, nn.ReLU(), nn.Flatten()], width * (row.size // 2 ** row.encoder.count("down")) ** 2


def decoder_layers(row: Resnet, width: int, latent_dim: int, use_bn: bool) -> list[nn.Module]:
    """Layers from the code to the image; the first map has four times the width."""
    start, channels = row.size // 2**row.up_blocks, 4 * width
    layers: list[nn.Module] = [nn.Linear(latent_dim, channels * start**2), nn.Unflatten(1, (channels, start, start))]
    for _ in range(row.up_blocks):
        layers.append(Block(channels, width, "up", use_bn))
        channels = width
    return [*layers, nn.ReLU(), nn.Conv2d(width, row.channels, 3, padding=1), nn.Tanh()]
