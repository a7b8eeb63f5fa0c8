"""What no metric can be computed of is refused by each of them, with the reason."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import pga
from pga.metrics.extrapolation import distance_at_infinity
from pga.metrics.frechet import frechet_distance_of_features
from pga.metrics.kid import kernel_distance
from pga.metrics.manifold import manifold_metrics
from pga.metrics.nearest_neighbours import nearest
from pga.metrics.sharpness import sharpness
from pga.metrics.sliced_wasserstein import sliced_wasserstein_distance

Metric = Callable[..., Any]
OF_TWO_SETS = (kernel_distance, manifold_metrics, nearest, frechet_distance_of_features)


def features(*shape: int, dtype: type = np.float32) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(dtype)


def images(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("metric", OF_TWO_SETS)
@pytest.mark.parametrize("one, other, message", [
    (features(9), features(9, 9), "features must have the shape (rows, dimensions), found (9,)"),
    (features(9, 3), features(9, 2), "reference must have the shape (rows, 3), found (9, 2)"),
    (features(9, 3), features(9, 1), "reference must have the shape (rows, 3), found (9, 1)"),  # would broadcast
    (features(9, 3, 1), features(9, 3), "features must have the shape"),
    (features(9, 0), features(9, 0), "features must have the shape"),
    (np.ones((9, 2), np.int64), features(9, 2), "features must be floating-point numbers, found int64"),
    (features(0, 2), features(9, 2), "features: 0 rows are too few, at least "),
    (features(9, 2), features(0, 2), "reference: 0 rows are too few, at least "),
    (np.full((9, 2), np.nan), features(9, 2), "features must be finite"),
    (features(9, 2), np.full((9, 2), -np.inf), "reference must be finite"),
])  # fmt: skip
def test_what_are_no_two_sets_of_features_is_refused(metric: Metric, one: np.ndarray, other: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        metric(one, other)


at_infinity = partial(distance_at_infinity, seed=0)


@pytest.mark.parametrize("metric, given, message", [
    (kernel_distance, (features(1, 2), features(5, 2)), "features: 1 rows are too few, at least 2 are needed"),
    (kernel_distance, (features(9, 2), features(9, 2), 0, 1, 10), "at least 2 subsets of at least 2 rows are needed, found 1 of 10"),
    (kernel_distance, (features(9, 2), features(9, 2), 0, 10, 1), "at least 2 subsets of at least 2 rows are needed, found 10 of 1"),
    (manifold_metrics, (features(3, 2), features(6, 2)), "features: 3 rows are too few, at least 4"),
    (manifold_metrics, (features(6, 2), features(5, 2)), "reference: 5 rows are too few, at least 6"),
    (manifold_metrics, (features(9, 2), features(9, 2), 3, 0), "k and k_density must be at least 1, found 3 and 0"),
    (nearest, (features(5, 2), features(2, 2), 3), "reference: 2 rows are too few, at least 3 are needed"),
    (nearest, (features(5, 2), features(5, 2), 0), "k must be at least 1, found 0"),
    (at_infinity, (features(100), np.zeros(2), np.eye(2)), "features must have the shape"),
    (at_infinity, (np.full((100, 2), np.nan), np.zeros(2), np.eye(2)), "features must be finite"),
    (at_infinity, (features(100, 2), np.zeros(3), np.eye(2)), "a reference of 2 dimensions is needed, found shapes (3,) and (2, 2)"),
    (at_infinity, (features(100, 2), np.zeros(2), np.full((2, 2), np.inf)), "finite"),
    (at_infinity, (features(31, 8), np.zeros(8), np.eye(8)), "features: 31 rows of 8 dimensions are too few for 15 different sizes"),
    (at_infinity, (features(12, 1), np.zeros(1), np.eye(1)), "features: 12 rows of 1 dimensions are too few for 15 different sizes"),
    (partial(at_infinity, sizes=1), (features(50, 1), np.zeros(1), np.eye(1)), "a line needs at least 2 sizes, found 1"),
    (sliced_wasserstein_distance, (images(4, 6, 6, 1), images(4, 6, 6, 1)), "at least 7×7"),
    (sliced_wasserstein_distance, (images(4, 8, 8, 1), images(4, 9, 9, 1)), "of one shape"),
    (sliced_wasserstein_distance, (images(0, 8, 8, 1), images(4, 8, 8, 1)), "at least one image"),
    (sliced_wasserstein_distance, (np.zeros((4, 8, 8, 1), np.uint8), images(4, 8, 8, 1)), "the same value everywhere"),
    (sharpness, (images(0, 8, 8, 1),), "at least 3×3 pixels are needed, found (0, 8, 8, 1)"),
    (sharpness, (images(3, 2, 8, 1),), "at least 3×3"),
    (sharpness, (images(3, 8, 8, 2),), "at least 3×3"),
    (sharpness, (images(8, 8, 1),), "at least 3×3"),
])  # fmt: skip
def test_what_one_metric_cannot_take_is_refused(metric: Metric, given: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        metric(*given)


def test_metrics_of_pixels_are_functions_of_the_package() -> None:
    one, other = images(5, 8, 8, 1), images(4, 8, 8, 1)
    assert pga.sliced_wasserstein_distance(one, other) == sliced_wasserstein_distance(one, other, 0)
    assert pga.sharpness(one) == sharpness(one)
