"""Names for people: every run, data set and metric of every experiment has one, and no two runs share it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pga.artifacts.run_titles import dataset_titles, run_titles
from pga.params.artifacts import figure_title
from pga.params.experiment import load_experiment
from pga.params.titles import in_words, metric_title, short_metric_title

EXPERIMENTS = [path for path in sorted(Path("params").glob("*.yaml")) if "results:" in path.read_text()]


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_no_two_runs_of_an_experiment_are_called_alike(path: Path) -> None:
    experiment = load_experiment(path)
    runs, datasets = run_titles(experiment), dataset_titles(experiment)
    assert set(runs) == {run.name for run in experiment.all_runs()} | {"real"} and len(set(runs.values())) == len(runs)
    assert set(datasets) == set(experiment.datasets) and len(set(datasets.values())) == len(datasets)
    assert not [title for title in (*runs.values(), *datasets.values()) if "_" in title or title.startswith(("lpga", "vae", "ghosh"))]


def test_a_run_is_called_as_table_1_or_a_figure_calls_it_without_its_sampling() -> None:
    titles = run_titles(load_experiment("params/paper.yaml"))
    assert (titles["lpga_ablation"], titles["rae_l2"], titles["lpga_resnet"]) == ("LPGA, α = β = 0", "RAE-L2", "LPGA, ResNet")
    assert (titles["vae"], titles["ghosh_vae"]) == ("VAE", "Ghosh et al.’s VAE")  # "VAE" in Table 1, both


def test_names_without_a_title_are_put_in_words() -> None:
    assert [in_words(name) for name in ("ghosh_rae_sn", "cifar10", "my_digits", "vae2", "null")] == [
        "Ghosh et al.’s RAE-SN", "CIFAR-10", "My digits", "Vae2", "Null",
    ]  # fmt: skip
    assert [figure_title(name) for name in ("figure2", "figure3_batch_norm", "terms_mnist")] == [
        "Figure 2", "Figure 3, batch norm", "Terms MNIST",
    ]  # fmt: skip


def test_metrics_are_called_by_what_they_are_and_their_features() -> None:
    assert metric_title("classifier_fd") == "classifier Fréchet distance" and short_metric_title("classifier_fd") == "classifier FD"
    assert metric_title("fid") == short_metric_title("fid") == "FID" and metric_title("kid") == "KID, Inception features"
    assert metric_title("classifier_kid") == "KID, classifier features" and metric_title("sharpness") == "Sharpness"
    assert metric_title("inception_tf1_other_kid") == "KID, Inception features of other weights"
    assert metric_title("reconstruction_error_255") == "Mean squared error per pixel of 0…255"
