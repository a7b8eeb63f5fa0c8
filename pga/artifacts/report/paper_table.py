"""Table 1 on the page in the paper's layout: models down, data sets across, ours over the paper's number, a mark per verdict."""

from __future__ import annotations

import math
from typing import NamedTuple

import pandas as pd

from pga.artifacts.report.verdicts import MARKS
from pga.artifacts.tables.summary_cells import plus_minus
from pga.params.experiment import REAL, Experiment


class Value(NamedTuple):
    """Our number and the paper's as texts, the verdict, and whether ours is the best of its block."""

    ours: str
    paper: str
    verdict: str
    mark: str
    best: bool


class Line(NamedTuple):
    """A model and its values; the block's name where a block begins."""

    block: str
    title: str
    values: tuple[Value, ...]


class PaperTable(NamedTuple):
    """The caption, titles of the data sets, the lines, and the marks that occur with their meaning."""

    caption: str
    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    marks: tuple[tuple[str, str], ...]


def paper_table(experiment: Experiment, frame: pd.DataFrame, claims: pd.DataFrame | None, caption: str) -> PaperTable:
    """The layout of `table1.csv`, whose rows are Table 1's cells line by line, with the verdicts of `claims.csv`."""
    columns = tuple(column.title for column in experiment.table1.columns)
    several = frame.block.nunique() > 1
    models = {row.title: row.model for row in experiment.table1.rows}
    trained = frame[frame.model.map(models) != REAL].dropna(subset=["mean"])
    best = {place: means.min() for place, means in trained.groupby(["block", "dataset"])["mean"] if len(means) > 1}
    lines, last, seen = [], None, set()
    cells = frame.to_dict("records")
    for start, row in zip(range(0, len(cells), len(columns)), experiment.table1.rows, strict=True):
        values = []
        for cell, column in zip(cells[start : start + len(columns)], experiment.table1.columns, strict=True):
            place = (column.paper or column.dataset, row.model, experiment.samplings[row.sampling].density)
            verdict = "" if claims is None else verdict_of(claims, *place)
            seen.add(verdict)
            is_best = row.model != REAL and cell["mean"] == best.get((row.block, column.title))
            values.append(Value(number(cell["mean"], cell["standard_error"]), number(cell["paper_fid"], cell["paper_standard_error"]),
                                verdict, MARKS.get(verdict, ""), is_best))  # fmt: skip
        lines.append(Line(row.block if several and row.block != last else "", row.title, tuple(values)))
        last = row.block
    return PaperTable(caption, columns, tuple(lines), tuple((mark, word) for word, mark in MARKS.items() if word in seen))


def verdict_of(claims: pd.DataFrame, dataset: str, model: str, density: str) -> str:
    """The verdict of a number of the paper, empty where the paper has none."""
    rows = claims[(claims.kind == "number") & (claims.dataset == dataset) & (claims.model == model) & (claims.density == density)]
    return str(rows.verdict.iloc[0]) if len(rows) else ""


def number(mean: float, error: float) -> str:
    """A mean with its standard error, in the decimals of Table 1 in Markdown and LaTeX; a dash where there is none."""
    return "–" if math.isnan(mean) else plus_minus(mean, error)
