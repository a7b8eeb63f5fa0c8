"""The training images nearest to samples, to see whether a model copies what it was trained on."""

from __future__ import annotations

import numpy as np

from pga.data.prepared import Images
from pga.evaluation.features.extractor import Extractor, stream


def nearest_images(samples: Images, images: Images, extractor: Extractor, k: int = 5) -> Images:
    """Each sample followed by its `k` nearest images, nearest first, (n, 1 + k, H, W, C) uint8.

    Distances are Euclidean in the feature space; equal ones keep the order of the images. Memory does not grow with their number.

    Args:
        samples: (n, H, W, C) uint8.
        images: (N, H, W, C) uint8 with N ≥ k, the training images.
        extractor: the feature space.
        k: neighbours of each sample.
    """
    queries = np.concatenate(list(stream(extractor, samples))).astype(np.float64)
    nearest = np.full((len(samples), k), np.inf)
    indices = np.zeros((len(samples), k), np.int64)
    seen = 0
    for batch in stream(extractor, images):
        distances = np.stack([np.square(batch.astype(np.float64) - query).sum(axis=1) for query in queries])
        index = np.broadcast_to(np.arange(seen, seen + len(batch)), distances.shape)
        seen += len(batch)
        candidates = np.concatenate([nearest, distances], axis=1)
        order = np.argsort(candidates, axis=1, kind="stable")[:, :k]
        nearest = np.take_along_axis(candidates, order, axis=1)
        indices = np.take_along_axis(np.concatenate([indices, index], axis=1), order, axis=1)
    found = np.stack([np.asarray(images[i]) for i in indices.ravel()]).reshape(*indices.shape, *images.shape[1:])
    return np.concatenate([samples[:, None], found], axis=1)
