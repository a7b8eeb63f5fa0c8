"""Everything that was measured: each run and way of sampling, real images among them, in every feature space."""

from __future__ import annotations

import math

import pandas as pd

from pga.artifacts.run_titles import dataset_titles, run_titles
from pga.artifacts.tables.formats import Grid
from pga.artifacts.tables.latex_tables import texts_of
from pga.artifacts.tables.summary_cells import FEW, partial, summarise
from pga.artifacts.tables.table_inputs import Table, TableInputs
from pga.metrics.metric_registry import METRICS
from pga.params.experiment import REAL, Experiment
from pga.params.feature_spaces import PIXELS, TITLES, distance_in
from pga.params.sampling import RECONSTRUCTION
from pga.params.titles import RECONSTRUCTION_HEADS

COLUMNS = [
    "dataset", "model", "sampling", "extractor", "metric", "mean", "standard_error", "n", "images", "reference", "reference_images",
    "extractor_accuracy", "missing_seeds", "absent",
]  # fmt: skip


def make(request: TableInputs) -> Table:
    """A row per run, way of sampling and metric as CSV; a grid per data set and feature space as Markdown and LaTeX."""
    experiment = request.experiment
    found = summaries(request.metrics, experiment)
    missing = lacking(found, experiment)
    request.refuse(missing)
    runs = request.runs(request.measured(experiment.measurements()))
    grids = as_grids(found, experiment)
    text = caption(experiment, found, missing + runs.missing)
    return Table(texts_of("evaluation", found, grids, text), text, runs.records, experiment.measures())


def as_grids(found: pd.DataFrame, experiment: Experiment) -> list[Grid]:
    """What evaluation.csv holds, a grid per data set and feature space."""
    space = found.extractor.where(found["sampling"] != RECONSTRUCTION, RECONSTRUCTION)
    return [
        grid(part, str(dataset), str(extractor), experiment)
        for (dataset, extractor), part in found.groupby([found.dataset, space], sort=False)
    ]


def lacking(found: pd.DataFrame, experiment: Experiment) -> list[str]:
    """What the experiment measures and the metrics do not have."""
    has = {tuple(map(str, key)): part.missing_seeds.iloc[0] for key, part in found.groupby(["dataset", "model", "sampling"], sort=False)}
    missing = []
    for dataset, model, sampling in experiment.measurements():
        seeds = has.get((dataset, model, sampling), " ".join(map(str, experiment.seeds_of(dataset, model))))
        missing += [f"{dataset}/{model} seed {seeds} ({sampling})"] if seeds else []
    return missing


def summaries(metrics: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
    """Mean and standard error over seeds of every metric, in the order of the experiment's file."""
    rows = []
    for dataset, model, sampling in experiment.measurements():
        own = metrics[(metrics.dataset == dataset) & (metrics.model == model) & (metrics.sampling == sampling)]
        for metric, part in own.groupby("metric", sort=False):
            cell = summarise(own, dataset, model, sampling, str(metric), experiment.seeds_of(dataset, model))
            first, missing = part.iloc[0], " ".join(map(str, cell.missing))
            absent = "; ".join(dict.fromkeys(part.absent.dropna()))
            rows.append(
                (
                    dataset, model, sampling, first.extractor, metric, cell.mean, cell.standard_error, cell.n, first.n, first.reference,
                    first.reference_n, first.extractor_accuracy, missing, absent,
                )
            )  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS).astype({"reference_images": "Int64"})


