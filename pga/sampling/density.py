"""The law from which codes are drawn: the prior, or a density fitted to the training codes after training (Ghosh et al. 2019)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from pga.data.pixels import batch_to_network
from pga.data.prepared import Images
from pga.networks.architectures import unit_range
from pga.params.run import Run
from pga.runtime.errors import UserError
from pga.runtime.progress import Progress
from pga.runtime.seeds import derive, generator

Draw = Callable[[int], Tensor]
"""From a number of codes to that many codes, (B, H)."""

COMPONENTS = {"gaussian": 1, "mixture": 10}
"""Components of the fitted mixture, full covariances."""


def prior(run: Run, device: torch.device, dtype: torch.dtype, purpose: str = "sample") -> Draw:
    """N(0, I); each purpose has codes of its own."""
    codes = generator(device, run.seed, purpose)
    return lambda n: torch.randn(n, run.latent_dim, generator=codes, device=device, dtype=dtype)


def fitted(density: str, codes: np.ndarray, run: Run, device: torch.device, dtype: torch.dtype) -> Draw:
    """One Gaussian or a 10-component mixture, fitted to codes (N, H) with scikit-learn and the settings of Ghosh et al."""
    from sklearn.mixture import GaussianMixture

    components = COMPONENTS[density]
    if len(codes) < 2 * components:
        raise UserError(f"{run.dataset}/{run.name}: {len(codes)} codes are too few to fit {components} Gaussians")
    mixture = GaussianMixture(components, covariance_type="full", max_iter=2000, tol=1e-3, random_state=derive(run.seed, "fit") % 2**32)
    mixture.fit(codes.astype(np.float64))
    rng = np.random.default_rng(derive(run.seed, "sample", density))
    factors = np.linalg.cholesky(mixture.covariances_)

    def draw(n: int) -> Tensor:
        chosen = rng.choice(components, size=n, p=mixture.weights_)
        noise = rng.standard_normal((n, run.latent_dim))
        drawn = mixture.means_[chosen] + np.einsum("nij,nj->ni", factors[chosen], noise)
        return torch.from_numpy(drawn).to(device, dtype)

    return draw


def encode(encoder: nn.Module, images: Images, run: Run, device: torch.device) -> np.ndarray:
    """Codes μ_φ(x) of the run's training images in batches of the run's size, (N, H); batch normalisation as in training.

    The last batch is left out if it is not whole.

    Raises:
        UserError: there is no whole batch, or a code is not finite.
    """
    training, _ = run.split(len(images))
    images = images[training]
    codes = []
    with torch.inference_mode(), Progress(len(images), f"codes {run.dataset}/{run.name} seed {run.seed}", "image") as progress:
        for start in range(0, len(images) - run.batch_size + 1, run.batch_size):
            codes.append(encoder(batch_for(run, images[start : start + run.batch_size], device)).cpu().numpy())
            progress.advance(run.batch_size)
    if not codes:
        raise UserError(f"{run.dataset}/{run.name}: {len(images)} training images make no whole batch of {run.batch_size}: no codes to fit")
    found = np.concatenate(codes)
    if not np.isfinite(found).all():
        raise UserError(f"{run.dataset}/{run.name}, seed {run.seed}: its codes of training images are not all finite: no density fits them")
    return found


def batch_for(run: Run, images: Images, device: torch.device) -> Tensor:
    """(B, S, S, C) uint8 → (B, C, S, S) in the range and type of the run's network."""
    return batch_to_network(images, unit_range(run.network), getattr(torch, run.dtype), device)
