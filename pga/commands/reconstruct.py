"""Reconstruct a run's test images: the first ones as an array to look at, the error over all of them as a metric."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from pga.networks.autoencoder import Decoder, Encoder
    from pga.params.run import Run

EXAMPLE = "pga reconstruct --run results/quick/digits/lpga/seed0 --out-dir results/mine/reconstruction"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `pga reconstruct`."""
    parser.add_argument("--run", required=True, type=Path, help="folder of the trained run, or its model.safetensors")
    parser.add_argument("--data", default="data/processed", type=Path, help="folder of prepared data (default: %(default)s)")
    parser.add_argument("--out-dir", required=True, type=Path, help="folder for reconstructions.npy and metrics.json")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:K (default: a GPU if there is one)")


def run(arguments: argparse.Namespace) -> None:
    """Reconstruct."""
    from pga.runtime import devices
    from pga.sampling.sample import load_networks

    path = arguments.run / "model.safetensors" if arguments.run.is_dir() else arguments.run
    device = devices.choose(arguments.device)
    devices.make_deterministic(threads=1)
    write(*load_networks(path, device), arguments.data, arguments.out_dir, device)


def write(row: Run, encoder: Encoder, decoder: Decoder, data: Path, out_dir: Path, device: torch.device) -> None:
    """Reconstructions of the prepared test images, and their error, into `out_dir`."""
    from pga.data.prepared import load
    from pga.evaluation.protocol import PIXELS_IDENTITY, Measurement, write_metrics
    from pga.params.feature_spaces import PIXELS
    from pga.params.sampling import RECONSTRUCTION
    from pga.sampling.generated import maker, save_made
    from pga.sampling.reconstruction import reconstruct

    images, checksum = load(data, row.dataset, "test")
    beside, error = reconstruct(encoder, decoder, images, row, device)
    save_made(out_dir / "reconstructions.npy", beside, maker(row))
    who = {"dataset": row.dataset, "model": row.name, "seed": row.seed, "sampling": RECONSTRUCTION}
    values = {"reconstruction_error": error, "reconstruction_error_255": error * 127.5**2}
    found = [Measurement(name, value, None, len(images), "test", len(images), PIXELS) for name, value in values.items()]
    write_metrics(out_dir / "metrics.json", who, {"images": checksum}, [PIXELS_IDENTITY], found)
