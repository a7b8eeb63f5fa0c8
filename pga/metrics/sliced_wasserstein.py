"""Multi-scale sliced Wasserstein distance on Laplacian pyramids (Karras et al. 2018, section 5): needs neither labels nor weights.

Each level of an image's Laplacian pyramid holds the structures of one size. Patches of a level, of samples and of real images, are two sets
of points; their distance is the mean over random directions of the distance between the sorted projections (Rabin et al. 2011).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pga.metrics.metric import Given, Images, Metric, Value
from pga.runtime.progress import track
from pga.runtime.seeds import derive

Array = npt.NDArray[np.float32]

COARSEST = 16
"""Side below which no further level is made, as in the paper."""
PATCH = 7
"""Side of a patch."""
PATCHES = 128
"""Patches of an image at each level; all of them where there are fewer."""
IMAGES = 16_384
"""Images of either set, at most."""
PROJECTIONS = 512
"""Random directions."""
BINOMIAL = np.array([1, 4, 6, 4, 1], np.float32) / 16
"""The smoothing filter of the pyramid (Burt & Adelson 1983), along rows and along columns."""
TOGETHER = 256
"""Images whose pyramids are in memory at a time."""
AT_A_TIME = 16
"""Directions whose projections are in memory at a time."""


@dataclass(frozen=True)
class SlicedWasserstein:
    """Distances × 10³, as Karras et al. report them.

    Attributes:
        value: mean over levels.
        levels: side of a level → its distance, the finest first.
    """

    value: float
    levels: dict[int, float]


def sliced_wasserstein_distance(
    images: Images, real_images: Images, seed: int = 0, patches: int = PATCHES, projections: int = PROJECTIONS, at_most: int = IMAGES
) -> SlicedWasserstein:
    """Mean over levels of the sliced Wasserstein distance between patches of images and of real images, times 10³.

    Of the larger set a random subset as large as the smaller one is taken. Patches (7×7 pixels of all channels, at random places without
    repetition) of either set are brought to mean 0 and standard deviation 1 in each channel, as in the paper: differences of brightness and
    contrast between the sets do not count. A level is half as large as the one before, down to a side of no less than 16; smaller images
    have one level, themselves.

    Args:
        images: samples, (N, H, W, C) uint8, H and W at least 7.
        real_images: (M, H, W, C) uint8.
        seed: of subsets, places and directions.
        patches: of an image at each level.
        projections: number of directions.
        at_most: images of either set.

    Raises:
        ValueError: shapes differ, images are too small, or a set is empty or has a channel without any structure at a level.
    """
    if images.ndim != 4 or images.shape[1:] != real_images.shape[1:] or min(images.shape[1:3]) < PATCH:
        raise ValueError(f"two sets of images of one shape, at least {PATCH}×{PATCH}, are needed; {images.shape} and {real_images.shape}")
    n = min(len(images), len(real_images), at_most)
    if n < 1 or min(patches, projections) < 1:
        raise ValueError(f"at least one image, patch and projection are needed, found {n}, {patches}, {projections}")
    rng = np.random.default_rng(derive(seed, "sliced wasserstein"))
    chosen = [part[np.sort(rng.choice(len(part), n, replace=False))] for part in (images, real_images)]
    found = {}
    sides = level_sides(images.shape[1], images.shape[2])
    for level, side in enumerate(track(sides, len(sides), "sliced Wasserstein distance", "level")):
        one, other = (normalised(patches_of_level(part, level, len(sides), patches, rng)) for part in chosen)
        found[side] = 1000 * sliced_distance(one, other, rng, projections)
    return SlicedWasserstein(float(np.mean(list(found.values()))), found)


def level_sides(height: int, width: int) -> list[int]:
    """The smaller side of each level of the pyramid, the finest first."""
    sides = [min(height, width)]
    while (sides[-1] + 1) // 2 >= COARSEST:
        sides.append((sides[-1] + 1) // 2)
    return sides


def laplacian_pyramid(images: Array, levels: int) -> Iterator[Array]:
    """What each level adds to the next coarser one, the finest first; the last level is the coarsest image itself.

    Args:
        images: (N, H, W, C).
        levels: how many.
    """
    for _ in range(levels - 1):
        smaller = smooth(images)[:, ::2, ::2]
        larger = np.zeros_like(images)
        larger[:, ::2, ::2] = 4 * smaller
        yield images - smooth(larger)
        images = smaller
    yield images


def smooth(images: Array) -> Array:
    """The binomial filter along rows and columns of (N, H, W, C), mirrored at the edges."""
    rows, columns = images.shape[1:3]
    padded = np.pad(images, ((0, 0), (2, 2), (0, 0), (0, 0)), mode="reflect")
    images = np.add.reduce([weight * padded[:, k : k + rows] for k, weight in enumerate(BINOMIAL)])
    padded = np.pad(images, ((0, 0), (0, 0), (2, 2), (0, 0)), mode="reflect")
    smoothed: Array = np.add.reduce([weight * padded[:, :, k : k + columns] for k, weight in enumerate(BINOMIAL)])
    return smoothed


def patches_of_level(images: Images, level: int, levels: int, patches: int, rng: np.random.Generator) -> Array:
    """Patches at random places of one level of every image, (patches, C, PATCH · PATCH)."""
    found = []
    for start in range(0, len(images), TOGETHER):
        pyramid = laplacian_pyramid(images[start : start + TOGETHER].astype(np.float32), levels)
        pixels = next(part for k, part in enumerate(pyramid) if k == level)
        windows = np.lib.stride_tricks.sliding_window_view(pixels, (PATCH, PATCH), axis=(1, 2))
        n, rows, columns, channels = windows.shape[:4]
        count = min(patches, rows * columns)
        places = rng.permuted(np.tile(np.arange(rows * columns), (n, 1)), axis=1)[:, :count]
        taken = windows[np.arange(n)[:, None], places // columns, places % columns]
        found.append(taken.reshape(n * count, channels, PATCH * PATCH))
    return np.concatenate(found)


def normalised(patches: Array) -> Array:
    """Each channel with mean 0 and standard deviation 1 over all patches, (patches, C · PATCH · PATCH); overwrites them."""
    for channel in range(patches.shape[1]):
        values = patches[:, channel]
        values -= values.mean(dtype=np.float64)
        deviation = float(np.sqrt(np.einsum("nd,nd->", values, values, dtype=np.float64) / values.size))
        if deviation == 0:
            raise ValueError("a channel has the same value everywhere at a level of the pyramid, so that it cannot be normalised")
        values /= deviation
    return patches.reshape(len(patches), -1)


def sliced_distance(one: Array, other: Array, rng: np.random.Generator, projections: int = PROJECTIONS) -> float:
    """Mean over random directions of the Wasserstein-1 distance between the projections of two equally large sets of points.

    Args:
        one: (n, d).
        other: (n, d).
        rng: draws the directions, uniform on the sphere.
        projections: how many.
    """
    directions = rng.normal(size=(projections, one.shape[1]))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    total = 0.0
    for start in range(0, projections, AT_A_TIME):
        some = directions[start : start + AT_A_TIME].astype(np.float32)
        difference = np.sort(some @ one.T, axis=1) - np.sort(some @ other.T, axis=1)
        total += float(np.abs(difference).mean(axis=1, dtype=np.float64).sum())
    return total / projections


def measure(given: Given) -> dict[str, Value]:
    """The mean over levels."""
    return {"swd": Value(sliced_wasserstein_distance(given.images, given.real_images, derive(given.seed, "swd") % 2**32).value)}


METRIC = Metric(
    measure,
    ("images", "real_images"),
    {"swd": "SWD × 10³"},
    f"SWD: multi-scale sliced Wasserstein distance × 10³ of {PATCH}×{PATCH} patches in Laplacian pyramids, {PATCHES} per image and level, "
    f"{PROJECTIONS} directions; the lower the better.",
)
