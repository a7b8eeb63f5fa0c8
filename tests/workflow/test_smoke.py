"""Every data set × network × model of the paper trains on real images, through the DAG, at reduced width."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from dag import snakemake

from pga.params.experiment import load_experiment


@pytest.fixture(scope="module")
def smoke(shared_project: Path, mirror: Path) -> Path:
    """A project in which every run of the smoke experiment is trained and sampled, those of CIFAR-10 by every law of their codes."""
    root, project = Path(__file__).parents[2], shared_project
    experiment = load_experiment(root / "params/smoke.yaml")
    targets = []
    for run in experiment.all_runs():
        folder = f"results/smoke/{run.dataset}/{run.name}/seed{run.seed}"
        rows = {sampling: experiment.samplings[sampling] for sampling in experiment.params(run.dataset, run.name).samplings}
        ways = {(row.density, row.batch_norm): sampling for sampling, row in rows.items()}  # others differ in number or reference only
        wanted = list(ways.values()) if run.dataset == "cifar10" else [next(iter(rows))]  # CIFAR-10 has every model of both protocols
        targets += [f"{folder}/{sampling}/samples.npy" for sampling in wanted]
    snakemake(project, *targets, PGA_MIRROR=str(mirror))
    return project


RUNS = load_experiment(Path(__file__).parents[2] / "params/smoke.yaml").all_runs()


@pytest.mark.slow
@pytest.mark.parametrize("run", RUNS, ids=lambda run: f"{run.dataset}-{run.name}")
def test_losses_are_finite_and_the_reconstruction_error_falls(run, smoke: Path) -> None:
    folder = smoke / "results/smoke" / run.dataset / run.name / "seed0"
    with open(folder / "history.csv") as file:
        rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    assert len(rows) == run.steps
    assert all(math.isfinite(value) for row in rows for value in row.values())
    [error] = {"r", "elbo_r", "cv_r"} & set(rows[0])
    first, last = (np.mean([row[error] for row in part]) for part in (rows[:4], rows[-8:]))
    assert last < first
    for path in folder.glob("*/samples.npy"):
        samples = np.load(path)
        assert samples.dtype == np.uint8
        assert len(samples) == 64 and samples.shape[1] in (28, 32, 64)
