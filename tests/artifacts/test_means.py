"""Means over seeds of all metrics on one data set: `pga summary`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from artifacts import measured, write_records
from experiments import TINY
from stored import metrics_content

from pga.cli import main
from pga.params.experiment import load_experiment
from pga.runtime.files import read_record, write_record

VALUES = {("lpga", 0): 1.0, ("lpga", 1): 4.0, ("vae", 0): 2.5, ("vae", 1): 3.5}


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """metrics.json of every run of an experiment with two models and two seeds."""
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(TINY.replace("seeds: [0]", "seeds: [0, 1]"))
    write_records(load_experiment("tiny.yaml"))
    for (model, seed), value in VALUES.items():
        for sampling in ("prior", "reconstruction"):  # reconstructions have no KID here
            numbers = {"classifier_fd": value, **({"classifier_kid": 2 * value} if sampling == "prior" else {})}
            metrics = [measured(metric, number) for metric, number in numbers.items()]
            path = Path(f"results/tiny/digits/{model}/seed{seed}/{sampling}/metrics.json")
            write_record(path, metrics_content("digits", model, seed, sampling, *metrics))
    return Path("results/tiny/digits")


def test_every_metric_is_averaged_over_seeds(results: Path) -> None:
    assert main(["summary", "digits", "--params", "tiny.yaml", "--out", str(results)]) == 0
    assert json.loads((results / "summary.json").read_text()) == {
        "lpga": {"prior": {"classifier_fd": 2.5, "classifier_kid": 5.0}, "reconstruction": {"classifier_fd": 2.5}},
        "vae": {"prior": {"classifier_fd": 3.0, "classifier_kid": 6.0}, "reconstruction": {"classifier_fd": 3.0}},
    }
    lines = (results / "summary.csv").read_text().splitlines()
    assert lines[0] == "run,classifier_fd"
    assert sorted(lines[1:]) == ['"lpga, prior",2.5', '"lpga, reconstruction",2.5', '"vae, prior",3.0', '"vae, reconstruction",3.0']


def test_a_missing_run_or_an_unknown_data_set_is_named(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (results / "lpga/seed1/prior/metrics.json").unlink()
    assert main(["summary", "digits", "--params", "tiny.yaml", "--out", str(results)]) == 1
    assert "runs are missing: digits/lpga seed 1 (prior)" in capsys.readouterr().err
    assert main(["summary", "mnist", "--params", "tiny.yaml", "--out", str(results)]) == 1
    assert "no data set 'mnist'" in capsys.readouterr().err
    assert not (results / "summary.json").exists()


def test_metrics_that_were_measured_in_another_way_than_the_experiment_says_are_refused(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = results / "lpga/seed1/prior/metrics.json"
    content = read_record(path)
    content["metrics"][0]["n"] += 1
    write_record(path, content)
    assert main(["summary", "digits", "--params", "tiny.yaml", "--out", str(results)]) == 1
    assert f"{path}: classifier_fd was measured in another way than the experiment says: n " in capsys.readouterr().err
    assert not (results / "summary.json").exists()
