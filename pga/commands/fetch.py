"""Download and verify the files of a source. PGA_MIRROR (a folder or a base URL) is tried before the official addresses."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = "pga fetch mnist"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `pga fetch`."""
    parser.add_argument("source", help="name in params/sources.yaml, e.g. mnist, cifar10, celeba, inception")
    parser.add_argument("--file", help="only this file of the source")
    parser.add_argument("--out", default="data/raw", type=Path, help="folder of downloads (default: %(default)s)")
    parser.add_argument("--sources", default="params/sources.yaml", type=Path, help="table of sources (default: %(default)s)")


def run(arguments: argparse.Namespace) -> None:
    """Fetch."""
    from pga.data.fetch import fetch
    from pga.params.sources import source_named

    source = source_named(arguments.source, arguments.sources)
    for file in [arguments.file] if arguments.file else source.files:
        print(fetch(arguments.source, source, file, arguments.out))
