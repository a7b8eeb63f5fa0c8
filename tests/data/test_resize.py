"""TensorFlow 1's resize against a literal per-pixel formula, TensorFlow's own results, torch-fidelity, and libraries that differ."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch.nn import functional as F
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


def photograph(side: int) -> np.ndarray:
    """An image (side, side, 3) with edges, gradients and some texture."""
    y, x = np.mgrid[:side, :side] / side
    face = 200 * (np.hypot(x - 0.5, y - 0.45) < 0.3) + 40 * np.sin(9 * x + 4 * y)
    rng = np.random.default_rng(1)
    return np.clip(face[..., None] * [1, 0.8, 0.6] + 40 + rng.normal(0, 4, (side, side, 3)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("kernel", ["bicubic", "bilinear"])
@pytest.mark.parametrize(
    "height, width, channels, size",
    [
        pytest.param(108, 108, 3, 64, id="CelebA"),
        pytest.param(140, 140, 3, 64, id="CelebA, Figure 6"),
        pytest.param(8, 8, 1, 21, id="up"),
        pytest.param(37, 37, 1, 23, id="odd"),
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


def test_bilinear_by_hand() -> None:
    image = np.array([[64, 32], [32, 64], [50, 100]], np.uint8).reshape(1, 3, 2, 1)
    found = resize_tf1(image, 4, "bilinear")[0, ..., 0]
    assert found[0].tolist() == [64, 48, 32, 32]  # columns 0, ½, 1, 1½, the last one clamped
    assert found[:, 0].tolist() == [64, 40, 41, 50]  # rows 0, ¾, 1½, 2¼, the last one clamped


@pytest.mark.parametrize("side, channels", [(32, 3), (64, 3), (28, 1), (299, 3), (400, 1)])
def test_bilinear_to_inceptions_size_is_torch_fidelitys(side: int, channels: int) -> None:
    images = noise(1, side, side + 3 * (side != 299), channels)  # mostly not square
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
@pytest.mark.parametrize("side", [1, 2, 64, 108])
def test_a_resize_to_the_same_size_changes_nothing(kernel: str, side: int) -> None:
    assert np.array_equal(resize_matrix(kernel, side, side), np.eye(side))
    images = noise(3, side, side, 3)
    assert np.array_equal(resize_tf1(images, side, kernel), images)


def test_a_flat_image_stays_flat() -> None:
    for value in (0, 1, 254, 255):
        assert (round_to_uint8(resize_tf1(np.full((1, 108, 140, 3), value, np.uint8), 64, "bicubic")) == value).all()


def test_every_image_of_a_batch_is_resized_alone() -> None:
    images = noise(4, 20, 30, 3)
    together = resize_tf1(images, 11, "bicubic")
    alone = np.concatenate([resize_tf1(image[None], 11, "bicubic") for image in images])
    np.testing.assert_allclose(together, alone, atol=1e-3)


OTHERS = {
    "Pillow's bicubic": lambda image, size: np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC)),
    "Pillow's bilinear": lambda image, size: np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR)),
    "torch's bicubic": lambda image, size: by_torch(image, size, mode="bicubic"),
    "torch's, aligned": lambda image, size: by_torch(image, size, mode="bicubic", align_corners=True),
    "torch's, antialiased": lambda image, size: by_torch(image, size, mode="bicubic", antialias=True),
    "TensorFlow 1's bilinear": lambda image, size: round_to_uint8(resize_tf1(image[None], size, "bilinear"))[0],
}


def by_torch(image: np.ndarray, size: int, **options: object) -> np.ndarray:
    planes = torch.from_numpy(image.transpose(2, 0, 1)[None].astype(np.float32))
    return round_to_uint8(F.interpolate(planes, size=(size, size), **options)[0].numpy().transpose(1, 2, 0))


@pytest.mark.parametrize("side", [108, 140])
@pytest.mark.parametrize("other", OTHERS)
def test_what_is_easier_to_get_differs_measurably(other: str, side: int) -> None:
    # Who swaps the resize for one of these changes the data set: its FID to the authors' images is not 0.
    image = photograph(side)
    difference = np.abs(round_to_uint8(resize_tf1(image[None], 64, "bicubic"))[0].astype(int) - OTHERS[other](image, 64))
    assert difference.mean() > 0.5 and difference.max() > 10


def test_to_uint8_rounds_to_the_nearest_and_clips() -> None:
    values = np.array([-20, -0.6, -0.4, 0.49, 0.51, 0.5, 1.5, 2.5, 127.2, 127.8, 254.4, 254.6, 255.4, 255.6, 300, 1e9], np.float32)
    found = round_to_uint8(values)
    assert found.dtype == np.uint8
    assert found.tolist() == [0, 0, 0, 0, 1, 0, 2, 2, 127, 128, 254, 255, 255, 255, 255, 255]  # halves to even


def test_bicubic_overshoots_and_is_clipped_not_wrapped() -> None:
    step = np.zeros((1, 16, 16, 1), np.uint8)
    step[:, :, 8:] = 255
    resized = resize_tf1(step, 27, "bicubic")
    assert resized.min() < -5 and resized.max() > 260  # so that a wrapped cast would show
    whole = round_to_uint8(resized).astype(float)
    assert np.abs(whole - resized.clip(0, 255)).max() <= 0.5
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # NumPy warns of casts that do not fit
        round_to_uint8(resized)
