"""claims.csv: every number and every statement of the paper, what ours say, and a verdict by the rules that params/claims.yaml fixes."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pga.artifacts.run_titles import run_titles
from pga.artifacts.tables.intervals import difference, holm, interval, mean_and_error
from pga.artifacts.tables.statements import Asked, Comparison, ask, relative
from pga.artifacts.tables.summary_cells import plus_minus, summarise
from pga.artifacts.tables.table_inputs import Table, TableInputs
from pga.params.claims import Claim, Claims
from pga.params.experiment import Experiment
from pga.params.titles import in_words, metric_title
from pga.training.run_record import RunRecord

REPRODUCED, BETTER, WORSE = "reproduced", "better", "worse"
HOLDS, CONTRADICTED = "holds", "contradicted"
UNDECIDED, NOT_COMPARABLE, NOT_RUN = "undecided", "not comparable", "not run"
VERDICTS = {
    "number": (REPRODUCED, BETTER, WORSE, UNDECIDED, NOT_COMPARABLE, NOT_RUN),
    "statement": (HOLDS, CONTRADICTED, UNDECIDED, NOT_COMPARABLE, NOT_RUN),
}
"""Kind of row → its verdicts, in the order in which they are counted."""
PAPERS_RUNS = 3
"""Runs behind a standard error of the paper, which says "3 or more"."""
COLUMNS = [
    "kind", "artifact", "source", "dataset", "model", "density", "claim", "data", "compared", "metric", "n", "ours", "standard_error",
    "against", "against_standard_error", "effect", "difference", "low", "high", "margin", "test", "p", "p_holm", "verdict", "note",
    "run", "missing_seeds",
]  # fmt: skip


def make(request: TableInputs) -> Table:
    """claims.csv with every run that answers a claim; a claim without one is "not run", which is no mistake."""
    experiment = request.experiment
    cells = [place for claim in request.claims.claims if (place := run_of(experiment, claim)) is not None]
    cells += [
        side
        for asked in ask(experiment, request.metrics, request.claims, {})
        for one in asked.comparisons
        for side in (one.left, one.right)
    ]
    runs = request.runs(request.measured(cells))
    found = verdicts(experiment, request.metrics, request.claims, runs.records)
    return Table({"csv": found.to_csv(index=False, lineterminator="\n")}, summary(found), runs.records, experiment.shows("table1"))


def summary(found: pd.DataFrame) -> str:
    """How many there are of each verdict, in a sentence."""
    parts = []
    for kind, words in VERDICTS.items():
        counts = found[found.kind == kind].verdict.value_counts()
        if counts.sum():
            parts.append(
                f"{int(counts.sum())} {kind}s of the paper: " + ", ".join(f"{counts[word]} {word}" for word in words if word in counts)
            )
    return "; ".join(parts) + "." if parts else "Nothing of the paper is judged here."


def verdicts(experiment: Experiment, metrics: pd.DataFrame, claims: Claims, records: dict[str, RunRecord] | None = None) -> pd.DataFrame:
    """One row per number, then one per statement and data set.

    Args:
        experiment: says which run a claim is about.
        metrics: the tidy table of `pga.artifacts.collect`, complete or not.
        claims: what the paper says, and the rules.
        records: run.json of the runs that are there; without a run's, statements about its training are not run.
    """
    rows = [number(experiment, metrics, claims, claim) for claim in claims.claims]
    asked = ask(experiment, metrics, claims, records or {})
    tests = [one for one in asked if one.answerable]
    adjusted = dict(zip(map(id, tests), holm([min(one.p()) if one.n >= claims.least_seeds else 1.0 for one in tests]), strict=True))
    rows += [statement(experiment, metrics, claims, one, adjusted.get(id(one)), len(tests)) for one in asked]
    return pd.DataFrame(rows, columns=COLUMNS)


# Numbers


def run_of(experiment: Experiment, claim: Claim) -> tuple[str, str, str] | None:
    """(data set, model, sampling) of the experiment that a claim is about: the cell of Table 1, or else a run of that name; else None."""
    for row in experiment.table1.rows:
        for column in experiment.table1.columns:
            place = (column.paper or column.dataset, row.model, experiment.samplings[row.sampling].density)
            if place == (claim.dataset, claim.model, claim.density):
                return row.on(column), row.model, row.sampling
    for dataset, model, sampling in experiment.samplings_of_runs():
        if (dataset, model, experiment.samplings[sampling].density) == (claim.dataset, claim.model, claim.density):
            return dataset, model, sampling
    return None


def number_verdict(values: list[float], paper: float, error: float, claims: Claims) -> str:
    """Whether ours are shown to lie within (1 ± margin) times the paper's number, below it, above it, or none of these.

    The margin is a share of a number that has an error too. So ours are compared with each end of the range, with that end's error.
    """
    if len(values) < claims.least_seeds:
        return UNDECIDED
    ends = (1 - claims.margin, 1 + claims.margin)
    lower, upper = (difference(values, end * paper, end * error, PAPERS_RUNS, claims.level) for end in ends)
    assert lower.low is not None and lower.high is not None and upper.low is not None and upper.high is not None
    if lower.low > 0 > upper.high:
        return REPRODUCED
    if lower.high < 0:
        return BETTER
    return WORSE if upper.low > 0 else UNDECIDED


def obstacle_of(experiment: Experiment, claims: Claims, claim: Claim, place: tuple[str, str, str]) -> str:
    """Why a number cannot be compared with the paper's; empty if it can."""
    if experiment.evaluation.metric != claims.metric:
        return f"the metric here is the {metric_title(experiment.evaluation.metric)}, the paper’s is {metric_title(claims.metric)}"
    stand_ins = {
        column.dataset for column in experiment.table1.columns if column.paper == claim.dataset and column.dataset != claim.dataset
    }
    if place[0] in stand_ins:
        return f"{in_words(place[0])} stands in for {in_words(claim.dataset)}"
    asked, sampling = claims.protocols[claim.source], experiment.samplings[place[2]]
    if (sampling.n, sampling.reference) != (asked.n, asked.reference):
        images = "training" if asked.reference == "train" else "test"
        return f"the number is of {asked.n:,} samples against {images} images"
    return ""


