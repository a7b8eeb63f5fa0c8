"""Networks of a run, with weights drawn from its seed."""

from __future__ import annotations

from typing import Any

import torch

from pga.networks import dcgan, dense
from pga.networks.autoencoder import Decoder, Encoder
from pga.networks.table import NETWORKS

LAYERS: dict[str, Any] = {"Dcgan": dcgan, "Dense": dense}
"""For each kind of row the module with its `encoder_layers` and `decoder_layers`."""


def build(network: str, width: int, latent_dim: int, use_bn: bool, sigma_head: bool, seed: int) -> tuple[Encoder, Decoder]:
    """Encoder and decoder with weights drawn from `seed`; the global random state is left as it was.

    Args:
        network: key of `NETWORKS`.
        width: channels of the first convolution (the paper's `dim`).
        latent_dim: H.
        use_bn: whether the run switches batch normalisation on.
        sigma_head: whether the encoder also predicts log σ_φ²(x).
        seed: of the initial weights.
    """
    row = NETWORKS[network]
    kind = LAYERS[type(row).__name__]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        features, n_features = kind.encoder_layers(row, width, use_bn)
        return (
            Encoder(features, n_features, latent_dim, sigma_head),
            Decoder(kind.decoder_layers(row, width, latent_dim, use_bn)),
        )
