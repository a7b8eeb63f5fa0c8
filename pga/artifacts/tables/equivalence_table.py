"""equivalence.csv: whether a change of runs changes what is measured, by two one-sided tests (Schuirmann, 1987) on pairs of one seed."""

from __future__ import annotations

import math

import pandas as pd
from scipy.stats import t

from pga.artifacts.tables.formats import Grid, as_latex, as_markdown
from pga.artifacts.tables.request import Made, Request
from pga.artifacts.tables.summary_cells import FEW, TITLES, Cell, summarise
from pga.params.experiment import Scale
from pga.runtime.errors import UserError

EQUIVALENT, NOT_EQUIVALENT, UNDECIDED = "equivalent", "not equivalent", "undecided"
ONE_SIDED = 0.05
"""Level of each of the two tests; together they are passed when the interval of 1 − 2 · 0.05 = 90 % lies within the margins."""
COLUMNS = [
    "dataset", "model", "change", "metric", "reference", "changed", "difference", "low", "high", "margin", "n", "verdict", "missing_seeds",
]  # fmt: skip


def make(request: Request) -> Made:
    """A row per data set and run, with the interval of the difference and a verdict."""
    scale = request.scale
    if scale.equivalence is None:
        raise UserError("this scale asks for no equivalence (key `equivalence` of its file)")
    found = verdicts(scale, request.metrics)
    missing = [
        f"{row['dataset']}/{row['model']} seed {row['missing_seeds']} ({row['change']})"
        for row in found.to_dict("records")
        if row["missing_seeds"]
    ]
    request.refuse(missing)
    runs = request.runs(request.measured(scale.samplings_shown("equivalence")))
    text = caption(scale, missing + runs.missing)
    grids = [grid(found)]
    texts = {"csv": found.to_csv(index=False, lineterminator="\n"), "md": as_markdown(grids, text), "tex": as_latex(grids, text)}
    return Made(texts, text, runs.records, scale.shows("equivalence"))


def verdicts(scale: Scale, metrics: pd.DataFrame) -> pd.DataFrame:
    """One row per pair of runs; seeds of which one run is missing count for neither.

    Args:
        scale: which runs are compared, and by which margin.
        metrics: the tidy table of `pga.artifacts.collect`.
    """
    asked, metric = scale.equivalence, scale.evaluation.metric
    assert asked is not None
    rows = []
    for dataset, change, run, changed in scale.pairs():
        one, other = (summarise(metrics, dataset, name, "prior", metric, scale.seeds_of(dataset, name)) for name in (run, changed))
        pairs = paired(one, other)
        reference, after = (math.fsum(side) / len(pairs) if pairs else None for side in (list(zip(*pairs, strict=True)) or ((), ())))
        low, high = interval([after - before for before, after in pairs])
        margin = asked.margin * reference if reference is not None else None
        difference = after - reference if after is not None and reference is not None else None
        missing = " ".join(map(str, sorted({*one.missing, *other.missing})))
        found = (reference, after, difference, low, high, margin, len(pairs), verdict(low, high, margin), missing)
        rows.append((dataset, run, asked.title(change), metric, *found))
    return pd.DataFrame(rows, columns=COLUMNS)


def paired(one: Cell, other: Cell) -> list[tuple[float, float]]:
    """(unchanged, changed) of each seed that has both: equal weights to start from, equal batches and noise."""
    after = dict(other.values)
    return [(value, after[seed]) for seed, value in one.values if seed in after]


def interval(differences: list[float]) -> tuple[float | None, float | None]:
    """90 % interval of the mean of paired differences, by Student's t; None for fewer than two."""
    n = len(differences)
    if n < 2:
        return None, None
    mean = math.fsum(differences) / n
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in differences) / (n - 1))
    half = float(t.ppf(1 - ONE_SIDED, n - 1)) * deviation / math.sqrt(n)
    return mean - half, mean + half


def verdict(low: float | None, high: float | None, margin: float | None) -> str:
    """Equivalent if the whole interval lies within ± margin, not equivalent if it lies outside, else more seeds must decide."""
    if low is None or high is None or margin is None:
        return UNDECIDED
    if -margin < low and high < margin:
        return EQUIVALENT
    return NOT_EQUIVALENT if low > margin or high < -margin else UNDECIDED


def grid(found: pd.DataFrame) -> Grid:
    """As a person reads it."""

    def number(value: float | None) -> str:
        return "–" if pd.isna(value) else f"{value:.2f}"

    heads = ("Data", "Run", "Change", "Unchanged", "Changed", "Difference", "90 % interval", "Margin", "Pairs", "Verdict")
    rows = tuple(
        (
            row["dataset"], row["model"], row["change"], number(row["reference"]), number(row["changed"]), number(row["difference"]),
            f"{number(row['low'])} … {number(row['high'])}", f"± {number(row['margin'])}", str(row["n"]), row["verdict"],
        )
        for row in found.to_dict("records")
    )  # fmt: skip
    return Grid(heads, ("l", "l", "l", "r", "r", "r", "r", "r", "r", "l"), rows)


def caption(scale: Scale, missing: list[str]) -> str:
    """What is asked and how it is answered, and what is missing."""
    assert scale.equivalence is not None
    text = (
        f"{TITLES[scale.evaluation.metric]} of runs as they are and with a change, seed by seed. The difference of the "
        "means has a 90 % interval by Student's t of the pairs. Equivalent: the whole interval lies within "
        f"{100 * scale.equivalence.margin:g} % of the unchanged mean (two one-sided tests at 5 %); not equivalent: all of it outside; "
        "undecided: neither, which more seeds may settle. "
    )
    text += FEW if scale.evaluation.few_samples else ""
    return text.strip() + (f" PARTIAL: missing are {', '.join(missing)}." if missing else "")
