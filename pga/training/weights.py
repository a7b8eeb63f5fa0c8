"""The networks of a run: built from its parameters, filled from its files."""

from __future__ import annotations

from torch import Tensor, nn

from pga.method.terms import reads_sigma
from pga.networks.autoencoder import Decoder, Encoder
from pga.networks.build import build
from pga.params.run import Run
from pga.runtime.errors import UserError


def build_run(run: Run, seed: int) -> tuple[Encoder, Decoder]:
    """The networks of `run`, with weights drawn from `seed`; raises UserError if this version has no such network or model."""
    try:
        sigma_head = reads_sigma(run.model)
        return build(run.network, run.width, run.latent_dim, run.batch_norm, sigma_head, seed, run.spectral_norm)
    except KeyError as error:
        raise UserError(f"{run.dataset}/{run.name}: this version of the program has no network or model {error}") from error


def fill_network(network: nn.Module, prefix: str, tensors: dict[str, Tensor]) -> None:
    """Put the tensors under `prefix` into `network`, of its type; raises UserError if they are those of other layers."""
    start = f"{prefix}."
    own = {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
    try:
        network.load_state_dict(own)
    except RuntimeError as error:
        raise UserError(f"the {prefix}'s weights are of other layers than this version of the program has: {error}") from error
