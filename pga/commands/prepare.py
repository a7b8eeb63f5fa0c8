"""Turn fetched files into one uint8 array (N, height, width, channels) per split, with provenance."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = "pga prepare mnist"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `pga prepare`."""
    parser.add_argument("dataset", help="name in params/datasets.yaml")
    parser.add_argument("--raw", default="data/raw", type=Path, help="folder of downloads (default: %(default)s)")
    parser.add_argument("--out", default="data/processed", type=Path, help="folder of arrays (default: %(default)s)")
    parser.add_argument("--datasets", default="params/datasets.yaml", type=Path, help="table of data sets (default: %(default)s)")
    parser.add_argument("--sources", default="params/sources.yaml", type=Path, help="table of sources (default: %(default)s)")
    parser.add_argument("--processes", default=0, type=int, help="processes for decoding images (default: all cores)")


def run(arguments: argparse.Namespace) -> None:
    """Prepare."""
    from pga.data.datasets import read_datasets
    from pga.data.prepare import prepare
    from pga.params.sources import read_sources
    from pga.runtime.errors import UserError

    datasets, wrong = read_datasets(arguments.datasets)
    if arguments.dataset in wrong:
        raise UserError(wrong[arguments.dataset])
    if arguments.dataset not in datasets:
        raise UserError(f"{arguments.datasets}: no data set {arguments.dataset!r}; there are {', '.join(datasets)}")
    row = datasets[arguments.dataset]
    sources, wrong = read_sources(arguments.sources)
    if row.source and row.source not in sources:
        lacking = f"{arguments.datasets}: {arguments.dataset}.source: found {row.source!r}; {arguments.sources} has {', '.join(sources)}"
        raise UserError(wrong.get(row.source, lacking))
    prepare(arguments.dataset, row, arguments.raw, arguments.out, sources, arguments.processes)
