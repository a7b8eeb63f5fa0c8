"""Precision, recall, density and coverage: values by hand, literal slow versions, orientation, torch-fidelity, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch_fidelity.metric_prc import prc_features_to_metric

from pga.metrics import nearest_neighbours
from pga.metrics.manifold import ManifoldMetrics, manifold_metrics

Features = NDArray[np.float32]


def a_set(seed: int, n: int, dim: int, scale: float = 1.0, shift: float = 0.0) -> Features:
    return (scale * np.random.default_rng(seed).normal(size=(n, dim)) + shift).astype(np.float32)


def on_a_line(*values: float) -> Features:
    return np.array(values, np.float32)[:, None]


def literally(features: Features, reference: Features, k: int = 3, k_density: int = 5) -> ManifoldMetrics:
    """The papers' equations, one pair of points at a time."""

    def square(a: Features, b: Features) -> float:
        return math.fsum((float(u) - float(v)) ** 2 for u, v in zip(a, b, strict=True))

    def radius(points: Features, i: int, k: int) -> float:
        return sorted(square(points[i], points[j]) for j in range(len(points)) if j != i)[k - 1]

    def manifold(points: Features, others: Features, k: int) -> list[list[bool]]:
        radii = [radius(points, i, k) for i in range(len(points))]
        return [[square(point, other) <= r for other in others] for point, r in zip(points, radii, strict=True)]

    of_reference, of_features = manifold(reference, features, k), manifold(features, reference, k)
    balls = manifold(reference, features, k_density)
    return ManifoldMetrics(
        precision=float(np.any(of_reference, axis=0).mean()),
        recall=float(np.any(of_features, axis=0).mean()),
        density=sum(map(sum, balls)) / (k_density * len(features)),
        coverage=float(np.any(balls, axis=1).mean()),
    )


def test_points_on_a_line_have_the_values_found_by_hand() -> None:
    reference, features = on_a_line(0, 1, 4), on_a_line(0.5, 0.8, 9)
    # reference: 0 ± 1 and 1 ± 1 hold 0.5 and 0.8, 4 ± 3 holds none; samples: 0.5 ± 0.3 holds none, 0.8 ± 0.3 holds 1, 9 ± 8.2 1 and 4
    found = manifold_metrics(features, reference, k=1, k_density=1)
    assert found == ManifoldMetrics(precision=2 / 3, recall=2 / 3, density=4 / 3, coverage=2 / 3)
    # 0 ± 4, 1 ± 3 and 4 ± 4 hold 0.5 and 0.8
    found = manifold_metrics(features, reference, k=1, k_density=2)
    assert found == ManifoldMetrics(precision=2 / 3, recall=2 / 3, density=6 / (2 * 3), coverage=1.0)


def test_density_counts_overlapping_balls_and_exceeds_one_where_samples_sit_in_the_middle() -> None:
    # five rows evenly spaced, k = 2: radii 2, 1, 1, 1, 2; the middle lies on or within the balls of all five
    found = manifold_metrics(on_a_line(2, 2, 2), on_a_line(0, 1, 2, 3, 4), k=2, k_density=2)
    assert found == ManifoldMetrics(precision=1.0, recall=1 / 5, density=5 / 2, coverage=1.0)


