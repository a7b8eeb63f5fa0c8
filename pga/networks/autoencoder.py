"""f_φ and g_θ around any stack of layers: what every architecture shares."""

from __future__ import annotations

import math

from torch import Tensor, nn

LOG_VAR_BIAS = 2 * math.log(0.1)  # σ starts at 0.1 [authors' code]
BN_EPSILON = 1e-3


class Encoder(nn.Module):
    """f_φ: image → code, and log σ² where the model has a σ head.

    The layers stay as they are given; the heads start as any linear layer of torch does, but for the bias of the σ head.

    Args:
        features: layers from the image to a vector.
        n_features: length of that vector.
        latent_dim: H.
        sigma_head: whether a second head predicts log σ_φ²(x), starting at σ = 0.1.
        bounded: the σ head of Ghosh et al. instead: log σ = 5 tanh(·), starting wherever its weights fall.
    """

    def __init__(self, features: list[nn.Module], n_features: int, latent_dim: int, sigma_head: bool, bounded: bool = False):
        super().__init__()
        self.features = nn.Sequential(*features)
        self.mean = nn.Linear(n_features, latent_dim)
        self.log_var = nn.Linear(n_features, latent_dim) if sigma_head else None
        self.bounded = bounded
        self.start_sigma()

    def start_sigma(self) -> None:
        """Set the bias of the σ head to where σ starts."""
        if self.log_var is not None and not self.bounded:
            nn.init.constant_(self.log_var.bias, LOG_VAR_BIAS)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, S, S) in the network's range → μ_φ(x), (B, H)."""
        code: Tensor = self.mean(self.features(x))
        return code

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """(B, C, S, S) in the network's range → μ_φ(x) and log σ_φ²(x), (B, H) each; None without a σ head."""
        features = self.features(x)
        if self.log_var is None:
            return self.mean(features), None
        log_var = self.log_var(features)
        return self.mean(features), 10 * log_var.tanh() if self.bounded else log_var


class Decoder(nn.Module):
    """g_θ: code → image in [-1, 1], of Ghosh et al.'s networks in [0, 1].

    Args:
        layers: from the code to the image; they stay as they are given.
    """

    def __init__(self, layers: list[nn.Module]):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> Tensor:
        """(B, H) → (B, C, S, S) in the network's range."""
        image: Tensor = self.layers(z)
        return image


def initialise(network: Encoder | Decoder) -> None:
    """Glorot-uniform weights and zero biases, as TensorFlow-Slim's defaults in the released code, and the start of σ."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    if isinstance(network, Encoder):
        network.start_sigma()


def batch_norm(kind: type[nn.BatchNorm1d | nn.BatchNorm2d], features: int, use_bn: bool) -> list[nn.Module]:
    """Batch normalisation with scale and shift, by the statistics of the batch in hand; nothing where the run switches it off.

    The statistics are always the batch's own, at sampling time too: x, z ~ N, z ~ 𝓗 and z + δ are different laws, and each
    forward pass sees one of them. There are no running averages to leak from one to another.
    """
    return [kind(features, eps=BN_EPSILON, track_running_stats=False)] if use_bn else []
