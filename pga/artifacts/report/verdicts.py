"""What the paper's statements and numbers come out as: a sentence, counts, and the statements that are answered here in one table."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import NamedTuple

import pandas as pd

from pga.artifacts.report.charts import number
from pga.artifacts.tables.claims_table import (
    BETTER,
    CONTRADICTED,
    HOLDS,
    NOT_COMPARABLE,
    REPRODUCED,
    UNDECIDED,
    VERDICTS,
    WORSE,
)
from pga.params.experiment import Experiment
from pga.params.titles import in_words, metric_title

MARKS = {REPRODUCED: "✓", HOLDS: "✓", BETTER: "▼", WORSE: "▲", CONTRADICTED: "✗", UNDECIDED: "?"}
"""Verdict → the mark beside a number or statement; a lower distance is better."""
ANSWERS = (HOLDS, CONTRADICTED, UNDECIDED)


class Answer(NamedTuple):
    """A statement on one data set: the verdict, its mark, the means of both sides with p; all empty where it is not answered."""

    verdict: str = ""
    mark: str = ""
    means: str = ""


class Statement(NamedTuple):
    """What the paper says and where, and the answers, one for each data set."""

    says: str
    source: str
    answers: tuple[Answer, ...]


class Verdicts(NamedTuple):
    """The verdicts at a glance.

    Attributes:
        sentence: of all.
        counts: how many of a verdict, in words of what, the verdict; where there are some.
        columns: the paper's data sets on which a statement is answered, each with what stands in for it here.
        statements: those that are answered on any of them.
    """

    sentence: str
    counts: tuple[tuple[int, str, str], ...]
    columns: tuple[str, ...]
    statements: tuple[Statement, ...]


def verdicts(experiment: Experiment, claims: pd.DataFrame) -> Verdicts:
    """The verdicts of claims.csv."""
    answered = claims[(claims.kind == "statement") & claims.verdict.isin(ANSWERS)]
    columns = {str(name): str(part.data.iloc[0]) for name, part in answered.groupby("dataset", sort=False)}
    heads = tuple(in_words(name) + (f" (here {in_words(data)})" if data != name else "") for name, data in columns.items())
    statements = []
    for _, rows in answered.groupby("artifact", sort=False):
        found = {str(row["dataset"]): answer(row) for row in rows.to_dict("records")}
        statements.append(Statement(rows.claim.iloc[0], rows.source.iloc[0], tuple(found.get(name, Answer()) for name in columns)))
    counts = tuple(
        (count, f"{kind if count == 1 else f'{kind}s'} {phrase(verdict, count)}", verdict)
        for kind in ("statement", "number")
        for verdict in VERDICTS[kind]
        if verdict in MARKS and (count := int(((claims.kind == kind) & (claims.verdict == verdict)).sum()))
    )
    return Verdicts(sentence(experiment, claims), counts, heads, tuple(statements))


def answer(row: Mapping[Hashable, object]) -> Answer:
    """The answer of a row of claims.csv; the means are those of the comparison that decides."""
    ours, against, p = (float(str(row[key])) for key in ("ours", "against", "p_holm"))
    means = "" if math.isnan(ours) else f"{number(ours)} against {number(against)}"
    return Answer(
        str(row["verdict"]), MARKS[str(row["verdict"])], means + ("" if math.isnan(p) else ", p < 0.001" if p < 0.001 else f", p = {p:.1g}")
    )


def sentence(experiment: Experiment, claims: pd.DataFrame) -> str:
    """How many of the paper's statements and numbers have which verdict, and why the others have none."""
    parts: list[str] = []
    for kind in ("statement", "number"):
        counts = claims[claims.kind == kind].verdict.value_counts()
        total, judged = int(counts.sum()), [word for word in VERDICTS[kind] if word in MARKS and word in counts]
        if not total:
            continue
        whose = "its" if parts else "the paper’s"
        rest = total - int(sum(counts[word] for word in judged))
        if judged:
            listed = ", ".join(f"{counts[word]} {phrase(word, counts[word])}" for word in judged)
            parts.append(f"Of the paper’s {total} {kind}s {listed}" + (f"; {rest} cannot be answered by this experiment." if rest else "."))
        elif counts.get(NOT_COMPARABLE) and experiment.evaluation.metric != "fid":
            metric = metric_title(experiment.evaluation.metric)
            parts.append(f"None of {whose} {total} {kind}s can be compared: they are FIDs, the metric here is the {metric}.")
        else:
            parts.append(f"None of {whose} {total} {kind}s can be judged by this experiment.")
    return " ".join(parts) or "Nothing of the paper is judged here."


def phrase(verdict: str, count: int) -> str:
    """A verdict as a part of a sentence."""
    if verdict == HOLDS:
        return "holds" if count == 1 else "hold"
    words = {BETTER: "lower than the paper’s", WORSE: "higher than the paper’s"}.get(verdict, verdict)
    return f"{'is' if count == 1 else 'are'} {words}"
