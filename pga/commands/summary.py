"""Means over seeds of all metrics on one data set as JSON, for `dvc metrics show`; of the headline metric as CSV, for `dvc plots show`."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = "pga summary digits --params params/quick.yaml --out results/mine"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `pga summary`."""
    parser.add_argument("dataset", help="data set, as named under `datasets` in the experiment's file")
    parser.add_argument("--params", required=True, help="the experiment's file")
    parser.add_argument("--out", required=True, type=Path, help="folder for summary.json and summary.csv")


def run(arguments: argparse.Namespace) -> None:
    """Summarise."""
    import pandas as pd

    from pga.artifacts.collect import means
    from pga.params.experiment import load_experiment
    from pga.runtime.files import atomic, write_json

    experiment = load_experiment(arguments.params)
    found = means(experiment, arguments.dataset)
    headline = experiment.evaluation.metric
    rows = [(f"{model}, {law}", values[headline]) for model, laws in found.items() for law, values in laws.items() if headline in values]
    with atomic(arguments.out / "summary.csv", "w") as file:
        pd.DataFrame(rows, columns=["run", headline]).to_csv(file, index=False, lineterminator="\n")
    write_json(arguments.out / "summary.json", found)
