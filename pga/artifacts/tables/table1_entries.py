"""The cells of Table 1: ours over seeds, the paper's number, the best of each block."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from pga.artifacts.tables.summary_cells import Cell, plus_minus, summarise
from pga.params.artifacts import Column, Row
from pga.params.claims import Claim, Claims
from pga.params.experiment import REAL, Experiment


@dataclass(frozen=True)
class Entry:
    """One cell of the table with its place in it."""

    row: Row
    column: Column
    cell: Cell
    claim: Claim | None
    best: bool
    against_test: Cell | None = None
    """The same samples' law against the test images instead of the training images, where that was measured."""


def entries(experiment: Experiment, metrics: pd.DataFrame, claims: Claims) -> list[Entry]:
    """Every cell; the lowest of several means of a column within a block is its best, since blocks differ in protocol."""
    found: list[Entry] = []
    for row in experiment.table1.rows:
        for column in experiment.table1.columns:
            dataset = row.on(column)
            metric, seeds = experiment.evaluation.metric, experiment.seeds_of(dataset, row.model)
            cell = summarise(metrics, dataset, row.model, row.sampling, metric, seeds)
            twin = experiment.against_test(dataset, row.model, row.sampling)
            against_test = summarise(metrics, dataset, row.model, twin, metric, seeds) if twin else None
            claim = claims.find(column.paper or column.dataset, row.model, experiment.samplings[row.sampling].density)
            found.append(Entry(row, column, cell, claim, False, against_test))
    means: dict[tuple[str, str], list[float]] = {}
    for entry in found:
        if entry.cell.mean is not None and entry.row.model != REAL:
            means.setdefault((entry.row.block, entry.column.dataset), []).append(entry.cell.mean)
    best = {place: min(several) for place, several in means.items() if len(several) > 1}
    return [
        replace(entry, best=entry.cell.mean is not None and entry.cell.mean == best.get((entry.row.block, entry.column.dataset)))
        for entry in found
    ]


def claims_beside(found: list[Entry]) -> bool:
    """Whether the paper says anything of what the table shows; of one's own data it does not."""
    return any(entry.claim is not None for entry in found)


def claimed(claim: Claim | None) -> str:
    """The paper's number as text."""
    return plus_minus(claim.value, claim.standard_error) if claim else "–"
