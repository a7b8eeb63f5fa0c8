"""The paper's statements about order: what each compares on the runs of an experiment, seed by seed, and whether it holds.

A comparison gives a pair (left, right) per seed, and says that left < factor · right (or >, where the statement is about what is higher).
Whether it does is tested by the mean of left − factor · right over the seeds, in both directions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from pga.artifacts.over_training import LOSSES, metric_curve, read_curve, read_history, total_loss
from pga.artifacts.tables.intervals import p_below_zero
from pga.artifacts.tables.summary_cells import summarise
from pga.params.claims import CURVES, FIFTHS, Claims, Statement, Where, place_of
from pga.params.experiment import Experiment
from pga.params.feature_spaces import prefix
from pga.provenance.records import Place
from pga.training.run_record import RunRecord


@dataclass(frozen=True)
class Comparison:
    """One pair of runs (or a run with itself) in one statement.

    Attributes:
        left, right: the runs.
        pairs: (left, right) of each seed that has both.
        missing: seeds that lack one of them.
    """

    left: Where
    right: Where
    pairs: tuple[tuple[float, float], ...]
    missing: tuple[int, ...]


@dataclass(frozen=True)
class Asked:
    """A statement on one data set, with what the experiment can say of it.

    Attributes:
        statement: what is said.
        dataset: the paper's data set.
        comparisons: of its runs; empty where the experiment does not have them all.
        answerable: whether the experiment's file, not its results, has what a verdict needs; as many tests count as made at once.
        obstacle: why nothing can be compared although the runs are there; empty if it can.
    """

    statement: Statement
    dataset: str
    comparisons: tuple[Comparison, ...] = field(default=())
    answerable: bool = False
    obstacle: str = ""

    @property
    def n(self) -> int:
        """Pairs of the comparison that has fewest."""
        return min((len(comparison.pairs) for comparison in self.comparisons), default=0)

    def margins(self, comparison: Comparison) -> list[float]:
        """By how much each seed misses what is said; below 0 where it does what is said."""
        sign = -1 if higher(self.statement) else 1
        return [sign * (left - factor(self.statement) * right) for left, right in comparison.pairs]

    def supports(self) -> list[float]:
        """p of each comparison that what is said of it is true."""
        return [p_below_zero(self.margins(comparison)) for comparison in self.comparisons]

    def contradicts(self) -> list[float]:
        """p of each comparison that it is false."""
        return [p_below_zero([-value for value in self.margins(comparison)]) for comparison in self.comparisons]

    def p(self) -> tuple[float, float]:
        """(that all of its comparisons are true, that one of them is false): the largest p, and the smallest times their number."""
        if not self.comparisons:
            return 1.0, 1.0
        return max(self.supports()), min(1.0, len(self.comparisons) * min(self.contradicts()))


def higher(statement: Statement) -> bool:
    """Whether the left side is said to be the higher one."""
    return statement.higher or statement.rule == "rises_late"


def factor(statement: Statement) -> float:
    """What the right side is multiplied with."""
    if statement.rule == "loss_is_flat":
        return statement.margin
    return 1 + statement.margin if higher(statement) else 1 - statement.margin


def ask(experiment: Experiment, metrics: pd.DataFrame, claims: Claims, records: dict[str, RunRecord]) -> list[Asked]:
    """Every statement on every data set that it names, in the order of the file.

    Args:
        experiment: the experiment.
        metrics: the tidy table of `pga.artifacts.collect`, complete or not.
        claims: the statements.
        records: run.json of the runs that are there, which curves and histories must be of.
    """
    values = Values(experiment, metrics, records)
    return [
        ask_one(experiment, values, statement, dataset, claims.least_seeds)
        for statement in claims.statements
        for dataset in statement.datasets
    ]


def ask_one(experiment: Experiment, values: Values, statement: Statement, dataset: str, least_seeds: int) -> Asked:
    """One statement on one data set."""
    places = [(place_of(experiment, dataset, left), place_of(experiment, dataset, right)) for left, right in statement.comparisons()]
    named = [(left, right) for left, right in places if left and right]
    if len(named) < len(places):
        return Asked(statement, dataset)
    if obstacle := next(filter(None, (obstacle_between(experiment, statement, *pair) for pair in named)), ""):
        return Asked(statement, dataset, obstacle=obstacle)
    enough = all(len(set(experiment.seeds_of(*left[:2])) & set(experiment.seeds_of(*right[:2]))) >= least_seeds for left, right in named)
    snapshots = min(experiment.params(*side[:2]).snapshots for pair in named for side in pair)
    measured = statement.metric is None or statement.metric in experiment.evaluation.metrics
    answerable = enough and measured and (statement.rule not in CURVES or snapshots >= FIFTHS)
    return Asked(statement, dataset, tuple(values.compare(statement, *pair) for pair in named), answerable)


def obstacle_between(experiment: Experiment, statement: Statement, left: Where, right: Where) -> str:
    """Why two samplings cannot be compared: another number of samples or other real images."""
    one, other = experiment.samplings[left[2]], experiment.samplings[right[2]]
    differ = [key for key in ("n", "reference") if getattr(one, key) != getattr(other, key)]
    return f"{left[2]} and {right[2]} differ in {' and '.join(differ)}" if differ else ""


class Values:
    """What the rules compare, of every run of an experiment, by seed."""

    def __init__(self, experiment: Experiment, metrics: pd.DataFrame, records: dict[str, RunRecord]):
        self.experiment, self.metrics, self.records = experiment, metrics, records

    def compare(self, statement: Statement, left: Where, right: Where) -> Comparison:
        """The pairs of one comparison."""
        rule = statement.rule
        if rule in WITHIN:
            found = {seed: pair for seed in self.seeds(left) if (pair := self.within(left, seed, rule)) is not None}
        else:
            one, other = (self.of_run(statement, side) for side in (left, right))
            found = {seed: (one[seed], other[seed]) for seed in one if seed in other}
        wanted = [seed for seed in self.seeds(left) if seed in self.seeds(right)]
        pairs = tuple(found[seed] for seed in wanted if seed in found)
        return Comparison(left, right, pairs, tuple(seed for seed in wanted if seed not in found))

    def seeds(self, where: Where) -> tuple[int, ...]:
        """The seeds that there should be."""
        return self.experiment.seeds_of(*where[:2])

    def of_run(self, statement: Statement, where: Where) -> dict[int, float]:
        """One number per seed."""
        if statement.rule == "better":
            metric = self.experiment.evaluation.metric if statement.metric is None else self.name_of(statement.metric)
            return dict(summarise(self.metrics, *where, metric, self.seeds(where)).values)
        curves = {seed: self.curve(Place(*where[:2], seed)) for seed in self.seeds(where)}
        return {seed: OF_A_CURVE[statement.rule](curve) for seed, curve in curves.items() if curve is not None}

    def name_of(self, metric: str) -> str:
        """A metric's name in the headline's feature space; without it where the metric needs none."""
        evaluation = self.experiment.evaluation
        full = prefix(evaluation.extractor_label, evaluation.weights == "official") + metric
        return full if full in set(self.metrics.metric) else metric

    def within(self, where: Where, seed: int, rule: str) -> tuple[float, float] | None:
        """(left, right) of a run that is compared with itself."""
        place = Place(*where[:2], seed)
        series = self.losses(place) if rule == "loss_is_flat" else self.curve(place)
        return None if series is None else WITHIN[rule](series)

    def curve(self, place: Place) -> pd.Series | None:
        """The headline metric by step; None where there is no curve, or one with too few points."""
        if (record := self.records.get(str(place))) is None:
            return None
        curve = read_curve(Path(self.experiment.results, str(place)), self.experiment.run(*place), record)
        return None if curve is None else in_every_fifth(metric_curve(curve, self.experiment.evaluation.metric))

    def losses(self, place: Place) -> pd.Series | None:
        """The encoder's loss plus the decoder's by step, which Figure 3a takes for the total loss."""
        if (record := self.records.get(str(place))) is None:
            return None
        history = read_history(Path(self.experiment.results, str(place)), record, LOSSES)
        return None if history is None else in_every_fifth(total_loss(history))


def in_every_fifth(series: pd.Series) -> pd.Series | None:
    """Values by step, if every fifth of the training has one and none is absent."""
    whole = len(series) and not series.isna().any() and set(fifths(series)) == set(range(1, FIFTHS + 1))
    return series if whole else None


def fifths(series: pd.Series) -> np.ndarray:
    """In which fifth of the training each point lies, from 1 to 5; a point on a border belongs to the earlier one."""
    steps = np.asarray(series.index, dtype=np.int64)
    parts: np.ndarray = -(-FIFTHS * steps // steps.max())
    return parts


def mean_of(series: pd.Series, fifth: int) -> float:
    """Mean over one fifth of the training."""
    return float(np.mean(series.to_numpy()[fifths(series) == fifth]))


def fluctuation(series: pd.Series) -> float:
    """How much the curve changes from point to point in the second half of the training, as a share of its mean there."""
    half = series[np.asarray(series.index) >= max(series.index) / 2].to_numpy()
    return float(np.mean(np.abs(np.diff(half))) / np.mean(half))


def flatness(losses: pd.Series) -> tuple[float, float]:
    """(change from the second fifth to the last, first drop)."""
    second = mean_of(losses, 2)
    return abs(mean_of(losses, FIFTHS) - second), abs(float(losses.iloc[0]) - second)


OF_A_CURVE: dict[str, Callable[[pd.Series], float]] = {"sooner": lambda curve: mean_of(curve, 1), "steadier": fluctuation}
WITHIN: dict[str, Callable[[pd.Series], tuple[float, float]]] = {
    "falls": lambda curve: (mean_of(curve, FIFTHS), mean_of(curve, 2)),
    "rises_late": lambda curve: (mean_of(curve, FIFTHS), mean_of(curve, 3)),
    "loss_is_flat": flatness,
}


def relative(comparison: Comparison) -> float | None:
    """Left over right minus one, of the means."""
    if not comparison.pairs:
        return None
    left, right = (math.fsum(side) for side in zip(*comparison.pairs, strict=True))
    return left / right - 1 if right else None
