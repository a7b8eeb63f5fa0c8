"""Draw a figure of the paper as PNG and PDF, from results on disk."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = "pga figure figure2 --params params/quick.yaml --metrics results/quick/metrics/figure2.csv --out-dir results/quick/figures"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `pga figure`."""
    parser.add_argument("figure", help="a figure that the scale's file defines, e.g. figure2")
    parser.add_argument("--params", required=True, help="the scale's file")
    parser.add_argument("--metrics", required=True, type=Path, help="what `pga collect` wrote")
    parser.add_argument("--out-dir", required=True, type=Path, help="folder for the .png and the .pdf")


def run(arguments: argparse.Namespace) -> None:
    """Draw."""
    from pga.collect import read_metrics
    from pga.errors import UserError
    from pga.figures import canvas, samples
    from pga.params.scale import load_scale

    scale = load_scale(arguments.params)
    if arguments.figure not in scale.figures:
        raise UserError(f"{arguments.params}: no figure {arguments.figure!r}; there are {', '.join(scale.figures) or 'none'}")
    figure, about = samples.draw(scale, scale.figures[arguments.figure], read_metrics(arguments.metrics))
    canvas.save(figure, arguments.out_dir, arguments.figure, about)