def number(experiment: Experiment, metrics: pd.DataFrame, claims: Claims, claim: Claim) -> dict[str, Any]:
    """The row of one number."""
    place = run_of(experiment, claim)
    row = {
        "kind": "number", "artifact": claim.artifact, "source": claim.source, "dataset": claim.dataset, "model": claim.model,
        "density": claim.density, "claim": f"{in_words(claim.model)}: {plus_minus(claim.value, claim.standard_error)}",
        "metric": claims.metric, "n": 0, "against": claim.value, "against_standard_error": claim.standard_error,
        "margin": claims.margin * claim.value, "verdict": NOT_RUN, "note": claim.note,
    }  # fmt: skip
    if place is None:
        return row
    sampling = experiment.samplings[place[2]]
    compared = f"{'/'.join(place)} ({sampling.n} samples, {sampling.reference} images) with the paper's number"
    row |= {"data": place[0], "compared": compared, "run": "/".join(place)}
    if obstacle := obstacle_of(experiment, claims, claim, place):
        return row | {"verdict": NOT_COMPARABLE, "note": joined(obstacle, claim.note)}
    cell = summarise(metrics, *place, claims.metric, experiment.seeds_of(*place[:2]))
    row |= {"missing_seeds": " ".join(map(str, cell.missing))}
    if cell.mean is None:
        return row
    values = [value for _, value in cell.values]
    found = difference(values, claim.value, claim.standard_error or 0.0, PAPERS_RUNS, claims.level)
    kind = "Welch's t" if claim.standard_error else "Student's t, the paper's number as exact"
    return row | {
        "n": cell.n, "ours": cell.mean, "standard_error": cell.standard_error, "effect": cell.mean / claim.value - 1,
        "difference": found.mean, "low": found.low, "high": found.high,
        "test": f"{kind}: {100 * (1 - 2 * claims.level):g} % interval within ± margin",
        "verdict": number_verdict(values, claim.value, claim.standard_error or 0.0, claims),
    }  # fmt: skip


