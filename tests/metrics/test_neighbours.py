"""Nearest neighbours: a literal slow version, duplicates and ties, block sizes, bounds of rounding errors, refusals."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pga.metrics import nearest_neighbours
from pga.metrics.nearest_neighbours import nearest, rounding, squared_distances

Features = NDArray[np.float32]


def a_set(seed: int, n: int, dim: int, scale: float = 1.0, shift: float = 0.0) -> Features:
    return (scale * np.random.default_rng(seed).normal(size=(n, dim)) + shift).astype(np.float32)


def exact_squares(features: Features, reference: Features) -> list[list[Fraction]]:
    """In rational numbers, without any rounding."""
    rows, columns = ([[Fraction(float(value)) for value in row] for row in part] for part in (features, reference))
    return [[sum(((a - b) ** 2 for a, b in zip(row, column, strict=True)), Fraction(0)) for column in columns] for row in rows]


def brute_force(features: Features, reference: Features, k: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    squares = exact_squares(features, reference)
    order = [sorted(range(len(reference)), key=lambda j, row=row: (row[j], j))[:k] for row in squares]
    return np.array(order), np.array([[math.sqrt(row[j]) for j in best] for row, best in zip(squares, order, strict=True)])


@pytest.mark.parametrize("k", [1, 2, 5, 30])
@pytest.mark.parametrize("scale, shift", [(1.0, 0.0), (1e-6, 0.0), (1e6, 0.0), (1.0, 1e4)])
def test_equals_brute_force_in_rational_numbers(k: int, scale: float, shift: float) -> None:
    features, reference = a_set(0, 12, 5, scale, shift), a_set(1, 30, 5, scale, shift)
    indices, distances = nearest(features, reference, k)
    expected_indices, expected = brute_force(features, reference, k)
    assert indices.tolist() == expected_indices.tolist()
    np.testing.assert_allclose(distances, expected, rtol=1e-14)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 6), block=st.integers(1, 9), dim=st.integers(1, 3))
def test_ties_go_to_the_lowest_index_with_any_block_size(seed: int, k: int, block: int, dim: int) -> None:
    # few different values, not binary fractions: many duplicates and many equal distances
    rng = np.random.default_rng(seed)
    features, reference = (rng.integers(-2, 3, size=(n, dim)).astype(np.float32) for n in (8, 20))
    indices, distances = nearest(features, reference, k, block)
    expected_indices, expected = brute_force(features, reference, k)
    assert indices.tolist() == expected_indices.tolist()
    np.testing.assert_allclose(distances, expected, rtol=1e-15)


def test_duplicates_in_many_dimensions_have_distance_zero_and_the_lowest_index() -> None:
    reference = a_set(2, 300, 257, 7.3, 100.0)
    reference[[40, 100, 299]] = reference[7]
    indices, distances = nearest(reference[[299, 8, 100]], reference, 5, block=2)
    assert indices[[0, 2], :4].tolist() == [[7, 40, 100, 299]] * 2 and indices[1, 0] == 8
    assert (distances[[0, 2], :4] == 0).all() and distances[1, 0] == 0
    assert distances[0, 4] > 0 and distances[1, 1] > 0


def test_one_dimension_gives_the_known_values() -> None:
    indices, distances = nearest(np.array([[0.0], [4.5]], np.float32), np.array([[3.0], [1.0], [-1.0], [6.0]], np.float32), 3)
    assert indices.tolist() == [[1, 2, 0], [0, 3, 1]]
    assert distances.tolist() == [[1, 1, 3], [1.5, 1.5, 3.5]]


@pytest.mark.parametrize("columns", [1, 7, 64])
def test_neither_block_size_matters(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    features, reference = a_set(3, 50, 33), a_set(4, 90, 33)
    indices, distances = nearest(features, reference, 4)
    monkeypatch.setattr(nearest_neighbours, "BLOCK", columns)
    for block in (1, 7, 64):
        again, same = nearest(features, reference, 4, block)
        assert (again == indices).all() and (same == distances).all()


@pytest.mark.parametrize("shift", [0.0, 1e3])
@pytest.mark.parametrize("dim", [1, 4, 40])
def test_bounds_hold_the_exact_squared_distance_between_them(dim: int, shift: float) -> None:
    features, reference = a_set(8, 10, dim, 1.0, shift), a_set(9, 15, dim, 1.0, shift)
    features[0] = reference[3]
    exact = exact_squares(features, reference)
    ((_, lower, norms),) = squared_distances(features, reference, "lower")
    ((_, upper, _),) = squared_distances(features, reference, "upper")
    for i, row in enumerate(exact):
        assert all(Fraction(float(a)) <= b <= Fraction(float(c)) for a, b, c in zip(lower[i], row, upper[i], strict=True))
    assert (upper - lower <= 4.1 * rounding(dim) * (norms[:, None] + norms.max() + np.max(upper))).all()
