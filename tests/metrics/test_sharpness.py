"""The variance of the Laplacian against values worked out by hand and a plain loop."""

from __future__ import annotations

import numpy as np
import pytest

from pga.metrics.sharpness import sharpness


def test_of_a_single_bright_pixel_it_is_worked_out_by_hand() -> None:
    image = np.zeros((1, 5, 5, 1), np.uint8)
    image[0, 2, 2] = 255
    # the 3×3 Laplacian of 2 (255 on [-1, 1] above black): −8 in the middle, 2 at four places, 0 at four; mean 0
    assert sharpness(image) == pytest.approx((64 + 4 * 4) / 9)


@pytest.mark.parametrize("channels", [1, 3])
def test_it_is_the_mean_over_images_of_the_variance_of_the_laplacian_of_grey_values(channels: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (7, 6, 9, channels), np.uint8)
    variances = []
    for image in images:
        grey = image[..., 0] / 127.5 - 1
        if channels == 3:
            grey = sum(weight * (image[..., c] / 127.5 - 1) for c, weight in enumerate((0.299, 0.587, 0.114)))
        laplacian = [
            grey[i - 1, j] + grey[i + 1, j] + grey[i, j - 1] + grey[i, j + 1] - 4 * grey[i, j] for i in range(1, 5) for j in range(1, 8)
        ]
        variances.append(np.var(laplacian))
    assert sharpness(images) == pytest.approx(np.mean(variances), rel=1e-12)