def grid(found: pd.DataFrame, dataset: str, extractor: str, experiment: Experiment) -> Grid:
    """One data set in one feature space: a row per run and way of sampling."""
    heads = RECONSTRUCTION_HEADS if extractor == RECONSTRUCTION else metric_names(extractor, experiment.evaluation.weights == "official")
    shown = [key for key in heads if key in set(found.metric)]
    titles, rows = run_titles(experiment), []
    for (model, sampling), part in found.groupby(["model", "sampling"], sort=False):
        cells = {key: text(mean, error) for key, mean, error in zip(part.metric, part["mean"], part.standard_error, strict=True)}
        counts = (f"{part.images.iloc[0]:,}", number(part.reference_images.max()))
        rows.append(
            (titles[str(model)], protocol_label(str(model), str(sampling), experiment), *counts, *(cells.get(key, "–") for key in shown))
        )
    accuracy = found.extractor_accuracy.iloc[0]
    title = {RECONSTRUCTION: "reconstructions of test images", PIXELS: "pixels"}.get(extractor, f"features: {extractor}")
    title += f" (test accuracy {accuracy:.4f})" if pd.notna(accuracy) else ""
    return Grid(
        ("Run", "Images", "n", "n real", *(heads[key] for key in shown)),
        ("l", "l", "r", "r", *"r" * len(shown)),
        tuple(rows),
        f"{dataset_titles(experiment)[dataset]}, {title}",
    )


def number(count: float | None) -> str:
    """A number of images, which may be unknown."""
    return "–" if pd.isna(count) else f"{int(count):,}"


def metric_names(label: str, official: bool) -> dict[str, str]:
    """Names in results of all that can be measured in a feature space, or on pixels → heading."""
    if label == PIXELS:
        return {name: heading for metric in METRICS.values() if metric.of_pixels for name, heading in metric.headings.items()}
    distance = distance_in(label, official)
    others = {
        distance.prefix + name: heading for metric in METRICS.values() if not metric.of_pixels for name, heading in metric.headings.items()
    }
    return {distance.metric: "Fréchet", **others}


def protocol_label(model: str, sampling: str, experiment: Experiment) -> str:
    """Which images are compared with which."""
    if sampling == RECONSTRUCTION:
        return "test images"
    row = experiment.samplings[sampling]
    reference = {"train": "training", "test": "test"}
    if model == REAL:
        return f"{reference['test' if row.reference == 'train' else 'train']} against {reference[row.reference]} images"
    law = {"normal": "prior", "gaussian": "one Gaussian", "mixture": "mixture"}[row.density]
    standing = ", standing batch statistics" if row.batch_norm == "standing" else ""
    return f"{law}{standing}, against {reference[row.reference]} images"


def text(mean: float | None, standard_error: float | None) -> str:
    """Three significant digits, or as many as show the first one of the standard error, which has equally many decimals; or "absent"."""
    if mean is None or pd.isna(mean):
        return "absent"
    decimals = 2 - math.floor(math.log10(abs(mean))) if mean else 2
    if pd.notna(standard_error) and standard_error > 0:
        decimals = max(decimals, -math.floor(math.log10(standard_error)))
    decimals = min(6, max(0, decimals))
    return f"{mean:.{decimals}f}" + (f" ± {standard_error:.{decimals}f}" if pd.notna(standard_error) else "")


def caption(experiment: Experiment, found: pd.DataFrame, missing: list[str]) -> str:
    """What the numbers are, and what is missing."""
    asked = {name for sampling in experiment.samplings for name in experiment.metrics_of(sampling)}
    explained = " ".join(metric.explained for name, metric in METRICS.items() if name in asked)
    real = "Real images: those in the samples' place, what a perfect generator would reach. " if REAL in set(found.model) else ""
    frechet = "Fréchet: distance of Gaussians, the lower the better. " if set(found.extractor) - {PIXELS} else ""
    several = any(len(experiment.seeds_of(dataset, model)) > 1 for dataset, model, _ in experiment.samplings_of_runs())
    said = (
        f"All metrics, {'mean ± standard error over seeds' if several else 'one run each'}; the headline is the "
        f"{TITLES[experiment.evaluation.metric]}. {frechet}{explained} {real}n, n real: images and real images that are compared; "
        "metrics of single images take at most 10,000 real ones. "
    )
    for (dataset, model, sampling, metric), part in found[found.absent != ""].groupby(
        ["dataset", "model", "sampling", "metric"], sort=False
    ):
        said += f"{metric} of {dataset}/{model} ({sampling}) is absent: {part.absent.iloc[0]}. "
    said += f"{notes} " if (notes := experiment.notes_on(experiment.datasets)) else ""
    said += FEW if experiment.evaluation.few_samples else ""
    return said.strip() + partial(missing)
