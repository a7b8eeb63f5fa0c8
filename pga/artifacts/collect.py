"""metrics.json of every run → one tidy table, a row per run, sampling and metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pandas as pd

from pga.artifacts.tables.summary_cells import summarise
from pga.evaluation.metrics_record import Measurement, MetricsRecord
from pga.fingerprints.steps import names_other_code
from pga.params.evaluation import FOREIGN_SPLIT
from pga.params.experiment import REAL, Experiment
from pga.params.feature_spaces import PIXELS
from pga.runtime.errors import UserError
from pga.training.run_record import refuse_run_of_other_code

RUN = ["dataset", "model", "seed", "sampling"]
TEXT = ("dataset", "model", "sampling", "run", "block", "metric")
"""Columns of names and titles, which stay text even where all of them look like numbers, truth values or nothing (`nan`, `true`)."""
COLUMNS = [*RUN, *(field.name for field in fields(Measurement)), "extractor_accuracy"]


def collect(
    experiment: Experiment, artifact: str | None = None, allow_missing: bool = False, dataset: str | None = None
) -> tuple[pd.DataFrame, list[str]]:
    """The metrics of an experiment in the order of its file, and the runs that are missing.

    Args:
        experiment: its runs.
        artifact: only what this table or figure shows; by default everything.
        allow_missing: go on without the runs that are not there, or are of other code than there is now.
        dataset: only this data set; by default all.

    Raises:
        UserError: a run is missing and `allow_missing` is not set, a file is of another run than its place says, or was measured in
            another way than the experiment now says.
    """
    if dataset not in (None, *experiment.datasets):
        raise UserError(f"no data set {dataset!r} in this experiment; there are {', '.join(experiment.datasets)}")
    rows: list[dict[str, Any]] = []
    missing: list[str] = []
    for name, model, sampling in experiment.measurements() if artifact is None else experiment.samplings_shown(artifact):
        for seed in experiment.seeds_of(name, model) if dataset in (None, name) else ():
            path = metrics_path(experiment, name, model, seed, sampling)
            if not is_there(path, model) or (allow_missing and of_other_code(path)):
                missing.append(named(experiment, name, model, seed, sampling))
                continue
            found = rows_of(path, {"dataset": name, "model": model, "seed": seed, "sampling": sampling})
            if sampling in experiment.samplings:
                refuse_stale(path, found, experiment, sampling)
            rows += found
    if missing and not allow_missing:
        raise UserError(f"runs are missing: {', '.join(missing)}; run them, or pass --allow-missing for a partial table")
    return tidy(rows), missing


def metrics_path(experiment: Experiment, dataset: str, model: str, seed: int, sampling: str) -> Path:
    """Where a run's metrics are."""
    return Path(experiment.results, dataset, model, f"seed{seed}", sampling, "metrics.json")


def is_there(metrics: Path, model: str) -> bool:
    """Whether metrics are there, and the run that they are of if they are not of real images: else they may be an earlier run's."""
    return metrics.exists() and (model == REAL or (metrics.parents[1] / "run.json").exists())


def of_other_code(metrics: Path) -> bool:
    """Whether metrics, or the run that they are of, as far as they are there, are of other code than there is now."""
    return any(names_other_code(record) for record in (metrics.parents[1] / "run.json", metrics) if record.exists())


def named(experiment: Experiment, dataset: str, model: str, seed: int, sampling: str) -> str:
    """A run that is left out, and why if it is not that there is none."""
    why = ", of other code than there is now" if of_other_code(metrics_path(experiment, dataset, model, seed, sampling)) else ""
    return f"{dataset}/{model} seed {seed} ({sampling}{why})"


