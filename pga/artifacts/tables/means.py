"""Means over seeds of everything that was measured on one data set, for programs that compare two states of a project."""

from __future__ import annotations

from pga.artifacts.collect import collect
from pga.artifacts.tables.summary_cells import summarise
from pga.params.experiment import Experiment


def means(experiment: Experiment, dataset: str) -> dict[str, dict[str, dict[str, float]]]:
    """model → sampling → metric → mean over the experiment's seeds; raises as `collect` does."""
    metrics, _ = collect(experiment, dataset=dataset)
    found: dict[str, dict[str, dict[str, float]]] = {}
    columns = metrics[["model", "sampling", "metric"]].drop_duplicates().itertuples(index=False, name=None)
    for model, sampling, metric in columns:
        cell = summarise(metrics, dataset, model, sampling, metric, experiment.seeds_of(dataset, model))
        if cell.mean is not None:
            found.setdefault(model, {}).setdefault(sampling, {})[metric] = cell.mean
    return found
