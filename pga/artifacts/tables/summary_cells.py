"""Mean and standard error over seeds: the one place where runs become a number."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import pandas as pd

from pga.artifacts.tables.intervals import mean_and_error

FEW = (
    "Fewer samples or real images than feature dimensions were accepted: where there are, most of the distance is bias, "
    "and it is no result. "
)
"""What captions say where the experiment has `few_samples`."""


@dataclass(frozen=True)
class Cell:
    """One model on one data set.

    Attributes:
        mean: over seeds; None if no run is there.
        standard_error: standard deviation (n − 1) / √n; None with fewer than two runs.
        n: number of runs.
        values: (seed, value) of each run.
        missing: seeds without a run.
        absent: seeds whose run has no value of this metric, because it could not be measured.
        images: number of images of a run; None if no run is there.
        real: number of real images that they are compared with; None if unknown.
    """

    mean: float | None
    standard_error: float | None
    n: int
    values: tuple[tuple[int, float], ...]
    missing: tuple[int, ...] = ()
    absent: tuple[int, ...] = ()
    images: int | None = None
    real: int | None = None

    def text(self, digits: int = 2) -> str:
        """Mean and standard error as 12.34 ± 0.56, or what is missing."""
        if self.mean is None:
            return "missing" if self.missing else "absent"
        return plus_minus(self.mean, self.standard_error, digits)


def plus_minus(mean: float, error: float | None, digits: int = 2) -> str:
    """A mean with its standard error, where it has one."""
    return f"{mean:.{digits}f}" + (f" ± {error:.{digits}f}" if error is not None and not math.isnan(error) else "")


def partial(missing: Collection[str]) -> str:
    """What a caption says last where something is missing."""
    return f" PARTIAL: missing are {', '.join(missing)}." if missing else ""


def summarise(metrics: pd.DataFrame, dataset: str, model: str, sampling: str, metric: str, seeds: tuple[int, ...]) -> Cell:
    """The runs of one model on one data set as a cell.

    Args:
        metrics: the tidy table of `pga.artifacts.collect`.
        dataset: which rows.
        model: which rows.
        sampling: which rows.
        metric: which rows.
        seeds: those that there should be.
    """
    chosen = metrics[
        (metrics.dataset == dataset) & (metrics.model == model) & (metrics.sampling == sampling) & (metrics.metric == metric)
    ]  # fmt: skip
    by_seed = {int(seed): float(value) for seed, value in zip(chosen.seed, chosen.value, strict=True)}
    missing = tuple(seed for seed in seeds if seed not in by_seed)
    absent = tuple(seed for seed in seeds if seed in by_seed and math.isnan(by_seed[seed]))
    values = tuple((seed, by_seed[seed]) for seed in seeds if seed in by_seed and seed not in absent)
    images, real = (int(chosen[key].iloc[0]) if len(chosen) and pd.notna(chosen[key].iloc[0]) else None for key in ("n", "reference_n"))
    mean, standard_error = mean_and_error([value for _, value in values])
    return Cell(mean, standard_error, len(values), values, missing, absent, images, real)
