"""The Fréchet distance: closed forms, invariances, agreement with pytorch-fid, refusals."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pytorch_fid.fid_score import calculate_frechet_distance

from pga.metrics.frechet import frechet_distance

Array = NDArray[np.float64]
Gaussian = tuple[Array, Array]


def covariance(rng: np.random.Generator, dim: int, rank: int | None = None) -> Array:
    """Of random rank (full by default), eigenvalues within a factor of 100 of each other."""
    rank = dim if rank is None else rank
    basis = orthogonal(rng, dim)[:, :rank]
    found = (basis * rng.uniform(0.1, 10.0, rank)) @ basis.T
    return (found + found.T) / 2


def orthogonal(rng: np.random.Generator, dim: int) -> Array:
    return np.linalg.qr(rng.normal(size=(dim, dim)))[0]


def a_pair(seed: int, dim: int, ranks: tuple[int | None, int | None] = (None, None)) -> tuple[Gaussian, Gaussian]:
    rng = np.random.default_rng(seed)
    first, second = ((rng.normal(size=dim), covariance(rng, dim, rank)) for rank in ranks)
    return first, second


def of_samples(rng: np.random.Generator, n: int, dim: int, scale: float = 1.0) -> Gaussian:
    features = scale * (rng.normal(size=(n, dim)) @ rng.normal(size=(dim, dim)) + rng.normal(size=dim))
    return features.mean(axis=0), np.cov(features, rowvar=False)


def test_shifted_means_are_the_squared_euclidean_distance_apart() -> None:
    (mu, sigma), _ = a_pair(1, 5)
    shift = np.array([1.0, -2.0, 0.5, 0.0, 3.0])
    assert frechet_distance(mu + shift, sigma, mu, sigma) == pytest.approx(14.25, rel=1e-12)


def test_one_dimension_is_squared_difference_of_means_and_of_standard_deviations() -> None:
    found = frechet_distance(np.array([3.0]), np.array([[4.0]]), np.array([1.0]), np.array([[25.0]]))
    assert found == pytest.approx(2.0**2 + (5.0 - 2.0) ** 2, rel=1e-14)


def test_diagonal_covariances_give_squared_differences_of_standard_deviations() -> None:
    a, b = np.array([1.0, 4.0, 0.25, 9.0]), np.array([4.0, 1.0, 2.25, 9.0])
    zero = np.zeros(4)
    assert frechet_distance(zero, np.diag(a), zero, np.diag(b)) == pytest.approx(1.0 + 1.0 + 1.0 + 0.0, rel=1e-14)


def test_two_by_two_covariances_that_do_not_commute_give_the_known_value() -> None:
    # tr M^½ = (tr M + 2 (det M)^½)^½ for two positive eigenvalues; here tr ΣΣᵣ = 10 and det ΣΣᵣ = 3 · 4
    sigma, reference = np.array([[2.0, 1.0], [1.0, 2.0]]), np.diag([1.0, 4.0])
    assert not np.allclose(sigma @ reference, reference @ sigma)
    expected = 4 + 5 - 2 * math.sqrt(10 + 2 * math.sqrt(12))
    assert frechet_distance(np.zeros(2), sigma, np.zeros(2), reference) == pytest.approx(expected, rel=1e-14)


def test_a_covariance_of_rank_one_gives_the_known_value_on_either_side() -> None:
    # (vvᵀ Σ)^½ has the one eigenvalue (vᵀ Σ v)^½
    (mu, sigma), (other, _) = a_pair(3, 6)
    v = np.arange(1.0, 7.0)
    expected = np.square(mu - other).sum() + np.trace(sigma) + v @ v - 2 * math.sqrt(v @ sigma @ v)
    assert frechet_distance(mu, sigma, other, np.outer(v, v)) == pytest.approx(expected, rel=1e-13)
    assert frechet_distance(other, np.outer(v, v), mu, sigma) == pytest.approx(expected, rel=1e-13)


def test_a_point_is_as_far_as_its_squared_distance_and_the_total_variance() -> None:
    (mu, sigma), (point, _) = a_pair(4, 6)
    expected = np.square(mu - point).sum() + np.trace(sigma)
    nothing = np.zeros((6, 6))
    assert frechet_distance(mu, sigma, point, nothing) == pytest.approx(expected, rel=1e-14)
    assert frechet_distance(point, nothing, mu, sigma) == pytest.approx(expected, rel=1e-14)


def test_covariances_on_orthogonal_subspaces_add_up() -> None:
    basis = orthogonal(np.random.default_rng(7), 8)
    one, two = basis[:, :3] @ basis[:, :3].T, 4 * basis[:, 3:] @ basis[:, 3:].T
    assert frechet_distance(np.zeros(8), one, np.zeros(8), two) == pytest.approx(3 + 4 * 5, rel=1e-13)


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), dim=st.integers(1, 12), missing=st.tuples(st.integers(0, 3), st.integers(0, 3)))
def test_symmetric_not_negative_and_unchanged_by_rotations_shifts_and_scales(seed: int, dim: int, missing: tuple[int, int]) -> None:
    one, two = a_pair(seed, dim, (max(dim - missing[0], 0), max(dim - missing[1], 0)))
    rng = np.random.default_rng(seed)
    turn, shift, scale = orthogonal(rng, dim), rng.normal(size=dim), rng.uniform(0.1, 10)
    found = frechet_distance(*one, *two)
    # where Cholesky does not notice that a rank is short by one, the square root of a rounding error is left
    tolerance = (1e-11 if missing == (0, 0) else 1e-8) * (1 + np.trace(one[1]) + np.trace(two[1]))
    assert found >= -tolerance
    assert frechet_distance(*two, *one) == pytest.approx(found, abs=tolerance)
    moved = [(turn @ mu + shift, turn @ sigma @ turn.T) for mu, sigma in (one, two)]
    assert frechet_distance(*moved[0], *moved[1]) == pytest.approx(found, abs=tolerance)
    scaled = [(scale * mu, scale**2 * sigma) for mu, sigma in (one, two)]
    assert frechet_distance(*scaled[0], *scaled[1]) == pytest.approx(scale**2 * found, abs=scale**2 * tolerance)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pytorch-fid calls scipy in a way that scipy is giving up
@pytest.mark.parametrize("sizes, scale, rel", [
    ((200, 200), 1e-3, 1e-11), ((200, 200), 1.0, 1e-11), ((200, 200), 1e3, 1e-11),
    ((40, 300), 1.0, 1e-6), ((300, 40), 1.0, 1e-6), ((63, 64), 1.0, 1e-6),
], ids=str)  # fmt: skip
def test_agrees_with_pytorch_fid(sizes: tuple[int, int], scale: float, rel: float, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(8)
    one, two = (of_samples(rng, n, 64, scale) for n in sizes)
    expected = calculate_frechet_distance(*one, *two)
    assert "adding" not in capsys.readouterr().out  # then pytorch-fid would compute the distance of other covariances
    assert frechet_distance(*one, *two) == pytest.approx(expected, rel=rel)


def like_a_network(rng: np.random.Generator, n: int, dim: int, condition: float, shift: float = 0.0) -> Array:
    """Features (n, d) whose variances fall off as a network's do, over `condition` from the first to the last."""
    variances = condition ** -np.linspace(0, 1, dim)
    return (rng.normal(size=(n, dim)) * np.sqrt(variances) + shift) @ orthogonal(np.random.default_rng(dim), dim)


