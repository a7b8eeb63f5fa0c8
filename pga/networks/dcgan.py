"""The paper's DCGAN-like encoders and decoders, built from a row of `pga.networks.table` (the authors' released code).

5×5 kernels and stride 2 everywhere, leaky ReLU (0.2) in the encoder, ReLU in the decoder, tanh at the output, Glorot-uniform
weights, zero biases, no bias where batch normalisation follows.

Batch normalisation normalises with the statistics of the batch in hand, always, at sampling time too: x, z ~ N, z ~ 𝓗 and
z + δ are different laws, and each forward pass sees one of them. There are no running averages to leak from one to another.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pga.networks.table import Dcgan

BN_EPSILON = 1e-3
LOG_VAR_BIAS = 2 * math.log(0.1)  # σ starts at 0.1


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


def batch_norm(kind: type[nn.BatchNorm1d | nn.BatchNorm2d], features: int) -> nn.Module:
    """Batch normalisation by the statistics of the batch in hand, with scale and shift."""
    return kind(features, eps=BN_EPSILON, track_running_stats=False)


class Encoder(nn.Module):
    """f_φ: image → code, and log σ² where the model has a σ head.

    Args:
        row: of the table of networks.
        width: channels of the first convolution (the paper's `dim`).
        latent_dim: H.
        use_bn: whether the run switches batch normalisation on.
        sigma_head: whether a second head predicts log σ_φ²(x), starting at σ = 0.1.
    """

    def __init__(self, row: Dcgan, width: int, latent_dim: int, use_bn: bool, sigma_head: bool):
        super().__init__()
        layers: list[nn.Module] = []
        inputs = row.channels
        for multiple, bn_follows in row.encoder:
            bn = bn_follows and use_bn
            layers.append(SameConv2d(inputs, multiple * width, bias=not bn))
            layers += [batch_norm(nn.BatchNorm2d, multiple * width)] if bn else []
            layers.append(nn.LeakyReLU(0.2))
            inputs = multiple * width
        features = inputs * (row.size // 2 ** len(row.encoder)) ** 2
        layers.append(nn.Flatten())
        if row.hidden:
            layers.append(nn.Linear(features, row.hidden, bias=not use_bn))
            layers += [batch_norm(nn.BatchNorm1d, row.hidden)] if use_bn else []
            layers.append(nn.LeakyReLU(0.2))
            features = row.hidden
        self.features = nn.Sequential(*layers)
        self.mean = nn.Linear(features, latent_dim)
        self.log_var = nn.Linear(features, latent_dim) if sigma_head else None
        initialise(self)
        if self.log_var is not None:
            nn.init.constant_(self.log_var.bias, LOG_VAR_BIAS)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, S, S) in [-1, 1] → μ_φ(x), (B, H)."""
        return self.mean(self.features(x))

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """(B, C, S, S) in [-1, 1] → μ_φ(x) and log σ_φ²(x), (B, H) each; None without a σ head."""
        features = self.features(x)
        return self.mean(features), None if self.log_var is None else self.log_var(features)


class Decoder(nn.Module):
    """g_θ: code → image in [-1, 1]. Arguments as for `Encoder`."""

    def __init__(self, row: Dcgan, width: int, latent_dim: int, use_bn: bool):
        super().__init__()
        layers: list[nn.Module] = []
        inputs = latent_dim
        if row.hidden:
            layers += [nn.Linear(inputs, row.hidden), nn.ReLU()]
            inputs = row.hidden
        start = row.size // 2 ** len(row.encoder)
        channels = row.encoder[-1][0] * width
        bn = row.stem_bn and use_bn
        layers.append(nn.Linear(inputs, channels * start**2, bias=not bn))
        layers += [batch_norm(nn.BatchNorm1d, channels * start**2)] if bn else []
        layers += [nn.ReLU(), nn.Unflatten(1, (channels, start, start))]
        for multiple, bn_follows in row.decoder:
            bn = bn_follows and use_bn
            layers.append(SameConvTranspose2d(channels, multiple * width, bias=not bn))
            layers += [batch_norm(nn.BatchNorm2d, multiple * width)] if bn else []
            layers.append(nn.ReLU())
            channels = multiple * width
        layers += [SameConvTranspose2d(channels, row.channels, bias=True), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        initialise(self)

    def forward(self, z: Tensor) -> Tensor:
        """(B, H) → (B, C, S, S) in [-1, 1]."""
        return self.layers(z)


def initialise(network: nn.Module) -> None:
    """Glorot-uniform weights and zero biases, as TensorFlow-Slim's defaults in the released code."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
