"""The training images nearest to samples, against all distances at once."""

from __future__ import annotations

import numpy as np

from pga.evaluation.features.extractor import Features
from pga.evaluation.nearest import nearest_images


class Pixels:
    """Pixels as features."""

    label, dim, digest, accuracy = "pixels", 12, "0", None

    def __call__(self, images: np.ndarray) -> Features:
        return images.reshape(len(images), -1).astype(np.float32)


def test_they_are_those_of_the_sorted_distances_over_many_batches() -> None:
    rng = np.random.default_rng(0)
    samples, images = (rng.integers(0, 256, (n, 2, 2, 3), np.uint8) for n in (4, 350))
    images[120] = samples[2]  # a copy
    found = nearest_images(samples, images, Pixels(), 3)
    distances = np.square(samples.reshape(4, 1, -1).astype(float) - images.reshape(1, 350, -1)).sum(axis=2)
    order = np.argsort(distances, axis=1, kind="stable")[:, :3]
    assert np.array_equal(found, np.concatenate([samples[:, None], images[order]], axis=1))
    assert np.array_equal(found[2, 1], samples[2])


def test_of_equal_distances_the_earlier_image_stands_first() -> None:
    images = np.zeros((250, 1, 2, 3), np.uint8)
    images[[7, 130, 240], 0, 0] = 9, 8, 7
    images[[9, 200], 0, 0] = 9, 8, 7
    found = nearest_images(images[240:241], images, Pixels(), 6)
    assert (found[0, 1:6] == found[0, 0]).all() and not found[0, 6].any()
