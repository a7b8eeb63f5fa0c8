"""equivalence.csv: whether a change of runs changes what is measured, by two one-sided tests (Schuirmann, 1987) on pairs of one seed.

The margin is a share of the unchanged mean, which the same runs estimate. A test against that estimate would pass too often (0.12 where
0.05 is promised). So each pair gives after − (1 ± margin) · before, and the means of these are tested against 0.
"""

from __future__ import annotations

import pandas as pd

from pga.artifacts.run_titles import dataset_titles, run_titles
from pga.artifacts.tables.formats import Grid
from pga.artifacts.tables.intervals import interval, mean_and_error, p_below_zero
from pga.artifacts.tables.latex_tables import texts_of
from pga.artifacts.tables.summary_cells import FEW, Cell, partial, summarise
from pga.artifacts.tables.table_inputs import Table, TableInputs
from pga.params.experiment import Experiment
from pga.params.feature_spaces import TITLES
from pga.runtime.errors import UserError

EQUIVALENT, NOT_EQUIVALENT, UNDECIDED = "equivalent", "not equivalent", "undecided"
ONE_SIDED = 0.05
"""Level of each of the two tests."""
COLUMNS = [
    "dataset", "model", "change", "metric", "reference", "changed", "difference", "low", "high", "margin", "n", "verdict", "missing_seeds",
]  # fmt: skip


def make(request: TableInputs) -> Table:
    """A row per data set and run, with the interval of the difference and a verdict."""
    experiment = request.experiment
    if experiment.equivalence is None:
        raise UserError("this experiment asks for no equivalence (key `equivalence` of its file)")
    found = verdicts(experiment, request.metrics)
    missing = [
        f"{row['dataset']}/{row['model']} seed {row['missing_seeds']} ({row['change']})"
        for row in found.to_dict("records")
        if row["missing_seeds"]
    ]
    request.refuse(missing)
    runs = request.runs(request.measured(experiment.samplings_shown("equivalence")))
    text = caption(experiment, missing + runs.missing)
    return Table(texts_of("equivalence", found, [as_grid(found, experiment)], text), text, runs.records, experiment.shows("equivalence"))


def verdicts(experiment: Experiment, metrics: pd.DataFrame) -> pd.DataFrame:
    """One row per pair of runs; seeds of which one run is missing count for neither.

    Args:
        experiment: which runs are compared, and by which margin.
        metrics: the tidy table of `pga.artifacts.collect`.
    """
    asked, metric = experiment.equivalence, experiment.evaluation.metric
    assert asked is not None
    rows = []
    for dataset, change, run, changed in experiment.pairs():
        one, other = (summarise(metrics, dataset, name, "prior", metric, experiment.seeds_of(dataset, name)) for name in (run, changed))
        pairs = paired(one, other)
        (reference, _), (after, _) = (mean_and_error([pair[side] for pair in pairs]) for side in (0, 1))
        difference, low, high = interval([after - before for before, after in pairs], ONE_SIDED)
        margin = asked.margin * reference if reference is not None else None
        missing = " ".join(map(str, sorted({*one.missing, *other.missing})))
        found = (reference, after, difference, low, high, margin, len(pairs), verdict(pairs, asked.margin), missing)
        rows.append((dataset, run, asked.title(change), metric, *found))
    return pd.DataFrame(rows, columns=COLUMNS)


def paired(one: Cell, other: Cell) -> list[tuple[float, float]]:
    """(unchanged, changed) of each seed that has both: equal weights to start from, equal batches and noise."""
    after = dict(other.values)
    return [(value, after[seed]) for seed, value in one.values if seed in after]


def verdict(pairs: list[tuple[float, float]], margin: float) -> str:
    """Equivalent if after / before is shown to lie within 1 ± margin, not equivalent if it is shown to lie outside, else undecided."""
    above = [after - (1 + margin) * before for before, after in pairs]
    below = [(1 - margin) * before - after for before, after in pairs]
    if max(p_below_zero(above), p_below_zero(below)) < ONE_SIDED:
        return EQUIVALENT
    outside = min(p_below_zero([-value for value in side]) for side in (above, below))
    return NOT_EQUIVALENT if outside < ONE_SIDED else UNDECIDED


def as_grid(found: pd.DataFrame, experiment: Experiment) -> Grid:
    """What equivalence.csv holds."""

    def number(value: float | None) -> str:
        return "–" if pd.isna(value) else f"{value:.2f}"

    datasets, models = dataset_titles(experiment), run_titles(experiment)
    heads = ("Data", "Run", "Change", "Unchanged", "Changed", "Difference", "90 % interval", "Margin", "Pairs", "Verdict")
    rows = tuple(
        (
            datasets[row["dataset"]], models[row["model"]], row["change"],
            number(row["reference"]), number(row["changed"]), number(row["difference"]),
            f"{number(row['low'])} … {number(row['high'])}", f"± {number(row['margin'])}", str(row["n"]), row["verdict"],
        )
        for row in found.to_dict("records")
    )  # fmt: skip
    return Grid(heads, ("l", "l", "l", "r", "r", "r", "r", "r", "r", "l"), rows)


def caption(experiment: Experiment, missing: list[str]) -> str:
    """What is asked and how it is answered, and what is missing."""
    assert experiment.equivalence is not None
    share, questions = 100 * experiment.equivalence.margin, len(experiment.pairs())
    text = (
        f"{TITLES[experiment.evaluation.metric]} of runs as they are and with a change, seed by seed. The difference of the "
        "means has a 90 % interval by Student's t of the pairs. Equivalent: two one-sided tests at 5 % show the changed mean to lie within "
        f"{share:g} % of the unchanged one, by changed − (1 ± {share / 100:g}) · unchanged of each pair; not equivalent: one shows it "
        "outside; undecided: neither, which more seeds may settle. "
        f"Questions at once, uncorrected: {questions}; of changes by just the margin, one in twenty is called equivalent. "
    )
    text += FEW if experiment.evaluation.few_samples else ""
    return text.strip() + partial(missing)
