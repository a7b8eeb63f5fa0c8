"""Networks of a run, with weights drawn from its seed."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from pga.networks import dcgan, dense, ghosh, resnet
from pga.networks.architectures import NETWORKS
from pga.networks.autoencoder import Decoder, Encoder, initialise
from pga.runtime.registry import Registry

LAYERS: Registry[str, Any] = {"dcgan": dcgan, "dense": dense, "resnet": resnet, "ghosh": ghosh}
"""For each kind of network the module with its `encoder_layers` and `decoder_layers`."""


def build(
    network: str, width: int, latent_dim: int, use_bn: bool, sigma_head: bool, seed: int, spectral: bool = False
) -> tuple[Encoder, Decoder]:
    """Encoder and decoder with weights drawn from `seed`; the global random state is left as it was.

    Args:
        network: key of `NETWORKS`.
        width: channels of the first convolution (the paper's `dim`).
        latent_dim: H.
        use_bn: whether the run switches batch normalisation on.
        sigma_head: whether the encoder also predicts log σ_φ²(x).
        seed: of the initial weights.
        spectral: spectral normalisation of every kernel (RAE-SN).
    """
    row = NETWORKS[network]
    kind = LAYERS[row.layers]
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed the generators of GPUs as well
        features, n_features = kind.encoder_layers(row, width, use_bn)
        encoder = Encoder(features, n_features, latent_dim, sigma_head, bounded=row.of_ghosh)
        initialise(encoder)  # before the decoder's layers are drawn
        decoder = Decoder(kind.decoder_layers(row, width, latent_dim, use_bn))
        initialise(decoder)
        if spectral:
            for module in [*encoder.modules(), *decoder.modules()]:
                if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
                    # Their code's matrix: of a transposed convolution inputs × rest, not outputs × rest. docs/evaluation.md: what differs.
                    spectral_norm(module, dim=0)
        for kernel in [p for network in (encoder, decoder) for p in network.parameters() if p.ndim == 4]:
            kernel.data = kernel.data.contiguous(memory_format=getattr(torch, getattr(row, "memory_format", "contiguous_format")))
        return encoder, decoder
