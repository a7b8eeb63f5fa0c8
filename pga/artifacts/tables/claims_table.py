"""claims.csv: every number that the paper claims, ours beside it, and a verdict by the rule that params/claims.yaml fixes."""

from __future__ import annotations

import math

import pandas as pd

from pga.artifacts.tables.request import Made, Request
from pga.artifacts.tables.summary_cells import Cell, summarise
from pga.params.claims import Claim, Claims
from pga.params.experiment import Scale

REPRODUCED, NOT_REPRODUCED, NOT_RUN = "reproduced", "not reproduced", "not run"


def make(request: Request) -> Made:
    """claims.csv with every run that answers a claim; a claim without one is "not run", which is no mistake."""
    scale = request.scale
    found = verdicts(scale, request.metrics, request.claims)
    cells = [place for claim in request.claims.claims if (place := run_of(scale, claim)) is not None]
    runs = request.runs(request.measured(cells) if scale.evaluation.metric == request.claims.metric else [])
    counts = found.verdict.value_counts()
    text = f"{len(found)} numbers of the paper: " + ", ".join(
        f"{counts.get(word, 0)} {word}" for word in (REPRODUCED, NOT_REPRODUCED, NOT_RUN)
    )
    texts = {"csv": found.to_csv(index=False, lineterminator="\n")}
    return Made(texts, text, runs.records, scale.shows("table1"))


def run_of(scale: Scale, claim: Claim) -> tuple[str, str, str] | None:
    """(data set, model, sampling) of the scale that a claim is about: the cell of Table 1, or else a run of that name; None if none is."""
    for row in scale.table1.rows:
        for column in scale.table1.columns:
            place = (column.paper or column.dataset, row.model, scale.samplings[row.sampling].density)
            if place == (claim.dataset, claim.model, claim.density):
                return row.on(column), row.model, row.sampling
    for dataset, model, sampling in scale.samplings_of_runs():
        if (dataset, model, scale.samplings[sampling].density) == (claim.dataset, claim.model, claim.density):
            return dataset, model, sampling
    return None


def tolerance(claim: Claim, cell: Cell, claims: Claims) -> float:
    """How far ours may lie from the paper's number, in the metric's own unit."""
    combined = math.hypot(claim.standard_error or 0.0, cell.standard_error or 0.0)
    return claims.standard_errors * combined + claims.relative_tolerance * claim.value


def verdicts(scale: Scale, metrics: pd.DataFrame, claims: Claims) -> pd.DataFrame:
    """One row per claim.

    Args:
        scale: says which run a claim is about. Where its metric is not the claims', nothing can be compared: every claim is "not run".
        metrics: the tidy table of `pga.artifacts.collect`, complete or not.
        claims: targets and the rule.
    """
    rows = []
    for claim in claims.claims:
        place = run_of(scale, claim) if scale.evaluation.metric == claims.metric else None
        cell = Cell(None, None, 0, (), scale.seeds)
        if place:
            cell = summarise(metrics, *place, claims.metric, scale.seeds_of(*place[:2]))
        difference = allowed = in_errors = None
        verdict = NOT_RUN
        if cell.mean is not None:
            difference, allowed = cell.mean - claim.value, tolerance(claim, cell, claims)
            combined = math.hypot(claim.standard_error or 0.0, cell.standard_error or 0.0)
            in_errors = difference / combined if combined > 0 else None
            verdict = REPRODUCED if abs(difference) <= allowed else NOT_REPRODUCED
        sampling = scale.samplings[place[2]] if place else None
        rows.append(
            {
                "artifact": claim.artifact,
                "dataset": claim.dataset,
                "model": claim.model,
                "density": claim.density,
                "metric": claims.metric,
                "source": claim.source,
                "target": claim.value,
                "target_standard_error": claim.standard_error,
                "ours": cell.mean,
                "standard_error": cell.standard_error,
                "n": cell.n,
                "difference": difference,
                "difference_in_standard_errors": in_errors,
                "tolerance": allowed,
                "verdict": verdict,
                "run": "/".join(place) if place else None,
                "protocol": f"{sampling.n} samples, {sampling.reference} images" if sampling else None,
                "missing_seeds": " ".join(map(str, cell.missing)),
            }
        )
    return pd.DataFrame(rows)