def tidy(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows as the table; numbers that may be unknown stay whole."""
    return pd.DataFrame(rows, columns=COLUMNS).astype({"reference_n": "Int64"})


def read_metrics(path: Path, experiment: Experiment | None = None, allow_missing: bool = False) -> pd.DataFrame:
    """The table that `collect` made, from its file.

    Args:
        path: the file.
        experiment: whose metrics.json, as far as they are there, must say the same.
        allow_missing: go on without the runs that are no longer there, or are of other code than there is now.

    Raises:
        UserError: the file is absent, or is no such table, or says something else than the metrics.json that it was collected from.
    """
    table = read_table(path, COLUMNS, "a table of metrics", "`pga collect` makes it")
    try:
        table = table.astype({"reference_n": "Int64"})
    except (ValueError, TypeError) as error:
        raise UserError(f"{path}: not a table of metrics ({error}); `pga collect` makes it") from error
    if experiment is not None:
        for dataset, model, seed, sampling in table[RUN].drop_duplicates().itertuples(index=False, name=None):
            who = {"dataset": dataset, "model": model, "seed": int(seed), "sampling": sampling}
            source = metrics_path(experiment, str(dataset), str(model), int(seed), str(sampling))
            has_run = model == REAL or (source.parents[1] / "run.json").exists()
            if allow_missing and (not has_run or of_other_code(source)):
                table = table[~(table[RUN] == pd.Series(who)).all(axis=1)]
            elif source.exists():
                refuse_different(path, table, source, who)
    return table


def refuse_different(path: Path, table: pd.DataFrame, source: Path, who: dict[str, Any]) -> None:
    """Refuse rows of the run `who` that are not those of its metrics.json; raises UserError."""
    shown = table[(table[list(who)] == pd.Series(who)).all(axis=1)]
    measured = tidy(rows_of(source, who))
    if shown[COLUMNS].to_csv(index=False) != measured.to_csv(index=False):
        raise UserError(f"{path}: says something else than {source}, which it was collected from; run `pga collect` again")


def read_table(path: Path, columns: Sequence[str], what: str = "a table", remedy: str = "delete it and make it again") -> pd.DataFrame:
    """A CSV file that has at least these columns.

    Args:
        path: the file.
        columns: what it must have.
        what: what messages call it.
        remedy: what messages say to do.

    Raises:
        UserError: it is no such file.
    """
    try:
        table = pd.read_csv(path, dtype=dict.fromkeys(TEXT, str), keep_default_na=False, na_values=[""])
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not {what} ({error}); {remedy}") from error
    if missing := [column for column in columns if column not in table]:
        raise UserError(f"{path}: not {what}: it lacks the columns {', '.join(missing)}; {remedy}")
    return table


def means(experiment: Experiment, dataset: str) -> dict[str, dict[str, dict[str, float]]]:
    """model → sampling → metric → mean over the experiment's seeds, of everything measured on a data set; raises as `collect` does."""
    metrics, _ = collect(experiment, dataset=dataset)
    found: dict[str, dict[str, dict[str, float]]] = {}
    columns = metrics[["model", "sampling", "metric"]].drop_duplicates().itertuples(index=False, name=None)
    for model, sampling, metric in columns:
        cell = summarise(metrics, dataset, model, sampling, metric, experiment.seeds_of(dataset, model))
        if cell.mean is not None:
            found.setdefault(model, {}).setdefault(sampling, {})[metric] = cell.mean
    return found


def rows_of(path: Path, who: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of one metrics.json, which must be of the run `who`, trained and measured by the code of now."""
    refuse_run_of_other_code(path)
    record = MetricsRecord.read(path)
    record.refuse_other_code(path)
    found = {key: getattr(record, key) for key in who}
    if found != who:
        raise UserError(f"{path}: it is of {found}, its place is that of {who}; delete it and evaluate again")
    accuracy = {space.name: space.accuracy for space in record.extractors}
    if lacking := [metric.extractor for metric in record.metrics if metric.extractor not in accuracy]:
        raise UserError(f"{path}: says nothing of the features {lacking[0]}; delete it and evaluate again")
    return [{**who, **asdict(metric), "extractor_accuracy": accuracy[metric.extractor]} for metric in record.metrics]


def refuse_stale(path: Path, rows: list[dict[str, Any]], experiment: Experiment, sampling: str) -> None:
    """Refuse metrics of another number of samples, other real images or other features than the experiment now says.

    Of real images in the samples' place there may be fewer.

    Raises:
        UserError: names what was found and what the experiment says.
    """
    wanted, labels = experiment.samplings[sampling], [*experiment.evaluation.labels(labelled=True), PIXELS]
    if experiment.evaluation.extractor_label not in {row["extractor"] for row in rows}:
        raise UserError(
            f"{path}: measured in other features than the experiment says, {experiment.evaluation.extractor_label}; evaluate again"
        )
    if (metric := experiment.evaluation.metric) not in (found := {row["metric"] for row in rows}):
        raise UserError(
            f"{path}: holds {', '.join(sorted(found))}, the experiment's metric is {metric}: Inception's weights are others than "
            f"evaluation.weights says, {experiment.evaluation.weights}"
        )
    for row in rows:
        place = f"{row['dataset']}/{row['extractor']}-{wanted.reference}"
        says = {
            "n": min(wanted.n, row["n"]) if row["model"] == REAL else wanted.n,
            "reference": FOREIGN_SPLIT if place in experiment.evaluation.foreign else row["reference"] and wanted.reference,
            "extractor": row["extractor"] if row["extractor"] in labels else experiment.evaluation.extractor_label,
        }
        if differ := [f"{key} {row[key]!r}, now {value!r}" for key, value in says.items() if row[key] != value]:
            raise UserError(
                f"{path}: {row['metric']} was measured in another way than the experiment says: {'; '.join(differ)}; evaluate again"
            )