def test_a_point_as_far_as_the_radius_is_inside() -> None:
    reference = on_a_line(0, 1, 2)  # radii 1
    assert manifold_metrics(on_a_line(3, 3), reference, k=1, k_density=1).precision == 1.0
    beyond = np.nextafter(np.float32(3), np.float32(4))
    assert manifold_metrics(on_a_line(beyond, beyond), reference, k=1, k_density=1) == ManifoldMetrics(0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("duplicates", [0, 3, 10])
@pytest.mark.parametrize("dim, shift", [(1, 0.0), (3, 0.1), (300, 1e4)])
def test_a_set_against_itself_is_precise_and_complete(dim: int, shift: float, duplicates: int) -> None:
    features = a_set(0, 60, dim, 0.7, shift)
    features[:duplicates] = features[30]
    found = manifold_metrics(features, np.ascontiguousarray(features[::-1]))
    assert (found.precision, found.recall, found.coverage) == (1.0, 1.0, 1.0)
    if not duplicates:  # each ball holds its own centre and five others
        assert found.density == 6 / 5


def test_a_set_of_one_repeated_point_is_within_its_own_manifold_of_radius_zero() -> None:
    point = np.full((7, 3), 0.1, np.float32)
    assert manifold_metrics(point, point) == ManifoldMetrics(precision=1.0, recall=1.0, density=7 / 5, coverage=1.0)
    assert manifold_metrics(np.nextafter(point, np.float32(1)), point) == ManifoldMetrics(0.0, 0.0, 0.0, 0.0)


def test_a_cluster_that_only_the_samples_have_lowers_precision_and_one_that_they_lack_recall() -> None:
    near, far = a_set(1, 100, 3), a_set(2, 100, 3, 1.0, 50.0)
    more, less = manifold_metrics(np.concatenate([near, far]), near), manifold_metrics(near, np.concatenate([near, far]))
    assert (more.precision, more.recall, more.density, more.coverage) == (0.5, 1.0, 6 / 5 / 2, 1.0)
    assert (less.precision, less.recall, less.coverage) == (1.0, 0.5, 0.5)


def test_density_of_the_same_law_is_one_and_coverage_what_its_authors_derive() -> None:
    # E coverage = 1 − Π (M − i) / (N + M − i), i = 1 … k, for k-th neighbour balls of the same law (Naeem et al., lemma 2)
    n, k = 1500, 5
    found = manifold_metrics(a_set(5, n, 2), a_set(6, n, 2))
    expected = 1 - math.prod((n - i) / (2 * n - i) for i in range(1, k + 1))
    assert found.density == pytest.approx(1.0, abs=0.05) and found.coverage == pytest.approx(expected, abs=0.02)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), dim=st.integers(1, 4), ks=st.tuples(st.integers(1, 4), st.integers(1, 6)))
def test_equals_the_equations_written_out(seed: int, dim: int, ks: tuple[int, int]) -> None:
    rng = np.random.default_rng(seed)
    smooth = [rng.normal(size=(n, dim)).astype(np.float32) for n in (9, 12)]
    coarse = [rng.integers(0, 4, size=(n, dim)).astype(np.float32) for n in (12, 9)]  # with duplicates and ties
    for features, reference in (smooth, coarse):
        found, expected = manifold_metrics(features, reference, *ks), literally(features, reference, *ks)
        assert vars(found) == pytest.approx(vars(expected), rel=1e-14)


def test_neither_order_nor_block_size_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    features, reference = a_set(7, 70, 4), a_set(8, 90, 4)
    found = manifold_metrics(features, reference)
    assert 0 < found.coverage < 1 and 0 < found.precision < 1
    rng = np.random.default_rng(9)
    assert manifold_metrics(rng.permutation(features), rng.permutation(reference)) == found
    for block, columns in ((1, 1024), (7, 13), (89, 1)):
        monkeypatch.setattr(nearest_neighbours, "BLOCK", columns)
        assert manifold_metrics(features, reference, block=block) == found


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("sizes", [(150, 150), (100, 200)], ids=str)
def test_precision_and_recall_agree_with_torch_fidelity(k: int, sizes: tuple[int, int]) -> None:
    # torch-fidelity 0.3 had the two exchanged (its issue 58); in 0.4 the first set is the samples, the second the reference, as here
    features, reference = a_set(12, sizes[0], 6, 0.8), a_set(13, sizes[1], 6)
    found = manifold_metrics(features, reference, k)
    tensors = (torch.from_numpy(part.astype(np.float64)) for part in (features, reference))
    expected = prc_features_to_metric(*tensors, prc_neighborhood=k, prc_batch_size=64, save_cpu_ram=False, verbose=False)
    assert found.precision == pytest.approx(expected["precision"], rel=1e-6) and found.recall == pytest.approx(expected["recall"], rel=1e-6)
    assert 0 < found.recall < found.precision
