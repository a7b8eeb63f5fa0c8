"""Write one HTML page that shows a whole experiment and opens from disk without a network.

Claims and verdicts first, then figures, tables, every run with parameters, curves, samples and provenance, the workflow and how to make
each artifact again. It shows what is finished: make figures and tables first.
"""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = "pga report --params params/quick.yaml --out results/mine/report.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `pga report`."""
    parser.add_argument("--params", required=True, help="the experiment's file")
    parser.add_argument("--rules", type=Path, help="what `snakemake --rulegraph dot TARGET` printed (default: the graph is left out)")
    parser.add_argument(
        "--data", default="data/processed", type=Path, help="folder of prepared data, which the runs must be of (default: %(default)s)"
    )
    parser.add_argument(
        "--logs",
        default="logs",
        type=Path,
        help="folder of the workflow's benchmark files, for the time of each step (default: %(default)s)",
    )
    parser.add_argument("--out", required=True, type=Path, help="the .html file to write, beside figures/ and the tables")
    parser.add_argument("--allow-missing", action="store_true", help="show what there is, and name what is missing")


def run(arguments: argparse.Namespace) -> None:
    """Write the page."""
    from pga.artifacts.report.page import render
    from pga.fingerprints.steps import command_code
    from pga.params.experiment import load_experiment
    from pga.runtime import devices
    from pga.runtime.files import atomic

    devices.make_deterministic(threads=1)
    experiment, code = load_experiment(arguments.params), arguments.planned_code or command_code("report")
    page, record = render(experiment, arguments.params, arguments.data, arguments.rules, arguments.logs, arguments.allow_missing, code)
    with atomic(arguments.out, "w") as file:
        file.write(page)
    record.write_beside([arguments.out])
