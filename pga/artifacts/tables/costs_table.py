"""What every run cost: device, time, steps per second, memory, parameters of the networks."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import pandas as pd

from pga.artifacts.run_titles import dataset_titles, run_titles
from pga.artifacts.tables.formats import Grid, as_markdown
from pga.artifacts.tables.latex_tables import as_latex
from pga.artifacts.tables.request import Made, Request
from pga.params.experiment import Experiment
from pga.params.run import Run
from pga.provenance.records import Place, Record
from pga.runtime.errors import UserError

AFTER = ("sample", "evaluate", "curve", "interpolate", "reconstruct")
"""Rules that run after the training of a run, by the folder of their benchmark files."""


def benchmark_seconds(path: Path) -> float:
    """The wall time that the workflow measured, over all of a file's rows.

    Raises:
        UserError: it is no such file.
    """
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return math.fsum(float(row["s"]) for row in csv.DictReader(file, delimiter="\t") if row.get("s"))
    except (OSError, ValueError, OverflowError, csv.Error) as error:
        raise UserError(f"{path}: not the time of a job as Snakemake writes it ({error}); delete it, and the job counts no more") from error


def seconds_after(logs: Path, experiment: Experiment, place: Place) -> float | None:
    """Sampling and evaluation of a run; None where the workflow did not measure it here."""
    folder = f"{experiment.results}/{place.dataset}/{place.model}"
    files = [file for rule in AFTER for file in sorted((logs / rule / folder).glob(f"seed{place.seed}[.-]*tsv"))]
    return math.fsum(map(benchmark_seconds, files)) if files else None


def place_of(run: Run) -> Place:
    """Where a run's results lie."""
    return Place(run.dataset, run.name, run.seed)


def row(place: Place, record: Record, after: float | None) -> dict[str, Any]:
    """One run."""
    networks = record.get("parameters") or {}
    return {
        "dataset": place.dataset,
        "model": place.model,
        "seed": place.seed,
        "device": record.get("device"),
        "threads": record["run"].get("threads"),
        "parameters": sum(networks.values()) or None,
        "steps": record.get("steps"),
        "steps_per_s": record.get("steps_per_s"),
        "training_s": record.get("wall_s"),
        "sampling_and_evaluation_s": after,
        "peak_memory_bytes": record.get("peak_memory_bytes"),
        "peak_gpu_memory_bytes": record.get("peak_gpu_memory_bytes"),
        "resumed": len(record.get("resumed_at_steps") or []),
    }


def mean(values: pd.Series, form: str, experiment: float = 1.0) -> str:
    """A mean over seeds as text, a dash where nothing was measured."""
    known = values.dropna()
    return format(known.mean() / experiment, form) if len(known) else "–"


def make(request: Request) -> Made:
    """Every run as CSV, means over seeds as Markdown and LaTeX."""
    experiment = request.experiment
    runs = request.runs(map(place_of, experiment.all_runs()))
    places = {str(place): place for place in map(place_of, experiment.all_runs())}
    columns = list(row(Place("", "", 0), {"run": {}}, None))
    found = pd.DataFrame(
        [row(places[name], record, seconds_after(request.logs, experiment, places[name])) for name, record in runs.records.items()],
        columns=columns,
    )
    grids, text = [as_grid(found, experiment)], caption(found, experiment, runs.missing)
    return Made(
        {"csv": found.to_csv(index=False, lineterminator="\n"), "md": as_markdown(grids, text), "tex": as_latex(grids, text, "costs")},
        text,
        runs.records,
    )


def as_grid(found: pd.DataFrame, experiment: Experiment) -> Grid:
    """What costs.csv holds: means over the runs of a row on one device."""
    datasets, models = dataset_titles(experiment), run_titles(experiment)
    rows = [
        (
            datasets[str(dataset)], models[str(model)], str(len(part)), str(device),
            mean(part.parameters, ",.0f"), mean(part.steps, ",.0f"),
            mean(part.steps_per_s, ",.1f"), mean(part.training_s, ",.0f"), mean(part.sampling_and_evaluation_s, ",.0f"),
            mean(part.peak_memory_bytes, ",.0f", 1e6), mean(part.peak_gpu_memory_bytes, ",.0f", 1e6),
        )
        for (dataset, model, device), part in found.groupby(["dataset", "model", "device"], sort=False)
    ]  # fmt: skip
    heads = ("Data", "Run", "Runs", "Device", "Parameters", "Steps", "Steps/s", "Training s", "After s", "Memory MB", "GPU memory MB")
    return Grid(heads, ("l", "l", "r", "p{3cm}", *"rrrrrrr"), tuple(rows))


def caption(found: pd.DataFrame, experiment: Experiment, missing: list[str]) -> str:
    """What the numbers are, the sum, and what is missing."""
    hours = (found.training_s.fillna(0).sum() + found.sampling_and_evaluation_s.fillna(0).sum()) / 3600
    text = (
        f"Costs of {experiment.results}: means over runs. Training: wall time of the steps, of all starts where a run was interrupted. "
        "After: sampling and evaluation, where the workflow measured them. Parameters: of both networks. Memory: the training process's "
        f"largest resident size; of the GPU, what tensors held at most. Together {len(found)} runs and {hours:.2g} device hours."
    )
    return text + (f" PARTIAL: missing are {', '.join(missing)}." if missing else "")
