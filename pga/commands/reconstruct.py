"""Reconstruct a run's test images: the first ones as an array to look at, the error over all of them as a metric."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = "pga reconstruct --run results/quick/digits/lpga/seed0 --out-dir results/mine/reconstruction"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `pga reconstruct`."""
    parser.add_argument("--run", required=True, type=Path, help="folder of the trained run, or its model.safetensors")
    parser.add_argument("--data", default="data/processed", type=Path, help="folder of prepared data (default: %(default)s)")
    parser.add_argument("--out-dir", required=True, type=Path, help="folder for reconstructions.npy and metrics.json")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:K (default: a GPU if there is one)")


def run(arguments: argparse.Namespace) -> None:
    """Reconstruct."""
    from pga.evaluation.of_files import measure_reconstructions
    from pga.fingerprints.steps import reconstruction_code
    from pga.sampling.sample import open_run

    trained, encoder, decoder, device = open_run(arguments.run, arguments.device)
    code = arguments.planned_code or reconstruction_code(trained)
    measure_reconstructions(trained, encoder, decoder, arguments.data, arguments.out_dir, device, code)
