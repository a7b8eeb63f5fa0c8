"""Student's t for means over seeds: intervals of differences, one-sided tests of a mean's sign, and several tests at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from scipy.stats import t


class Interval(NamedTuple):
    """A mean and an interval around it, which is absent where there are too few values."""

    mean: float | None
    low: float | None
    high: float | None


def mean_and_error(values: Sequence[float]) -> tuple[float | None, float | None]:
    """Mean and standard error (n − 1); the latter is absent for fewer than two values."""
    n = len(values)
    if n == 0:
        return None, None
    mean = math.fsum(values) / n
    return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1) / n) if n > 1 else None


def interval(values: Sequence[float], level: float) -> Interval:
    """Interval of the mean that leaves out `level` on either side."""
    mean, error = mean_and_error(values)
    if mean is None or error is None:
        return Interval(mean, None, None)
    half = float(t.ppf(1 - level, len(values) - 1)) * error
    return Interval(mean, mean - half, mean + half)


def difference(values: Sequence[float], other: float, error: float, other_n: int, level: float) -> Interval:
    """Interval of the mean of `values` minus another mean whose standard error over `other_n` values is known, by Welch's t.

    With an error of 0 the other mean counts as exact.
    """
    mean, own = mean_and_error(values)
    if mean is None or own is None:
        return Interval(None if mean is None else mean - other, None, None)
    variance = own**2 + error**2
    if variance == 0:
        return Interval(mean - other, mean - other, mean - other)
    freedom = variance**2 / (own**4 / (len(values) - 1) + (error**4 / (other_n - 1) if error else 0.0))
    half = float(t.ppf(1 - level, freedom)) * math.sqrt(variance)
    return Interval(mean - other, mean - other - half, mean - other + half)


def p_below_zero(values: Sequence[float]) -> float:
    """p of the one-sided t test that the mean is below 0 (against 0 or above); 1 for fewer than two values."""
    mean, error = mean_and_error(values)
    if mean is None or error is None:
        return 1.0
    if error == 0:
        return 0.0 if mean < 0 else 1.0
    return float(t.cdf(mean / error, len(values) - 1))


def holm(ps: Sequence[float]) -> list[float]:
    """p adjusted for having been found among as many (Holm, 1979): below a level, the test is passed at that level for all together."""
    adjusted, largest = [0.0] * len(ps), 0.0
    for rank, index in enumerate(sorted(range(len(ps)), key=lambda index: ps[index])):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[index]))
        adjusted[index] = largest
    return adjusted
