"""Decode lines between the codes of pairs of test images, which the run's seed chooses (Figure 7)."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = "pga interpolate --run results/quick/digits/lpga/seed0 --out results/mine/interpolations.npy"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `pga interpolate`."""
    parser.add_argument("--run", required=True, type=Path, help="folder of the trained run, or its model.safetensors")
    parser.add_argument(
        "--out",
        required=True,
        type=Path,
        help="the .npy file to write: uint8 (pairs, points + 2, height, width, channels), images at the ends",
    )
    parser.add_argument("--data", default="data/processed", type=Path, help="folder of prepared data (default: %(default)s)")
    parser.add_argument("--pairs", default=6, type=int, help="lines that are kept (default: %(default)s)")
    parser.add_argument(
        "--points", default=9, type=int, help="points on a line, both codes included (default: %(default)s, as in the paper)"
    )
    parser.add_argument(
        "--batch-size", default=50, type=int, help="lines decoded together; batch normalisation uses their statistics (default: 50)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:K (default: a GPU if there is one)")


def run(arguments: argparse.Namespace) -> None:
    """Interpolate."""
    from pga.data.prepared import load
    from pga.fingerprints.steps import interpolation_code
    from pga.params.reading import validate
    from pga.params.sampling import Interpolation
    from pga.sampling.generated import id_of, save_samples
    from pga.sampling.interpolation import interpolate
    from pga.sampling.sample import open_run

    asked = {key: getattr(arguments, key) for key in Interpolation.model_fields}
    line = validate(asked, Interpolation, "pga interpolate")
    trained, encoder, decoder, device = open_run(arguments.run, arguments.device)
    images = interpolate(encoder, decoder, trained, load(arguments.data, trained.dataset, "test")[0], line, device)
    save_samples(arguments.out, images, id_of(trained), arguments.planned_code or interpolation_code(trained))
