"""Verdicts on the paper's numbers, by the rule fixed in params/claims.yaml."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from artifacts import record

from pga.artifacts.collect import COLUMNS
from pga.artifacts.tables.claims_table import run_of, verdicts
from pga.cli import main
from pga.params.claims import load_claims
from pga.params.experiment import load_scale
from pga.provenance.records import Place
from pga.runtime.files import read_json, write_record

PAPER, CLAIMS = load_scale("params/paper.yaml"), load_claims("params/claims.yaml")


def metrics(*rows: tuple[str, str, str, int, float], metric: str = "fid") -> pd.DataFrame:
    """(data set, model, sampling, seed, value) as `pga collect` writes them."""
    return pd.DataFrame(
        [[*row[:2], row[3], row[2], metric, row[4], None, 5000, "train", 60000, "inception-tf1", None, None] for row in rows],
        columns=COLUMNS,
    )


def verdict(found: pd.DataFrame, artifact: str, dataset: str, model: str, density: str = "normal") -> pd.Series:
    [row] = [
        row for _, row in found.iterrows() if (row.artifact, row.dataset, row.model, row.density) == (artifact, dataset, model, density)
    ]  # fmt: skip
    return row


def test_every_claim_has_a_run_in_the_papers_scale() -> None:
    places = [run_of(PAPER, claim) for claim in CLAIMS.claims]
    assert None not in places
    assert len(set(places)) == len(places) >= 40  # and no run answers two claims


def test_without_results_every_claim_is_not_run_and_none_is_zero() -> None:
    found = verdicts(PAPER, metrics(), CLAIMS)
    assert len(found) == len(CLAIMS.claims)
    assert set(found.verdict) == {"not run"} and set(found.n) == {0} and found.ours.isna().all()


def test_the_rule_at_its_edge() -> None:
    # MNIST LPGA: 10.34 ± 0.15. Ours over three seeds 10.9, 11.0, 11.1: mean 11.0, standard error 0.1/√3.
    rows = [("mnist", "lpga", "prior", seed, 10.9 + 0.1 * seed) for seed in range(3)]
    row = verdict(verdicts(PAPER, metrics(*rows), CLAIMS), "table1", "mnist", "lpga")
    combined = (0.15**2 + 0.1**2 / 3) ** 0.5
    assert row.ours == pytest.approx(11.0) and row.n == 3 and row.standard_error == pytest.approx(0.1 / 3**0.5)
    assert row.tolerance == pytest.approx(2 * combined + 0.05 * 10.34)
    assert row.difference == pytest.approx(0.66) and row.difference_in_standard_errors == pytest.approx(0.66 / combined)
    assert row.verdict == "reproduced"  # 0.66 ≤ 0.841
    edge = 10.34 + 2 * 0.15 + 0.05 * 10.34
    for value, expected in ((edge - 1e-9, "reproduced"), (edge + 1e-9, "not reproduced"), (2 * 10.34 - edge - 1e-9, "not reproduced")):
        found = verdicts(PAPER, metrics(("mnist", "lpga", "prior", 0, value)), CLAIMS)  # better than claimed is not reproduced either
        row = verdict(found, "table1", "mnist", "lpga")
        assert row.verdict == expected and row.n == 1 and row.missing_seeds == "1 2"


def test_a_claim_about_ghosh_is_compared_with_the_run_in_their_protocol() -> None:
    found = verdicts(PAPER, metrics(("mnist32", "ghosh_rae_l2", "ghosh_gaussian", 0, 22.22)), CLAIMS)
    row = verdict(found, "table1", "mnist", "ghosh_rae_l2", "gaussian")
    assert row.verdict == "reproduced" and row.run == "mnist32/ghosh_rae_l2/ghosh_gaussian" and "test images" in row.protocol
    assert (found.verdict == "not run").sum() == len(found) - 1


def test_a_distance_that_is_not_fid_answers_no_claim() -> None:
    rows = [("digits", "lpga", "prior", seed, 10.34) for seed in range(3)]
    found = verdicts(load_scale("params/quick.yaml"), metrics(*rows, metric="classifier_fd"), CLAIMS)
    assert set(found.verdict) == {"not run"} and found.ours.isna().all()


def test_the_command_writes_claims_csv_and_the_runs_that_it_is_of(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    metrics(("mnist", "vpga", "prior", 0, 4.97)).to_csv("m.csv", index=False)
    place = Place("mnist", "vpga", 0)
    write_record(Path("results", str(place), "run.json"), record(PAPER, place))
    files = ["--params", f"{root}/params/paper.yaml", "--claims", f"{root}/params/claims.yaml", "--metrics", "m.csv", "--out-dir", "out"]
    assert main(["table", "claims", *files]) == 0
    found = pd.read_csv("out/claims.csv")
    assert found.verdict.value_counts().to_dict() == {"not run": len(CLAIMS.claims) - 1, "reproduced": 1}
    assert list(read_json("out/claims.json")["runs"]) == [str(place)]
