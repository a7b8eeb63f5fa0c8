"""Keep results after a change of the code that means nothing to their numbers, e.g. a function that was split in two.

The record of each run (run.json), and of each file that was made from one (samples, metrics, curves), then says that its code was accepted
as the code of now, why, and at which commit. Readers take it as current, the workflow does not make it again, and `pga provenance` shows
the reason, of runs the report too. Parameters and data must be those of now. The next change of the code that made it ends it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = "pga accept results/quick --params params/quick.yaml --because 'the loop was split in two; same bytes'"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `pga accept`."""
    parser.add_argument(
        "paths",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="folder of a run, or one above several, e.g. results/quick/digits; of statistics of real images, data/reference",
    )
    parser.add_argument("--params", required=True, help="the experiment's file")
    parser.add_argument("--because", required=True, metavar="TEXT", help="why the change means nothing to the numbers")
    parser.add_argument("--data", default="data/processed", type=Path, help="folder of prepared data (default: %(default)s)")


def run(arguments: argparse.Namespace) -> None:
    """Accept."""
    from pga.params.experiment import load_experiment
    from pga.provenance.accept import accept
    from pga.training.run_record import RunRecord

    changed = accept(arguments.paths, load_experiment(arguments.params), arguments.because, arguments.data)
    for file, record in changed.items():
        was, now = record.git.commit if isinstance(record, RunRecord) else None, record.accepted[-1].git.commit
        between = f"; git diff {was[:12]} {now[:12]} -- pga shows what is accepted" if was and now else ""
        print(f"{file}: accepted as of the code of now{between}")
    if not changed:
        print("nothing to accept: all is of the code of now, or was accepted already")
