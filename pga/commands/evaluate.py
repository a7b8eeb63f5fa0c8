"""Distance of samples to real images in a feature space, written with everything that identifies both."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = (
    "pga evaluate --samples samples.npy --extractor classifier --weights data/reference/digits/classifier.safetensors"
    " --reference data/reference/digits/classifier-train.npz --dataset digits --model lpga --seed 0 --out metrics.json"
)


EXTRA = ("kid", "manifold", "infinity", "neighbours")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `pga evaluate`."""
    parser.add_argument("--samples", required=True, type=Path, help="uint8 images (n, height, width, channels) as .npy")
    parser.add_argument("--reference", required=True, type=Path, help="statistics that `pga reference` wrote")
    parser.add_argument("--metrics", nargs="*", default=[], choices=EXTRA, help=f"beside the Fréchet distance: {', '.join(EXTRA)}")
    parser.add_argument("--reference-features", type=Path, help="features of real images that `pga reference` wrote, for --metrics")
    parser.add_argument("--extractor", required=True, help="classifier, inception-tf1 (FID) or inception-pytorch_fid")
    parser.add_argument("--weights", required=True, type=Path, help="the feature network's weights")
    parser.add_argument("--weights-sha256", default="6726825d", help="what Inception's weights must have (default: %(default)s, FID's)")
    parser.add_argument("--dataset", required=True, help="written into the result")
    parser.add_argument("--model", required=True, help="written into the result")
    parser.add_argument("--seed", required=True, type=int, help="written into the result")
    parser.add_argument("--sampling", default="prior", help="written into the result (default: prior)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:K")
    parser.add_argument("--out", required=True, type=Path, help="the .json file to write")


def run(arguments: argparse.Namespace) -> None:
    """Evaluate."""
    from pga import devices
    from pga.dataset import load_images
    from pga.errors import UserError
    from pga.evaluation import evaluate
    from pga.features.load import load_extractor
    from pga.files import sha256, write_json
    from pga.reference import load_features, load_statistics

    devices.make_deterministic(threads=1)
    extractor = load_extractor(arguments.extractor, arguments.weights, arguments.device, arguments.weights_sha256)
    reference = load_statistics(arguments.reference, extractor)
    if arguments.metrics and arguments.reference_features is None:
        raise UserError(f"--metrics {' '.join(arguments.metrics)} needs --reference-features")
    real = load_features(arguments.reference_features, reference) if arguments.metrics else None
    found = evaluate(load_images(arguments.samples), extractor, reference, arguments.metrics, real, arguments.seed)
    who = {key: getattr(arguments, key) for key in ("dataset", "model", "seed", "sampling")}
    inputs = {key: sha256(getattr(arguments, key)) for key in ("samples", "reference")}
    write_json(arguments.out, {**who, "inputs": inputs, **found})
