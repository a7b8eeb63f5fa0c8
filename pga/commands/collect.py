"""Gather metrics.json of every run of an experiment into one tidy CSV: a row per run, sampling and metric."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = "pga collect --params params/quick.yaml --out results/mine/metrics.csv"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `pga collect`."""
    parser.add_argument("--params", required=True, help="the experiment's file")
    parser.add_argument("--artifact", help="only what this table or figure shows, e.g. table1 (default: every run of the experiment)")
    parser.add_argument("--out", required=True, type=Path, help="the .csv file to write")
    parser.add_argument("--allow-missing", action="store_true", help="go on without the runs that are not there, naming them")


def run(arguments: argparse.Namespace) -> None:
    """Collect."""
    import sys

    from pga.artifacts.collect import collect
    from pga.params.experiment import load_experiment
    from pga.runtime.errors import UserError
    from pga.runtime.files import atomic

    experiment = load_experiment(arguments.params)
    shown = ["table1", *(["equivalence"] if experiment.equivalence else []), *experiment.figures]
    if arguments.artifact not in (None, *shown):
        raise UserError(f"{arguments.params}: shows no {arguments.artifact!r}; there are {', '.join(shown)}")
    metrics, missing = collect(experiment, arguments.artifact, arguments.allow_missing)
    if missing:
        print(f"pga collect: missing: {', '.join(missing)}", file=sys.stderr)
    with atomic(arguments.out, "w") as file:
        metrics.to_csv(file, index=False, lineterminator="\n")
