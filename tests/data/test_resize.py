"""TensorFlow 1's resize against a literal per-pixel formula, TensorFlow's own results, torch-fidelity, and libraries that differ."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

from pga.data.tf1_resize import resize_matrix, resize_tf1, round_to_uint8

A = -0.75


def cubic(x: float) -> float:
    """Keys's kernel as in the literature, a function of the distance: not the form that the package has."""
    x = abs(x)
    if x <= 1:
        return (A + 2) * x**3 - (A + 3) * x**2 + 1
    return A * x**3 - 5 * A * x**2 + 8 * A * x - 4 * A if x < 2 else 0.0


def taps(kernel: str, destination: int, size_in: int, size_out: int) -> list[tuple[int, float]]:
    """(index, weight) of the source pixels of one destination pixel."""
    source = float(np.float32(destination) * np.float32(size_in / size_out))  # TensorFlow computes it in float32, without a half pixel
    left = math.floor(source)
    fraction = source - left
    if kernel == "bilinear":
        neighbours = [(left, 1 - fraction), (left + 1, fraction)]
    else:
        fraction = round(fraction * 1024) / 1024
        neighbours = [(left + k, cubic(fraction - k)) for k in (-1, 0, 1, 2)]
    return [(min(max(index, 0), size_in - 1), weight) for index, weight in neighbours]


def literal(image: np.ndarray, size: int, kernel: str) -> np.ndarray:
    """Each destination pixel of one image (H, W, C) as the sum over its neighbours, in float64."""
    height, width, channels = image.shape
    result = np.zeros((size, size, channels))
    columns = [taps(kernel, x, width, size) for x in range(size)]
    for y in range(size):
        for i, vertical in taps(kernel, y, height, size):
            for x in range(size):
                for j, horizontal in columns[x]:
                    result[y, x] += vertical * horizontal * image[i, j].astype(np.float64)
    return result


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("kernel", ["bicubic", "bilinear"])
@pytest.mark.parametrize(
    "height, width, channels, size",
    [
        pytest.param(108, 108, 3, 64, id="CelebA"),
        pytest.param(31, 50, 3, 17, id="wide, down"),
        pytest.param(19, 5, 1, 13, id="tall, down and up"),
        pytest.param(1, 1, 3, 4, id="one pixel"),
        pytest.param(2, 3, 1, 1, id="to one pixel"),
    ],
)
def test_resizing_is_the_literal_formula(kernel: str, height: int, width: int, channels: int, size: int) -> None:
    images = noise(2, height, width, channels)
    resized = resize_tf1(images, size, kernel)
    assert resized.dtype == np.float32 and resized.shape == (2, size, size, channels)
    for image, found in zip(images, resized, strict=True):
        assert np.abs(found - literal(image, size, kernel)).max() <= 1e-6 * 255  # float32's rounding of some 16 products


def test_bicubic_is_what_tensorflow_1_returned() -> None:
    # The first row of the result that TensorFlow's image_ops_test.py (testResizeUpBicubic) has on record, to whole numbers. A first row
    # depends on the source's first row only, because there is no half pixel.
    image = np.zeros((1, 6, 6, 1), np.uint8)
    image[0, 0, :, 0] = [128, 128, 64, 64, 128, 128]
    image[0, 1:] = noise(5, 6, 1)
    found = resize_tf1(image, 8, "bicubic")[0, 0, :, 0]
    assert np.abs(found - [128, 135, 96, 55, 64, 114, 134, 128]).max() <= 1


@pytest.mark.parametrize("side, channels", [(32, 3), (28, 1), (400, 1)])
def test_bilinear_to_inceptions_size_is_torch_fidelitys(side: int, channels: int) -> None:
    images = noise(1, side, side + 3, channels)
    planes = torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float32))
    expected = interpolate_bilinear_2d_like_tensorflow1x(planes, size=(299, 299), align_corners=False).numpy().transpose(0, 2, 3, 1)
    assert np.abs(resize_tf1(images, 299, "bilinear") - expected).max() <= 1e-6 * 255


@given(kernel=st.sampled_from(["bilinear", "bicubic"]), size_in=st.integers(1, 400), size_out=st.integers(1, 400))
def test_weights_sum_to_1_and_reach_only_neighbours(kernel: str, size_in: int, size_out: int) -> None:
    matrix = resize_matrix(kernel, size_in, size_out)
    assert matrix.shape == (size_out, size_in) and matrix.dtype == np.float32
    assert np.abs(matrix.sum(1, dtype=np.float64) - 1).max() < 1e-6
    assert (np.count_nonzero(matrix, axis=1) <= (2 if kernel == "bilinear" else 4)).all()  # no antialias, however much it shrinks
    assert matrix[0, 0] == 1  # no half pixel: the first destination pixel is the first source pixel


@pytest.mark.parametrize("kernel", ["bilinear", "bicubic"])
def test_a_resize_to_the_same_size_changes_nothing(kernel: str) -> None:
    images = noise(3, 64, 64, 3)
    assert np.array_equal(resize_tf1(images, 64, kernel), images)


def test_to_uint8_rounds_to_the_nearest_and_clips_what_bicubic_takes_beyond() -> None:
    values = np.array([-20, -0.6, -0.4, 0.49, 0.51, 0.5, 1.5, 2.5, 127.2, 127.8, 254.4, 254.6, 255.4, 255.6, 300, 1e9], np.float32)
    assert round_to_uint8(values).tolist() == [0, 0, 0, 0, 1, 0, 2, 2, 127, 128, 254, 255, 255, 255, 255, 255]  # halves to even
    step = np.zeros((1, 16, 16, 1), np.uint8)
    step[:, :, 8:] = 255
    resized = resize_tf1(step, 27, "bicubic")
    assert resized.min() < -5 and resized.max() > 260
