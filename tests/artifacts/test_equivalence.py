"""Equivalence of runs to changed ones: which runs are paired, the interval and the verdict, the table from metrics written by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from artifacts import write_records
from scipy.stats import ttest_1samp

from pga.artifacts.collect import COLUMNS
from pga.artifacts.tables.equivalence_table import EQUIVALENT, NOT_EQUIVALENT, UNDECIDED, verdict
from pga.cli import main
from pga.params.experiment import Experiment, load_experiment
from pga.runtime.errors import UserError

ASKED = "equivalence: {runs: [lpga, vpga], changes: {bfloat16: {precision: bfloat16}}, margin: 0.1}"


def extended(folder: Path, text: str = ASKED) -> Path:
    """An experiment that extends the quick one."""
    (folder / "quick.yaml").write_text(Path(__file__).parents[2].joinpath("params/quick.yaml").read_text())
    path = folder / "asked.yaml"
    path.write_text(f"extends: quick\ndescription: for the tests\nresults: results/asked\nseeds: [5, 6, 7]\n{text}\n")
    return path


def test_the_projects_questions_pair_runs_that_differ_in_nothing_but_precision() -> None:
    for name, base in (("precision", "paper"), ("quick_precision", "quick")):
        experiment, original = load_experiment(f"params/{name}.yaml"), load_experiment(f"params/{base}.yaml")
        assert not set(experiment.seeds) & set(original.seeds)
        columns = [column.dataset for column in original.table1.columns]
        models = ["vae", "lpga", "vpga", "lvpga"]
        changes = ["bfloat16"] if base == "quick" else ["tf32", "bfloat16"]
        assert experiment.pairs() == [
            (dataset, change, model, f"{model}_{change}") for dataset in columns for model in models for change in changes
        ]
        for dataset, change, model, changed in experiment.pairs():
            run = experiment.run(dataset, model, 200)
            assert run == original.run(dataset, model, 200) and run.precision == "float32"
            twin = experiment.run(dataset, changed, 200).asdict()
            assert twin == {**run.asdict(), "name": changed, "precision": change}
        assert set(experiment.datasets) == set(columns) and not experiment.figures


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ASKED.replace("n: bfloat16", "n: float8"), "float8"),
        (ASKED.replace("precision", "precison"), "precison"),
        (ASKED.replace("vpga", "vpgaa"), "vpgaa"),
        (ASKED.replace("0.1", "0"), "margin"),
        (ASKED.replace("[lpga, vpga]", "[]"), "runs"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_experiment(extended(tmp_path, text))


def test_equivalent_is_what_two_one_sided_tests_on_each_pair_call_so() -> None:
    generator, seen = np.random.default_rng(0), set()
    for _ in range(300):
        n = int(generator.integers(2, 8))
        before = generator.normal(10, 0.5, n)
        after = before * generator.uniform(0.8, 1.2) + generator.normal(0, 0.4, n)
        found = verdict(list(zip(before, after, strict=True)), 0.1)
        below_upper = ttest_1samp(after - 1.1 * before, 0, alternative="less").pvalue
        above_lower = ttest_1samp(after - 0.9 * before, 0, alternative="greater").pvalue
        assert (found == EQUIVALENT) == (max(below_upper, above_lower) < 0.05)
        assert (found == NOT_EQUIVALENT) == (max(below_upper, above_lower) > 0.95)
        seen.add(found)
    assert seen == {EQUIVALENT, NOT_EQUIVALENT, UNDECIDED}
    assert verdict([], 0.1) == verdict([(1.0, 1.0)], 0.1) == UNDECIDED


def test_a_change_by_just_the_margin_is_called_equivalent_in_one_of_twenty_experiments() -> None:
    """Against a share of the sample mean, as it was once, it is more than twice as many."""
    generator, found, once, repeats = np.random.default_rng(0), 0, 0, 1000
    for _ in range(repeats):
        before = generator.normal(10, 1, 10)
        after = before + 1 + generator.normal(0, 0.05, 10)  # the same runs, all of them worse by the margin of the true mean
        found += verdict(list(zip(before, after, strict=True)), 0.1) == EQUIVALENT
        once += ttest_1samp(after - before, 0.1 * before.mean(), alternative="less").pvalue < 0.05
    assert found / repeats == pytest.approx(0.05, abs=0.02) and once / repeats > 0.1


VALUES = {"lpga": (10.0, 11.0, 12.0), "lpga_bfloat16": (10.1, 11.0, 11.9), "vpga": (8.0, 9.0, 10.0), "vpga_bfloat16": (12.0, 13.0, 14.5)}


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Experiment:
    """The experiment with the records of its runs and metrics.csv; the current folder."""
    monkeypatch.chdir(tmp_path)
    experiment = load_experiment(extended(tmp_path))
    write_records(experiment)
    rows = [
        {"dataset": "digits", "model": model, "seed": seed, "sampling": "prior", "metric": "classifier_fd", "value": value, "n": 5000}
        for model, values in VALUES.items()
        for seed, value in zip(experiment.seeds, values, strict=True)
    ]
    pd.DataFrame(rows, columns=COLUMNS).to_csv("metrics.csv", index=False)
    return experiment


def table(*more: str) -> int:
    return main(["table", "equivalence", "--params", "asked.yaml", "--metrics", "metrics.csv", "--out-dir", "out", *more])


def test_the_table_has_a_row_and_a_verdict_for_each_pair(experiment: Experiment) -> None:
    assert table() == 0
    found = pd.read_csv("out/equivalence.csv").set_index("model")
    assert list(found.index) == ["lpga", "vpga"]
    assert list(found.reference) == [11.0, 9.0] and list(found.n) == [3, 3]
    assert list(found.changed) == pytest.approx([11.0, 39.5 / 3]) and list(found.margin) == pytest.approx([1.1, 0.9])
    half = 2.9199855803537255 * 0.1 / 3**0.5
    assert list(found.loc["lpga", ["difference", "low", "high"]]) == pytest.approx([0, -half, half], abs=1e-12)
    assert list(found.verdict) == [EQUIVALENT, NOT_EQUIVALENT]
    text = Path("out/equivalence.md").read_text()
    assert "| Digits | LPGA | precision bfloat16 | 11.00 | 11.00 | 0.00 | -0.17 … 0.17 | ± 1.10 | 3 | equivalent |" in text
    assert "within 10 % of the unchanged one" in text and "Questions at once, uncorrected: 2;" in text


def test_a_missing_run_counts_for_neither_side_and_is_named(experiment: Experiment, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = pd.read_csv("metrics.csv")
    metrics[~((metrics.model == "lpga_bfloat16") & (metrics.seed == 6))].to_csv("metrics.csv", index=False)
    assert table() == 1 and "digits/lpga seed 6 (precision bfloat16)" in capsys.readouterr().err and not Path("out").exists()
    assert table("--allow-missing") == 0
    found = pd.read_csv("out/equivalence.csv").set_index("model").loc["lpga"]
    assert (found.n, found.reference, found.missing_seeds) == (2, 11.0, 6)
    assert "PARTIAL: missing are digits/lpga seed 6 (precision bfloat16)" in Path("out/equivalence.md").read_text()


def test_a_experiment_that_asks_nothing_has_no_such_table(experiment: Experiment, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["table", "equivalence", "--params", "quick.yaml", "--metrics", "metrics.csv", "--out-dir", "out"]) == 1
    assert "asks for no equivalence" in capsys.readouterr().err
