"""Reconstructions x̂ = g(f(x)) of test images, and their error."""

from __future__ import annotations

import numpy as np
import torch

from pga.data.pixels import truncate_to_uint8
from pga.data.prepared import Images, full_batches
from pga.networks.architectures import unit_range
from pga.networks.autoencoder import Decoder, Encoder
from pga.params.run import Run
from pga.runtime.errors import UserError
from pga.runtime.progress import track
from pga.sampling.density import batch_for


def reconstruct(
    encoder: Encoder, decoder: Decoder, images: Images, run: Run, device: torch.device, shown: int = 64
) -> tuple[Images, float]:
    """The first `shown` images beside their reconstructions, and the error over all images.

    Args:
        encoder: f_φ.
        decoder: g_θ.
        images: (N, S, S, C) uint8, images that the run was not trained on.
        run: whose batch size is used, so that batch normalisation sees batches as in training.
        device: where the networks are.
        shown: how many are returned.

    Returns:
        Originals and reconstructions, (2, min(shown, N), S, S, C) uint8, and mean (x̂ − x)² over images and values, with values on the
        scale [-1, 1] whatever the network's own (L_r of Eq. 1, normalised as in `pga.method.losses`).

    Raises:
        UserError: there is no image.
    """
    if not len(images):
        raise UserError(f"{run.dataset}/{run.name}, seed {run.seed}: no images to reconstruct")
    unit = unit_range(run.network)
    made: list[Images] = []
    total = 0.0
    batches = -(-len(images) // run.batch_size)
    title = f"reconstructing {run.dataset}/{run.name} seed {run.seed}"
    with torch.inference_mode():
        for index, count in track(full_batches(len(images), run.batch_size), batches, title, "batch"):
            x = batch_for(run, images[index], device)
            x_hat = decoder(encoder(x))
            total += float((x_hat - x)[:count].double().square().mean(dim=(1, 2, 3)).sum()) * (4.0 if unit else 1.0)
            if sum(map(len, made)) < shown:
                made.append(truncate_to_uint8(x_hat[:count], unit))
    beside = np.concatenate(made)[:shown]
    return np.stack([images[: len(beside)], beside]), total / len(images)
