"""The sliced Wasserstein distance against closed forms and a plain, slow transcription of Karras et al. 2018, section 5."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pga.metrics.sliced_wasserstein import laplacian_pyramid, level_sides, normalised, patches_of_level, sliced_distance
from pga.metrics.sliced_wasserstein import sliced_wasserstein_distance as distance

KERNEL = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256


def noise(n: int, side: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, side, side, channels), np.uint8)


def blurred(image: np.ndarray) -> np.ndarray:
    """Pixel by pixel: the 5×5 binomial kernel, mirrored at the edges without repeating them."""
    height, width = image.shape

    def mirrored(i: int, size: int) -> int:
        return -i if i < 0 else 2 * (size - 1) - i if i >= size else i

    found = np.zeros_like(image)
    for i in range(height):
        for j in range(width):
            for a in range(5):
                for b in range(5):
                    found[i, j] += KERNEL[a, b] * image[mirrored(i + a - 2, height), mirrored(j + b - 2, width)]
    return found


@pytest.mark.parametrize("side", [32, 35])
def test_the_pyramid_is_the_papers_pixel_by_pixel(side: int) -> None:
    image = noise(1, side)[0, :, :, 0].astype(float)
    smaller = blurred(image)[::2, ::2]
    enlarged = np.zeros_like(image)
    enlarged[::2, ::2] = 4 * smaller
    expected = [image - blurred(enlarged), smaller]
    found = list(laplacian_pyramid(image[None, :, :, None].astype(np.float32), 2))
    for level, whole in zip(found, expected, strict=True):
        np.testing.assert_allclose(level[0, :, :, 0], whole, atol=1e-3)
    assert [level.shape[1] for level in found] == level_sides(side, side) == [side, (side + 1) // 2]


@pytest.mark.parametrize("side, sides", [(8, [8]), (28, [28]), (32, [32, 16]), (64, [64, 32, 16]), (140, [140, 70, 35, 18])])
def test_levels_end_at_a_side_of_16_and_small_images_have_one(side: int, sides: list[int]) -> None:
    assert level_sides(side, side) == sides


@pytest.mark.parametrize("dim", [3, 49])
def test_of_a_shifted_law_it_is_the_shift_times_the_mean_cosine_of_a_random_direction(dim: int) -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(200, dim)).astype(np.float32)
    shift = np.zeros(dim, np.float32)
    shift[1] = 3.0
    expected = 3.0 * math.exp(math.lgamma(dim / 2) - math.lgamma((dim + 1) / 2)) / math.sqrt(math.pi)
    assert sliced_distance(points, points + shift, rng, 20_000) == pytest.approx(expected, rel=0.02)


def test_of_equal_sets_in_any_order_it_is_zero() -> None:
    images = noise(600, 16)  # more than are worked on together
    assert distance(images, images[::-1], 0).value == pytest.approx(0.0, abs=1e-3)


def test_it_is_what_a_plain_slow_version_computes() -> None:
    """All patches of 9×9 images, so that no place is drawn; every projection, sum and sort written out."""
    one, other = noise(4, 9, 3), noise(4, 9, 3, seed=1) // 2 + 20

    def points(images: np.ndarray) -> list[list[float]]:
        patches = [
            [[float(v) for row in image[i : i + 7, j : j + 7, c] for v in row] for c in range(3)]
            for image in images for i in range(3) for j in range(3)
        ]  # fmt: skip
        for c in range(3):
            values = [v for patch in patches for v in patch[c]]
            mean = sum(values) / len(values)
            deviation = math.sqrt(sum((v - mean) ** 2 for v in values) / len(values))
            for patch in patches:
                patch[c] = [(v - mean) / deviation for v in patch[c]]
        return [[v for channel in patch for v in channel] for patch in patches]

    directions = np.random.default_rng(3).normal(size=(10, 147))
    total = 0.0
    for direction in directions:
        length = math.sqrt(sum(d * d for d in direction))
        sides = [
            sorted(sum(p * d / length for p, d in zip(point, direction, strict=True)) for point in points(part)) for part in (one, other)
        ]
        total += sum(abs(a - b) for a, b in zip(*sides, strict=True)) / len(sides[0]) / len(directions)
    rng = np.random.default_rng(3)
    sets = [normalised(patches_of_level(part, 0, 1, 1000, np.random.default_rng(0))) for part in (one, other)]
    assert sliced_distance(*sets, rng, 10) == pytest.approx(total, rel=1e-5)


def test_the_seed_decides_everything_and_any_seed_says_nearly_the_same() -> None:
    one, other = noise(60, 32), noise(60, 32, seed=1) // 2
    first = distance(one, other, 0)
    assert distance(one, other, 0) == first and distance(one, other, 1) != first
    assert distance(one, other, 1).value == pytest.approx(first.value, rel=0.2)
    assert list(first.levels) == [32, 16] and first.value == pytest.approx(sum(first.levels.values()) / 2)


def test_what_is_blurred_is_further_at_fine_levels_and_brightness_does_not_count() -> None:
    real = np.kron(noise(80, 16), np.ones((1, 2, 2, 1))).astype(np.uint8)
    soft = ((real[:, :-1, :-1].astype(int) + real[:, 1:, :-1] + real[:, :-1, 1:] + real[:, 1:, 1:]) // 4).astype(np.uint8)
    soft = np.pad(soft, ((0, 0), (0, 1), (0, 1), (0, 0)), mode="edge")
    halves = distance(real[:40], real[40:], 0).levels
    blurry = distance(soft[:40], real[40:], 0).levels
    assert blurry[32] > 1.5 * halves[32]
    darker = distance(real[:40] // 2, real[40:], 0).levels
    assert darker[32] < 1.2 * halves[32]
