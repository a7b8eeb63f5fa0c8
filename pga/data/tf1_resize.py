"""TensorFlow 1's resizing as matrices: the released code's, which neither PyTorch nor Pillow computes.

Resizing is linear and separable, so that one matrix per axis does it for any number of images. TensorFlow 1 (its `half_pixel_centers`
off, as it was then) maps destination d to source coordinate d·(in / out), clamps neighbours to the border, and does not antialias.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float32]

TABLE = 1024
"""Steps of TensorFlow's table of bicubic weights: fractions are rounded to it."""


def bilinear(t: float) -> dict[int, float]:
    """Weights of the neighbours at offsets 0 and 1 of a coordinate whose fraction is t."""
    return {0: 1.0 - t, 1: t}


def bicubic(t: float, a: float = -0.75) -> dict[int, float]:
    """Keys's kernel (1981) at the four neighbours, offsets −1 … 2."""
    t = np.rint(t * TABLE) / TABLE

    def near(x: float) -> float:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: float) -> float:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return {-1: far(1 + t), 0: near(t), 1: near(1 - t), 2: far(2 - t)}


KERNELS: dict[str, Callable[[float], dict[int, float]]] = {"bilinear": bilinear, "bicubic": bicubic}


@cache
def resize_matrix(kernel: str, size_in: int, size_out: int) -> Matrix:
    """R (size_out, size_in) with R @ column = the resized column; rows sum to 1."""
    matrix = np.zeros((size_out, size_in))
    for row in range(size_out):
        coordinate = float(np.float32(row) * np.float32(size_in / size_out))
        left = int(coordinate)
        for offset, weight in KERNELS[kernel](coordinate - left).items():
            matrix[row, min(max(left + offset, 0), size_in - 1)] += weight
    return matrix.astype(np.float32)


def resize_tf1(images: npt.NDArray[np.uint8], size: int, kernel: str) -> Matrix:
    """Images (N, H, W, C) of 0…255 resized to (N, size, size, C) float32, which bicubic weights may take beyond 0…255."""
    n, height, width, channels = images.shape
    rows, columns = resize_matrix(kernel, height, size), resize_matrix(kernel, width, size)
    short = np.matmul(rows, images.reshape(n, height, -1).astype(np.float32))  # height → size
    sideways = short.reshape(n, size, width, channels).swapaxes(1, 2).reshape(n, width, -1)  # so that one product does all rows
    resized: Matrix = np.matmul(columns, sideways).reshape(n, size, size, channels).swapaxes(1, 2)
    return resized


def round_to_uint8(images: Matrix) -> npt.NDArray[np.uint8]:
    """Clipped to 0…255 and rounded to the nearest integer, halves to even."""
    whole: npt.NDArray[np.uint8] = np.rint(images.clip(0, 255)).astype(np.uint8)
    return whole
