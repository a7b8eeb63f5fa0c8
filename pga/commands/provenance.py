"""Print where a file comes from: its runs, their parameters, commit and device, the prepared data, the sources with licence and address.

Every step is compared with what is there now. What does not agree is marked, and the exit status is then 1.
"""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = "pga provenance results/quick/figures/figure2.png"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `pga provenance`."""
    parser.add_argument(
        "file", type=Path, help="a figure, table or report; a file in a run's folder; prepared data, statistics of them, or a download"
    )
    parser.add_argument("--data", default="data/processed", type=Path, help="folder of prepared data (default: %(default)s)")
    parser.add_argument("--raw", default="data/raw", type=Path, help="folder of downloads (default: %(default)s)")
    parser.add_argument("--sources", default="params/sources.yaml", type=Path, help="table of sources (default: %(default)s)")


def run(arguments: argparse.Namespace) -> None:
    """Print the chain."""
    from pga.params.sources import read_sources
    from pga.provenance.trace import Folders, trace
    from pga.runtime.errors import UserError

    found = trace(arguments.file, Folders(arguments.data, arguments.raw, read_sources(arguments.sources)[0]))
    print("\n".join(found.lines()))
    if problems := found.problems():
        raise UserError(f"{arguments.file}: {len(problems)} of the steps above do not agree:\n" + "\n".join(problems))
