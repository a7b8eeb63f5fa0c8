"""Write a table as CSV, Markdown and LaTeX (claims: CSV alone; numbers: LaTeX alone).

Beside it goes a .json that says of which runs it is: parameters, commit, data, device and versions of each.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from pkgutil import resolve_name

from pga.params.artifacts import TABLES

EXAMPLE = "pga table table1 --params params/quick.yaml --metrics results/quick/metrics/table1.csv --out-dir results/mine"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `pga table`."""
    parser.add_argument("table", choices=TABLES, help="; ".join(f"{name}: {row.shows}" for name, row in TABLES.items()))
    parser.add_argument("--params", required=True, help="the experiment's file")
    parser.add_argument("--metrics", type=Path, help="what `pga collect` wrote, for tables that show metrics")
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
    from pga.artifacts.tables.table_inputs import TableInputs, write
    from pga.fingerprints.steps import table_code
    from pga.params.experiment import load_experiment

    experiment = load_experiment(arguments.params)
    inputs = TableInputs(experiment, arguments.metrics, arguments.claims, arguments.data, arguments.logs, arguments.allow_missing)
    make = resolve_name(TABLES[arguments.table].make)
    write(arguments.table, experiment, make(inputs), arguments.out_dir, arguments.planned_code or table_code(arguments.table))
