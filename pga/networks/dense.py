"""Fully connected layers for very small images; activations as in `pga.networks.dcgan`."""

from __future__ import annotations

from torch import nn

from pga.networks.architectures import Dense
from pga.networks.autoencoder import batch_norm


def encoder_layers(row: Dense, width: int, use_bn: bool) -> tuple[list[nn.Module], int]:
    """Layers from the image to a vector, and the vector's length."""
    layers: list[nn.Module] = [nn.Flatten()]
    inputs = row.channels * row.size**2
    for multiple in row.hidden:
        outputs = multiple * width
        layers += [nn.Linear(inputs, outputs, bias=not use_bn), *batch_norm(nn.BatchNorm1d, outputs, use_bn), nn.LeakyReLU(0.2)]
        inputs = outputs
    return layers, inputs


def decoder_layers(row: Dense, width: int, latent_dim: int, use_bn: bool) -> list[nn.Module]:
    """Layers from the code to the image."""
    layers: list[nn.Module] = []
    inputs = latent_dim
    for multiple in reversed(row.hidden):
        outputs = multiple * width
        layers += [nn.Linear(inputs, outputs, bias=not use_bn), *batch_norm(nn.BatchNorm1d, outputs, use_bn), nn.ReLU()]
        inputs = outputs
    image = (row.channels, row.size, row.size)
    return [*layers, nn.Linear(inputs, row.channels * row.size**2), nn.Unflatten(1, image), nn.Tanh()]
