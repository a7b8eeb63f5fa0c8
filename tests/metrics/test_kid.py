"""The kernel distance: values by hand, a literal slow version, torch-fidelity, its standard error, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch_fidelity.metric_kid import kid_features_to_metric

from pga.metrics.kid import KernelDistance, kernel_distance, squared_mmd
from pga.runtime.seeds import derive

Features = NDArray[np.float32]


def a_set(seed: int, n: int, dim: int, scale: float = 1.0, shift: float = 0.0) -> Features:
    return (scale * np.random.default_rng(seed).normal(size=(n, dim)) + shift).astype(np.float32)


def literally(features: Features, reference: Features) -> float:
    """Gretton et al. 2012, equation 3, one pair of rows at a time."""

    def kernel(a: Features, b: Features) -> float:
        return (math.fsum(float(u) * float(v) for u, v in zip(a, b, strict=True)) / len(a) + 1.0) ** 3

    def within(rows: Features) -> float:
        pairs = [kernel(rows[i], rows[j]) for i in range(len(rows)) for j in range(len(rows)) if i != j]
        return math.fsum(pairs) / len(pairs)

    between = [kernel(a, b) for a in features for b in reference]
    return within(features) + within(reference) - 2 * math.fsum(between) / len(between)


def exact(mean: float, variance: float, other_mean: float, other_variance: float) -> float:
    """Squared MMD of two laws on a line: Σ binom(3, p) (E Xᵖ − E Yᵖ)², with Gaussian moments."""
    moments = [(m, m**2 + v, m**3 + 3 * m * v) for m, v in ((mean, variance), (other_mean, other_variance))]
    return sum(weight * (a - b) ** 2 for weight, a, b in zip((3, 3, 1), *moments, strict=True))


def test_two_points_each_have_the_value_found_by_hand() -> None:
    # within: (0·1 + 1)³ = 1 and (2·3 + 1)³ = 343; between: 1, 1, 27, 64
    features, reference = np.array([[0.0], [1.0]], np.float32), np.array([[2.0], [3.0]], np.float32)
    assert kernel_distance(features, reference, 0) == KernelDistance(1 + 343 - 2 * (1 + 1 + 27 + 64) / 4, None)


def test_the_kernel_divides_by_the_number_of_dimensions() -> None:
    # within: ((1·3 + 2·4) / 2 + 1)³ = 6.5³ and 1; between: 1, 1, 1, 1
    features, reference = np.array([[1, 2], [3, 4]], np.float32), np.zeros((2, 2), np.float32)
    assert kernel_distance(features, reference, 0).value == pytest.approx(6.5**3 + 1 - 2, rel=1e-15)


@pytest.mark.parametrize("n, m, dim", [(2, 2, 1), (7, 11, 3), (20, 9, 40)])
def test_squared_mmd_equals_its_definition_written_out(n: int, m: int, dim: int) -> None:
    features, reference = a_set(0, n, dim), a_set(1, m, dim, 1.5, 0.5)
    assert squared_mmd(features, reference) == pytest.approx(literally(features, reference), rel=1e-12)


@pytest.mark.parametrize("dim", [1, 200])
def test_agrees_with_torch_fidelity_where_all_rows_are_taken(dim: int) -> None:
    features, reference = a_set(2, 120, dim), a_set(3, 120, dim, 1.2, 0.3)
    tensors = (torch.from_numpy(part.astype(np.float64)) for part in (features, reference))
    expected = kid_features_to_metric(*tensors, kid_subsets=1, kid_subset_size=120, verbose=False)["kernel_inception_distance_mean"]
    assert kernel_distance(features, reference, 0).value == pytest.approx(expected, rel=1e-11)


def test_is_unbiased_on_laws_whose_distance_is_known() -> None:
    rng = np.random.default_rng(6)
    values = [squared_mmd(rng.normal(0.0, 1.0, (20, 1)), rng.normal(0.5, 0.5, (30, 1))) for _ in range(3000)]
    error = np.std(values) / math.sqrt(len(values))
    assert np.mean(values) == pytest.approx(exact(0.0, 1.0, 0.5, 0.25), abs=3 * error)
    assert error < 0.05 * np.mean(values)


def test_two_halves_of_one_set_are_no_distance_apart_and_shifted_ones_are() -> None:
    whole = a_set(10, 4000, 16)
    found, shifted = (kernel_distance(whole[::2] + np.float32(shift), whole[1::2], 0, 50, 200) for shift in (0, 0.1))
    assert found.standard_error is not None and abs(found.value) < 3 * found.standard_error
    assert 0.02 < shifted.value < 0.06  # the leading term is 3 ‖shift‖² / d


def test_depends_on_the_seed_and_on_nothing_else() -> None:
    features, reference = a_set(8, 300, 4), a_set(9, 200, 4)
    before = features.copy()
    found = kernel_distance(features, reference, 1, 10, 50)
    assert kernel_distance(features, reference, 1, 10, 50) == found
    assert kernel_distance(features, reference, 2, 10, 50) != found
    assert (features == before).all()


@pytest.mark.parametrize("n, m, dim, subsets, size", [(9, 11, 4, 3, 5), (40, 50, 64, 20, 30), (40, 400, 64, 20, 30)])
def test_mean_and_standard_error_are_those_of_the_subsets_values(n: int, m: int, dim: int, subsets: int, size: int) -> None:
    """Few subsets are summed one by one, many from the matrix of all pairs, and in the last case one way each."""
    features, reference = a_set(8, n, dim), a_set(9, m, dim, 1.2)
    found = kernel_distance(features, reference, 5, subsets, size)
    rng = np.random.default_rng(derive(5, "kernel distance"))
    drawn = [(rng.choice(n, size, replace=False), rng.choice(m, size, replace=False)) for _ in range(subsets)]
    values = [squared_mmd(features[rows], reference[columns]) for rows, columns in drawn]
    assert (found.value, found.standard_error) == pytest.approx((np.mean(values), np.std(values, ddof=1) / math.sqrt(subsets)), rel=1e-10)


def test_the_standard_error_is_the_spread_of_means_under_other_seeds() -> None:
    features, reference = a_set(8, 300, 4), a_set(9, 200, 4)
    found = [kernel_distance(features, reference, seed, 20, 30) for seed in range(100)]
    claimed = math.sqrt(np.mean([each.standard_error**2 for each in found if each.standard_error]))
    assert np.std([each.value for each in found], ddof=1) == pytest.approx(claimed, rel=0.2)


@pytest.mark.parametrize("sizes", [(30, 80), (80, 30)], ids=str)
def test_subsets_shrink_to_the_smaller_set(sizes: tuple[int, int]) -> None:
    features, reference = a_set(10, sizes[0], 3), a_set(11, sizes[1], 3)
    found = kernel_distance(features, reference, 0, 10)
    assert found == kernel_distance(features, reference, 0, 10, 30)
    assert found.standard_error is not None and found.standard_error > 0


def test_where_every_subset_is_the_whole_there_is_no_standard_error_and_no_order() -> None:
    features, reference = a_set(12, 40, 3), a_set(13, 40, 3)
    found = kernel_distance(features, reference, 0)
    rng = np.random.default_rng(0)
    moved = kernel_distance(rng.permutation(features), rng.permutation(reference), 1)
    assert found.standard_error is moved.standard_error is None
    assert moved.value == pytest.approx(found.value, rel=1e-12)
    assert kernel_distance(reference, features, 0).value == pytest.approx(found.value, rel=1e-12)


@pytest.mark.parametrize("block", [1, 7, 64])
def test_block_size_does_not_matter(block: int) -> None:
    features, reference = a_set(14, 90, 5), a_set(15, 70, 5, 1.3)
    found, whole = (kernel_distance(features, reference, 3, 5, 60, size) for size in (block, 1024))
    assert (found.value, found.standard_error) == pytest.approx((whole.value, whole.standard_error), rel=1e-11)
