"""The table of all metrics, from metrics written by hand."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

from pga.artifacts.collect import COLUMNS
from pga.artifacts.tables.evaluation_table import caption, grid, lacking, metric_names, protocol_label, summaries, text
from pga.metrics.metric_registry import METRICS
from pga.params.experiment import REAL, Experiment, load_experiment
from pga.params.feature_spaces import FEATURE_SPACES, PIXELS


@pytest.fixture(scope="module")
def quick() -> Experiment:
    return load_experiment("params/quick.yaml")


def metrics(experiment: Experiment, without: tuple[str, ...] = ()) -> pd.DataFrame:
    """A distance and a recall of everything that is measured in features, the distance growing by one with the seed."""
    rows = []
    for dataset, model, sampling in experiment.measurements():
        for seed in experiment.seeds_of(dataset, model):
            names = ("reconstruction_error",) if sampling == "reconstruction" else ("classifier_fd", "classifier_recall")
            extractor = "pixels" if sampling == "reconstruction" else "classifier"
            values = {"classifier_fd": 10.0 + seed, "classifier_recall": 0.5, "reconstruction_error": 0.1}
            rows += [
                {"dataset": dataset, "model": model, "seed": seed, "sampling": sampling, "metric": name, "value": values[name], "n": 300}
                | {"reference": "train", "reference_n": 1437, "extractor": extractor, "extractor_accuracy": 0.98}
                for name in names
                if f"{dataset}/{model}/{seed}/{sampling}" not in without
            ]
    return pd.DataFrame(rows, columns=COLUMNS)


def test_every_measurement_has_a_row_per_metric_with_mean_and_standard_error(quick: Experiment) -> None:
    found = summaries(metrics(quick), quick)
    keys = found[["dataset", "model", "sampling"]].drop_duplicates()
    assert list(keys.itertuples(index=False, name=None)) == quick.measurements()
    vae = found[(found.model == "vae") & (found.sampling == "prior")].set_index("metric")
    assert tuple(vae.loc["classifier_fd", ["mean", "standard_error", "n"]]) == (11.0, pytest.approx(1 / math.sqrt(3)), 3)
    assert tuple(vae.loc["classifier_recall", ["mean", "standard_error"]]) == (0.5, 0.0)
    real = found[found.model == REAL]
    assert list(real.metric) == ["classifier_fd", "classifier_recall"] and set(real.n) == {1}
    assert lacking(found, quick) == []


def test_a_metric_without_a_value_is_absent_by_name_and_hides_no_other(quick: Experiment) -> None:
    table = metrics(quick).astype({"absent": object})
    place = (table.model == "vae") & (table["sampling"] == "prior") & (table.metric == "classifier_recall")
    table.loc[place, "value"] = math.nan
    table.loc[place, "absent"] = "too few images"
    found = summaries(table, quick)
    assert lacking(found, quick) == []
    shown = grid(found[found.extractor == "classifier"], "digits", "classifier", quick)
    [vae] = [cells for run, images, *cells in shown.rows if (run, images) == ("VAE", "prior, against training images")]
    assert vae == ["300", "1,437", "11.0 ± 0.6", "absent"]
    said = caption(quick, found, [])
    assert "classifier_recall of digits/vae (prior) is absent: too few images." in said
    assert "mean ± standard error over seeds" in said and "Fréchet: " in said
    one = caption(quick.model_copy(update={"seeds": (1,)}), found[found.extractor == "pixels"], [])
    assert one.startswith("All metrics, one run each; ") and "Fréchet: " not in one


def test_what_is_missing_is_named(quick: Experiment) -> None:
    found = summaries(metrics(quick, ("digits/vae/1/prior", "digits/real/0/prior")), quick)
    assert lacking(found, quick) == ["digits/vae seed 1 (prior)", "digits/real seed 0 (prior)"]


def test_a_grid_shows_each_way_of_sampling_and_the_accuracy_of_the_features(quick: Experiment) -> None:
    found = summaries(metrics(quick), quick)
    shown = grid(found[found.extractor == "classifier"], "digits", "classifier", quick)
    assert shown.title == "Digits, features: classifier (test accuracy 0.9800)"
    assert shown.head == ("Run", "Images", "n", "n real", "Fréchet", "Recall")
    rows = {(run, images): cells for run, images, *cells in shown.rows}
    assert rows["VAE", "prior, against training images"] == ["300", "1,437", "11.0 ± 0.6", "0.500 ± 0.000"]
    assert rows["LPGA, residual network", "prior, standing batch statistics, against training images"] == ["300", "1,437", "10.0", "0.500"]
    assert ("LPGA, residual network", "prior, against test images") in rows
    assert rows["Real images", "test against training images"] == ["300", "1,437", "10.0", "0.500"]
    assert protocol_label(REAL, "prior_test", quick) == "training against test images"


@pytest.mark.parametrize("weights", ["official", "other"])
@pytest.mark.parametrize("extractor", [*FEATURE_SPACES, PIXELS])
def test_every_metric_of_a_feature_space_has_a_column(extractor: str, weights: str, quick: Experiment) -> None:
    experiment = quick.model_copy(update={"evaluation": quick.evaluation.model_copy(update={"weights": weights})})
    names = metric_names(extractor, weights == "official")
    row = {"dataset": "digits", "model": "vae", "sampling": "prior", "standard_error": None, "images": 300, "reference_images": 400}
    found = pd.DataFrame([{**row, "metric": name, "mean": 1.0, "extractor_accuracy": None} for name in names])
    shown = grid(found, "digits", extractor, experiment)
    of_pixels = {heading for metric in METRICS.values() if metric.of_pixels for heading in metric.headings.values()}
    of_features = {heading for metric in METRICS.values() if not metric.of_pixels for heading in metric.headings.values()}
    assert set(shown.head[4:]) == (of_pixels if extractor == PIXELS else {"Fréchet", *of_features})


@pytest.mark.parametrize(
    "mean, error, shown",
    [
        (123.456, 0.5, "123.5 ± 0.5"),
        (12.3456, 0.26, "12.3 ± 0.3"),
        (12.3456, 0.0, "12.3 ± 0.0"),
        (0.93, None, "0.930"),
        (0.001234, 1e-5, "0.00123 ± 0.00001"),
        (0.0, None, "0.00"),
        (-1.5, float("nan"), "-1.50"),
    ],
)
def test_three_digits_are_shown(mean: float, error: float | None, shown: str) -> None:
    assert text(mean, error) == shown


def test_every_feature_space_of_the_paper_experiment_has_names_of_its_own(root: Path) -> None:
    experiment = load_experiment(root / "params/paper.yaml")
    labels = experiment.evaluation.labels(labelled=True)
    assert labels == ["inception-tf1", "inception-pytorch_fid", "classifier"]
    assert experiment.evaluation.labels(labelled=False) == labels[:2]
    names = [name for label in labels for name in metric_names(label, official=True)]
    assert len(set(names)) == len(names)
