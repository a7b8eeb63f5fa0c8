"""What every run cost: device, time, steps per second, memory, parameters of the networks."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import pandas as pd

from pga.artifacts.run_titles import dataset_titles, run_titles
from pga.artifacts.tables.formats import Grid
from pga.artifacts.tables.latex_tables import texts_of
from pga.artifacts.tables.summary_cells import partial
from pga.artifacts.tables.table_inputs import Table, TableInputs
from pga.params.experiment import Experiment
from pga.params.sampling import RECONSTRUCTION
from pga.provenance.records import Place
from pga.runtime.errors import UserError
from pga.training.run_record import RunRecord


def benchmark_seconds(path: Path) -> float:
    """The wall time that the workflow measured, over all of a file's rows; raises UserError if it is no such file."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return math.fsum(float(row["s"]) for row in csv.DictReader(file, delimiter="\t") if row.get("s"))
    except (OSError, ValueError, OverflowError, csv.Error) as error:
        raise UserError(f"{path}: not the time of a job as Snakemake writes it ({error}); delete it, and the job counts no more") from error


def seconds_after(logs: Path, experiment: Experiment, place: Place) -> float | None:
    """Sampling and evaluation of a run, all that this table waits for; None where the workflow did not measure it here."""
    jobs = f"{experiment.results}/{place.dataset}/{place.model}/seed{place.seed}"
    samplings = (*experiment.params(place.dataset, place.model).samplings, RECONSTRUCTION)
    names = [f"{rule}/{jobs}-{sampling}.tsv" for rule in ("sample", "evaluate") for sampling in samplings]
    files = [file for name in (*names, f"reconstruct/{jobs}.tsv") if (file := logs / name).exists()]
    return math.fsum(map(benchmark_seconds, files)) if files else None


COLUMNS = [
    "dataset", "model", "seed", "device", "threads", "parameters", "steps", "steps_per_s", "training_s", "sampling_and_evaluation_s",
    "peak_memory_bytes", "peak_gpu_memory_bytes", "resumed",
]  # fmt: skip


def row(record: RunRecord, after: float | None) -> tuple[Any, ...]:
    """One run, in the order of `COLUMNS`."""
    run, parameters = record.run, sum(record.parameters.values())
    return (
        run.dataset, run.name, run.seed, record.device, run.threads, parameters, record.steps, record.steps_per_s, record.wall_s, after,
        record.peak_memory_bytes, record.peak_gpu_memory_bytes, len(record.resumed_at_steps),
    )  # fmt: skip


def mean(values: pd.Series, form: str, unit: float = 1.0) -> str:
    """A mean over seeds as text, a dash where nothing was measured."""
    known = values.dropna()
    return format(known.mean() / unit, form) if len(known) else "–"


def make(request: TableInputs) -> Table:
    """Every run as CSV, means over seeds as Markdown and LaTeX."""
    experiment = request.experiment
    runs = request.runs(map(Place.of, experiment.all_runs()))
    rows = [row(record, seconds_after(request.logs, experiment, Place.of(record.run))) for record in runs.records.values()]
    found = pd.DataFrame(rows, columns=COLUMNS)
    text = caption(found, experiment, runs.missing)
    return Table(texts_of("costs", found, [as_grid(found, experiment)], text), text, runs.records)


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
    return text + partial(missing)
