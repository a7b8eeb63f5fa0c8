"""The Fréchet distance at infinity: a line recovered, known Gaussians, the subsets it takes, refusals."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from pga.metrics import extrapolation
from pga.metrics.extrapolation import distance_at_infinity
from pga.metrics.frechet import frechet_distance
from pga.metrics.moments import Statistics

Features = NDArray[np.float32]


def a_set(seed: int, n: int, dim: int, scale: float = 1.0, shift: float = 0.0) -> Features:
    return (scale * np.random.default_rng(seed).normal(size=(n, dim)) + shift).astype(np.float32)


def plain(features: Features, mu: NDArray[np.float64], sigma: NDArray[np.float64]) -> float:
    rows = features.astype(np.float64)
    return frechet_distance(rows.mean(axis=0), np.cov(rows, rowvar=False), mu, sigma)


@pytest.mark.parametrize("scale, shift", [(1.0, 0.0), (1.5, 0.5)])
def test_is_nearer_the_true_distance_of_gaussians_than_the_plain_one_with_few_samples(scale: float, shift: float) -> None:
    dim, n, mu, sigma = 16, 100, np.zeros(16), np.eye(16)
    true = dim * (shift**2 + (scale - 1) ** 2)
    sets = [a_set(seed, n, dim, scale, shift) for seed in range(30)]
    raw = np.array([plain(features, mu, sigma) for features in sets]) - true
    found = np.array([distance_at_infinity(features, mu, sigma, 0).value for features in sets]) - true
    assert raw.mean() > 0.5 and abs(found.mean()) < 0.3 * raw.mean()
    assert np.abs(found).mean() < 0.7 * np.abs(raw).mean()


def test_the_line_is_that_of_least_squares() -> None:
    found = distance_at_infinity(a_set(2, 500, 3), np.zeros(3), np.eye(3), 0)
    x, y = 1 / np.array(found.sizes), np.array(found.values)
    design = np.stack([np.ones(15), x], axis=1)
    assert (found.value, found.slope) == pytest.approx(np.linalg.solve(design.T @ design, design.T @ y), rel=1e-9)


@pytest.mark.parametrize(
    "n, dim, sizes, expected",
    [
        (50, 1, 10, (5, 10, 15, 20, 25, 30, 35, 40, 45, 50)),
        (100, 2, 3, (10, 55, 100)),
        (100, 20, 4, (40, 60, 80, 100)),  # from 2d
        (4, 1, 3, (2, 3, 4)),
    ],
)
def test_sizes_are_evenly_spaced_from_a_tenth_but_at_least_twice_the_dimensions(n: int, dim: int, sizes: int, expected: object) -> None:
    found = distance_at_infinity(a_set(3, n, dim), np.zeros(dim), np.eye(dim), 0, sizes)
    assert found.sizes == expected and len(found.values) == sizes


def test_the_largest_subset_is_the_whole_whatever_the_seed_and_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extrapolation, "BLOCK", 17)
    features, mu, sigma = a_set(4, 300, 5, 1.2), np.full(5, 0.1), 2 * np.eye(5)
    expected = plain(features, mu, sigma)
    shuffled = np.random.default_rng(0).permutation(features)
    for rows, seed in ((features, 0), (features, 1), (shuffled, 0)):
        assert distance_at_infinity(rows, mu, sigma, seed).values[-1] == pytest.approx(expected, rel=1e-12)


def test_subsets_are_drawn_without_replacement_and_not_nested(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[set[float]] = []
    kept = extrapolation.statistics

    def noted(batches: Iterable[Features]) -> Statistics:
        parts = list(batches)
        taken.append({float(value) for part in parts for value in part[:, 0]})
        return kept(parts)

    monkeypatch.setattr(extrapolation, "statistics", noted)
    found = distance_at_infinity(np.arange(100, dtype=np.float32)[:, None], np.zeros(1), np.eye(1), 0, 5)
    assert tuple(map(len, taken)) == found.sizes
    assert not any(one <= other for one, other in pairwise(taken[:-1]))


def test_depends_on_the_seed_and_on_nothing_else() -> None:
    features, mu, sigma = a_set(5, 200, 3), np.zeros(3), np.eye(3)
    before = features.copy()
    found = distance_at_infinity(features, mu, sigma, 7)
    assert distance_at_infinity(features, mu, sigma, 7) == found
    assert distance_at_infinity(features, mu, sigma, 8).values[:-1] != found.values[:-1]
    assert (features == before).all()
