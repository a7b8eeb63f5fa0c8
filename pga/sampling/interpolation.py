"""Lines between the codes of two test images, decoded (Figure 7)."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from pga.data.prepared import Images
from pga.params.run import Run
from pga.params.sampling import Interpolation
from pga.runtime.errors import UserError
from pga.runtime.seeds import derive
from pga.sampling.density import batch_for
from pga.sampling.sample import decoded


def interpolate(encoder: nn.Module, decoder: nn.Module, run: Run, images: Images, line: Interpolation, device: torch.device) -> Images:
    """g((1 − t) μ_φ(a) + t μ_φ(b)) for t from 0 to 1, between pairs of images a and b drawn from the run's seed.

    As in the released code all images are encoded as one batch, and the points of all lines at the same t are decoded as one batch,
    whose statistics batch normalisation uses; the first lines are kept. The pairs depend on the seed and the number of images only, so
    that all models of a data set show the same ones.

    Args:
        encoder: f_φ.
        decoder: g_θ.
        run: of both.
        images: test images, (N, H, W, C) uint8.
        line: how many pairs and points.
        device: where the networks are.

    Returns:
        (pairs, 1 + points + 1, H, W, C) uint8: a itself, the points, b itself.

    Raises:
        UserError: there are too few test images, or an image is not finite.
    """
    if len(images) < 2 * line.batch_size:
        raise UserError(
            f"{run.dataset}: {len(images)} test images are fewer than 2 × {line.batch_size}, the two ends of lines that are decoded "
            "together; a smaller interpolation.batch_size needs fewer"
        )
    chosen = np.random.default_rng(derive(run.seed, "pairs")).permutation(len(images))[: 2 * line.batch_size]
    ends = np.stack([images[k] for k in chosen])  # of a memory map only these are read
    with torch.inference_mode():
        start, end = encoder(batch_for(run, ends, device)).chunk(2)
        points = [decoded(decoder, torch.lerp(start, end, float(t)), run) for t in np.linspace(0, 1, line.points)]
    first, last = np.split(ends, 2)
    return np.stack([first, *points, last], axis=1)[: line.pairs]