# Statements


def statement(
    experiment: Experiment, metrics: pd.DataFrame, claims: Claims, asked: Asked, p_holm: float | None, tests: int
) -> dict[str, Any]:
    """The row of one statement on one data set: the figures are those of its weakest comparison, or of the one that contradicts it."""
    said = asked.statement
    row = {
        "kind": "statement", "artifact": said.name, "source": said.source, "dataset": asked.dataset, "claim": said.says, "n": 0,
        "verdict": NOT_RUN, "note": said.note,
    }  # fmt: skip
    if asked.obstacle:
        return row | {"verdict": NOT_COMPARABLE, "note": joined(asked.obstacle, said.note)}
    if not asked.comparisons:
        return row
    p_holds, p_contradicted = asked.p()
    against_it = p_contradicted < p_holds
    by_worst = asked.contradicts() if against_it else [-p for p in asked.supports()]
    worst = asked.comparisons[by_worst.index(min(by_worst))]
    missing = sorted({seed for comparison in asked.comparisons for seed in comparison.missing})
    stands_in = f"{in_words(worst.left[0])} stands in for {in_words(asked.dataset)}" if worst.left[0] != asked.dataset else ""
    row |= {
        "data": worst.left[0], "metric": said.metric or experiment.evaluation.metric, "compared": words(experiment, asked, worst),
        "run": "/".join(worst.left), "note": joined(stands_in, said.note), "missing_seeds": " ".join(map(str, missing)),
    }  # fmt: skip
    if not asked.n:
        return row
    (left, left_error), (right, right_error) = (mean_and_error(side) for side in zip(*worst.pairs, strict=True))
    assert left is not None and right is not None
    between = interval([one - other for one, other in worst.pairs], claims.level)
    enough = asked.n >= claims.least_seeds and p_holm is not None
    decided = enough and p_holm is not None and p_holm < claims.level
    several = len(asked.comparisons)
    count = f" (the smallest of {several}, times {several})" if against_it else f" (the largest of {several})"
    return row | {
        "n": asked.n, "ours": left, "standard_error": left_error, "against": right,
        "against_standard_error": right_error, "effect": relative(worst), "difference": between.mean, "low": between.low,
        "high": between.high, "margin": said.margin * right,
        "test": f"one-sided t of {asked.n} pairs of one seed{count if several > 1 else ''}, Holm's correction for {tests} statements",
        "p": min(p_holds, p_contradicted) if enough else None, "p_holm": p_holm if enough else None,
        "verdict": UNDECIDED if not decided else HOLDS if p_holds < p_contradicted else CONTRADICTED,
    }  # fmt: skip


WORDS = {
    "better": "{left} {than} {right}",
    "sooner": "{left} {than} {right}, mean over the first fifth of training",
    "steadier": "{left} {than} {right}, relative change between snapshots in the second half",
    "falls": "{left}: last fifth of training against the second",
    "rises_late": "{left}: last fifth of training against the third",
    "loss_is_flat": "{left}: change of the total loss from the second fifth to the last, against its first drop",
}
"""How each rule's comparison reads."""


def words(experiment: Experiment, asked: Asked, one: Comparison) -> str:
    """A comparison in words."""
    titles = run_titles(experiment)
    left, right = (titles[side[1]] + (f" ({in_words(side[2])})" if side[2] != "prior" else "") for side in (one.left, one.right))
    than = "above" if asked.statement.higher else "below"
    text = WORDS[asked.statement.rule].format(left=left, right=right, than=than)
    return text + (f" (weakest of {len(asked.comparisons)} comparisons)" if len(asked.comparisons) > 1 else "")


def joined(*notes: str) -> str:
    """Notes as one text."""
    return "; ".join(note for note in notes if note)
