"""docs/evidence/README.md: its numbers and verdicts are those of the tables beside it."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

EVIDENCE = Path(__file__).parents[2] / "docs/evidence"
PAGE = (EVIDENCE / "README.md").read_text(encoding="utf-8")
COUNTS = {6: "Six", 2: "two", 17: "seventeen"}


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("dataset", ["MNIST", "CIFAR-10"])
def test_the_distances_are_those_of_table_1(dataset: str) -> None:
    table = pd.read_csv(EVIDENCE / "cpu/table1.csv")
    own = table[table.dataset == dataset].set_index("model")
    shown = dict(re.findall(r"^\| ([^|]+) \| ([\d.]+(?: ± [\d.]+)?) \|", section(dataset), re.M))
    assert set(own.index) <= set(shown)
    for model, row in own.iterrows():
        error = "" if pd.isna(row.standard_error) else f" ± {row.standard_error:.1f}"
        assert shown[str(model)] == f"{row['mean']:.1f}{error}"


def test_the_verdicts_are_those_of_claims_csv() -> None:
    claims = pd.read_csv(EVIDENCE / "cpu/claims.csv")
    judged = claims[(claims.kind == "statement") & (claims.verdict != "not run")]
    rows = re.findall(r"^\|.*\| (MNIST|CIFAR-10) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| \**(\w+)", section("Verdicts"), re.M)

    def key(row: pd.Series) -> tuple[str, ...]:
        digits = 3 if row.ours < 1 else 1
        return (str(row.dataset), f"{row.ours:.{digits}f}", f"{row.against:.{digits}f}", row.verdict)

    names = {"MNIST": "mnist", "CIFAR-10": "cifar10"}
    assert Counter((names[data], ours, against, verdict) for data, ours, against, _, _, verdict in rows) == Counter(
        key(row) for _, row in judged.iterrows()
    )
    counted = judged.verdict.value_counts()
    six, two, seventeen = (COUNTS[counted[verdict]] for verdict in ("holds", "contradicted", "undecided"))
    assert f"{six} hold, {two} are contradicted, {seventeen} are undecided" in " ".join(PAGE.split())