def gaussian(features: Array) -> Gaussian:
    return features.mean(axis=0), np.cov(features, rowvar=False)


def from_features(features: Array, reference: Array) -> float:
    """The distance without any covariance: tr (Σ Σᵣ)^½ is the sum of the singular values of the inner products of centred rows."""
    means = [part.mean(axis=0) for part in (features, reference)]
    x, y = ((part - mean) / math.sqrt(len(part) - 1) for part, mean in zip((features, reference), means, strict=True))
    return float(np.square(means[0] - means[1]).sum() + np.square(x).sum() + np.square(y).sum() - 2 * np.linalg.norm(x @ y.T, "nuc"))


@pytest.mark.parametrize("condition", [1e2, 1e8])
@pytest.mark.parametrize("sizes", [(50, 80), (300, 90), (90, 300), (256, 256), (257, 600), (700, 800)], ids=str)
def test_agrees_with_singular_values_of_the_features_whatever_the_ranks(sizes: tuple[int, int], condition: float) -> None:
    rng = np.random.default_rng(sum(sizes))
    features, reference = like_a_network(rng, sizes[0], 256, condition), like_a_network(rng, sizes[1], 256, condition, 0.01)
    expected = from_features(features, reference)
    assert frechet_distance(*gaussian(features), *gaussian(reference)) == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("dead", [(0,), (5, 6, 40)], ids=str)
def test_features_that_never_change_are_no_distance_but_their_means(dead: tuple[int, ...]) -> None:
    rng = np.random.default_rng(13)
    features, reference = like_a_network(rng, 300, 64, 1e4), like_a_network(rng, 200, 64, 1e4, 0.1)
    features[:, dead] = 0.0
    assert frechet_distance(*gaussian(features), *gaussian(reference)) == pytest.approx(from_features(features, reference), rel=1e-11)
    reference[:, dead] = 0.5
    alive = np.delete(np.arange(64), dead)
    expected = from_features(features[:, alive], reference[:, alive]) + 0.25 * len(dead)
    assert frechet_distance(*gaussian(features), *gaussian(reference)) == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("n", [100, 200])
def test_a_set_is_at_distance_zero_from_itself_in_any_order(n: int) -> None:
    rng = np.random.default_rng(12)
    features, other = like_a_network(rng, n, 128, 1e4), like_a_network(rng, n, 128, 1e4)
    shuffled = rng.permutation(features)
    assert abs(frechet_distance(*gaussian(features), *gaussian(shuffled))) < 1e-10 * np.trace(gaussian(features)[1])
    found, moved = (frechet_distance(*gaussian(part), *gaussian(other)) for part in (features, shuffled))
    assert moved == pytest.approx(found, rel=1e-11)


@pytest.mark.parametrize("place", range(4))
def test_values_that_are_not_finite_are_refused(place: int) -> None:
    parts = [np.zeros(3), np.eye(3), np.zeros(3), np.eye(3)]
    parts[place].flat[-1] = math.nan
    with pytest.raises(ValueError, match="finite"):
        frechet_distance(*parts)


@pytest.mark.parametrize("shapes", [
    ((3,), (3, 3), (2,), (2, 2)),
    ((3,), (3, 4), (3,), (3, 3)),
    ((3,), (3, 3), (1,), (1, 1)),  # would broadcast
    ((1, 3), (3, 3), (1, 3), (3, 3)),
    ((), (), (), ()),
], ids=str)  # fmt: skip
def test_shapes_that_do_not_fit_are_refused_and_named(shapes: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(ValueError, match=re.escape(f"means {shapes[0]}, {shapes[2]}, covariances {shapes[1]}, {shapes[3]}")):
        frechet_distance(*(np.ones(shape) for shape in shapes))
