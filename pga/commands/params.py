"""Print every run of an experiment with each value and its origin (paper, code, ghosh, inferred), or what has no origin as set."""

from __future__ import annotations

import argparse
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

NOTHING = "–"
EXAMPLE = "pga params --params params/paper.yaml --dataset mnist"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `pga params`."""
    parser.add_argument("--params", required=True, help="the experiment's file")
    parser.add_argument("--dataset", help="only this data set's runs")
    parser.add_argument("--csv", action="store_true", help="as CSV, one line per run and value, instead of a table")


def run(arguments: argparse.Namespace) -> None:
    """Print."""
    import sys

    import pandas as pd

    from pga.params.experiment import load_experiment
    from pga.runtime.errors import UserError

    experiment = load_experiment(arguments.params)
    if arguments.dataset not in (None, *experiment.datasets):
        raise UserError(f"{arguments.params}: no data set {arguments.dataset!r}; there are {', '.join(experiment.datasets)}")
    rows = [
        {"dataset": dataset, "run": name, "key": key, "value": str(value).lower() if isinstance(value, bool) else value, "origin": origin}
        for dataset, block in experiment.datasets.items()
        if arguments.dataset in (None, dataset)
        for name, row in block.runs.items()
        for key, value, origin in row.listed()
    ]
    table = pd.DataFrame(rows)
    if arguments.csv:
        table.to_csv(sys.stdout, index=False)
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    print(
        f"{arguments.params}: {len(experiment.all_runs())} runs, seeds {', '.join(map(str, experiment.all_seeds()))}. "
        "Values are value·origin."
    )
    table["shown"] = [f"{value}·{origin}" if origin else str(value) for value, origin in zip(table.value, table.origin, strict=True)]
    for dataset, part in table.groupby("dataset", sort=False):
        wide = part.pivot(index="key", columns="run", values="shown").reindex(
            index=list(dict.fromkeys(part.key)), columns=list(dict.fromkeys(part.run))
        )
        print(f"\n{dataset}\n{in_parts(wide.fillna(NOTHING).rename_axis(index=None, columns=None), width)}")


def in_parts(table: pd.DataFrame, width: int | None) -> str:
    """A table of runs in parts of so many columns of text (None: in one), each with the rows that hold a value in it."""

    def text(part: pd.DataFrame) -> str:
        return str(part[(part != NOTHING).any(axis=1)].to_string())

    fitting = [n for n in range(1, table.shape[1] + 1) if width is None or len(text(table.iloc[:, :n]).partition("\n")[0]) <= width]
    count = max(fitting, default=1)
    rest = table.iloc[:, count:]
    return text(table.iloc[:, :count]) + (f"\n\n{in_parts(rest, width)}" if rest.shape[1] else "")
