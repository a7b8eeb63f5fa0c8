"""Means over seeds of everything that was measured on one data set, for programs that compare two states of a project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from pga.artifacts.collect import rows_of, tidy
from pga.artifacts.tables.summary_cells import summarise
from pga.params.experiment import Experiment
from pga.runtime.errors import UserError


def metrics_on(experiment: Experiment, dataset: str) -> pd.DataFrame:
    """metrics.json of every run on one data set, a row per run, sampling and metric.

    Raises:
        UserError: the experiment has no such data set, or a run is missing.
    """
    if dataset not in experiment.datasets:
        raise UserError(f"no data set {dataset!r} in this experiment; there are {', '.join(experiment.datasets)}")
    rows: list[dict[str, Any]] = []
    for name, model, sampling in experiment.measurements():
        for seed in experiment.seeds_of(name, model) if name == dataset else ():
            who = {"dataset": name, "model": model, "seed": seed, "sampling": sampling}
            rows += rows_of(Path(experiment.results, name, model, f"seed{seed}", sampling, "metrics.json"), who)
    return tidy(rows)


def means(experiment: Experiment, dataset: str) -> dict[str, dict[str, dict[str, float]]]:
    """model → sampling → metric → mean over the experiment's seeds."""
    metrics = metrics_on(experiment, dataset)
    found: dict[str, dict[str, dict[str, float]]] = {}
    columns = metrics[["model", "sampling", "metric"]].drop_duplicates().itertuples(index=False, name=None)
    for model, sampling, metric in columns:
        cell = summarise(metrics, dataset, model, sampling, metric, tuple(experiment.seeds_of(dataset, model)))
        if cell.mean is not None:
            found.setdefault(model, {}).setdefault(sampling, {})[metric] = cell.mean
    return found
