"""Draw a figure of the paper as PNG and PDF, with its caption in LaTeX, from results on disk.

Which figures there are, and what each shows, stands under `figures` in the experiment's file.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from pkgutil import resolve_name

EXAMPLE = "pga figure figure2 --params params/quick.yaml --out-dir results/mine"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `pga figure`."""
    parser.add_argument("figure", help="a figure that the experiment's file defines, e.g. figure2")
    parser.add_argument("--params", required=True, help="the experiment's file")
    parser.add_argument("--out-dir", required=True, type=Path, help="folder for the .png, the .pdf and the .tex with the caption")
    parser.add_argument(
        "--data", default="data/processed", type=Path, help="folder of prepared data, which the runs must be of (default: %(default)s)"
    )
    parser.add_argument(
        "--allow-missing", action="store_true", help="draw a partial figure: empty panels, and a caption that names what is missing"
    )


def run(arguments: argparse.Namespace) -> None:
    """Draw."""
    from pga.artifacts.figures import canvas
    from pga.artifacts.figures.figure_inputs import Sources
    from pga.fingerprints.steps import figure_code
    from pga.params.experiment import load_experiment
    from pga.runtime.errors import UserError

    experiment = load_experiment(arguments.params)
    if arguments.figure not in experiment.figures:
        raise UserError(f"{arguments.params}: no figure {arguments.figure!r}; there are {', '.join(experiment.figures) or 'none'}")
    sources = Sources(experiment, arguments.figure, arguments.data, arguments.allow_missing)
    figure, caption = resolve_name(sources.row.needs.draw)(sources)
    canvas.finish(figure)
    code = arguments.planned_code or figure_code(sources.row.kind)
    canvas.save(figure, arguments.out_dir, sources.record(caption, code))
