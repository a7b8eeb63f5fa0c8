"""Write a table as CSV, Markdown and LaTeX.

Beside it goes a .json that says of which runs it is: parameters, commit, data, device and versions of each.
"""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = "pga table table1 --params params/quick.yaml --metrics results/quick/metrics/table1.csv --out-dir results/mine"

SHOWN = {
    "table1": "mean, standard error, n and every seed's value, the paper's numbers beside ours",
    "numbers": "the numbers of table1 as macros of LaTeX",
    "claims": "every number and statement of the paper with ours and a verdict",
    "notation": "Table 2, the symbols, from the table of terms in the code",
    "parameters": "every parameter of every run with its origin",
    "costs": "device, time, steps per second, memory and parameters of every run",
    "evaluation": "all metrics of every run and way of sampling in every feature space, real images among them",
    "equivalence": "whether changed runs measure the same as unchanged ones, seed by seed, with an interval and a verdict",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `pga table`."""
    parser.add_argument("table", choices=SHOWN, help="; ".join(f"{name}: {line}" for name, line in SHOWN.items()))
    parser.add_argument("--params", required=True, help="the experiment's file")
    parser.add_argument("--metrics", type=Path, help="what `pga collect` wrote, for table1, numbers, claims, evaluation and equivalence")
    parser.add_argument("--claims", default="params/claims.yaml", help="the paper's numbers (default: %(default)s)")
    parser.add_argument(
        "--data", default="data/processed", type=Path, help="folder of prepared data, which the runs must be of (default: %(default)s)"
    )
    parser.add_argument(
        "--logs", default="logs", type=Path, help="folder of the workflow's benchmark files, for costs (default: %(default)s)"
    )
    parser.add_argument("--out-dir", required=True, type=Path, help="folder for the table in each format, and the .json")
    parser.add_argument("--allow-missing", action="store_true", help="write a partial table which names what is missing")


def run(arguments: argparse.Namespace) -> None:
    """Write the table."""
    from pga.artifacts.tables.table_inputs import TableInputs
    from pga.artifacts.tables.table_registry import TABLES, write
    from pga.params.experiment import load_experiment

    experiment = load_experiment(arguments.params)
    inputs = TableInputs(experiment, arguments.metrics, arguments.claims, arguments.data, arguments.logs, arguments.allow_missing)
    write(arguments.table, experiment, TABLES[arguments.table](inputs), arguments.out_dir)
