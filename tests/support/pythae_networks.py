"""This project's networks as pythae's models take them, for the tests and benchmarks that compare with it."""

from __future__ import annotations

from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from torch import Tensor, nn


class Encoder(BaseEncoder):
    """One of our encoders, for pythae."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> ModelOutput:
        mu, log_var = self.network.posterior(x)
        return ModelOutput(embedding=mu, log_covariance=log_var)


class Decoder(BaseDecoder):
    """One of our decoders, for pythae."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, z: Tensor) -> ModelOutput:
        return ModelOutput(reconstruction=self.network(z))
