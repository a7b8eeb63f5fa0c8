"""Networks of a run, with weights drawn from its seed."""

from __future__ import annotations

import torch

from pga.networks.dcgan import Decoder, Encoder
from pga.networks.table import NETWORKS


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
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Encoder(row, width, latent_dim, use_bn, sigma_head), Decoder(row, width, latent_dim, use_bn)
