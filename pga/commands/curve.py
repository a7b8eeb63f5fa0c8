"""The distance of every snapshot that a run kept, for the metric over training (Figure 3b)."""

from __future__ import annotations

import argparse
from pathlib import Path

from pga.params.feature_spaces import FEATURE_SPACES, OFFICIAL, PIXELS

EXAMPLE = (
    "pga curve --run results/quick/digits/lpga/seed0/snapshots.safetensors --extractor classifier"
    " --weights data/reference/digits/classifier.safetensors --reference data/reference/digits/classifier-train.npz"
    " --out results/mine/curve.csv"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `pga curve`."""
    parser.add_argument("--run", required=True, type=Path, help="snapshots.safetensors of a run")
    parser.add_argument("--n", default=5000, type=int, help="images per snapshot (default: %(default)s)")
    parser.add_argument(
        "--batch-size", default=1000, type=int, help="images per batch; batch normalisation uses its statistics (default: 1000)"
    )
    parser.add_argument("--reference", type=Path, help="statistics that `pga reference` wrote")
    parser.add_argument(
        "--extractor",
        required=True,
        choices=[*FEATURE_SPACES, PIXELS],
        help="feature space; inception-tf1 is FID's; pixels: the sliced Wasserstein distance",
    )
    parser.add_argument("--weights", type=Path, help="the feature network's weights")
    parser.add_argument("--reference-images", type=Path, help="real images as .npy, for pixels")
    parser.add_argument("--weights-sha256", default=OFFICIAL, help="what Inception's weights must have (default: %(default)s, FID's)")
    parser.add_argument(
        "--foreign", action="store_true", help="the statistics are another tool's (mu, sigma): you vouch for their feature space"
    )
    parser.add_argument(
        "--few-samples",
        action="store_true",
        help="accept no more samples, or real images, than feature dimensions; most of the distance is then bias",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:K")
    parser.add_argument("--out", required=True, type=Path, help="the .csv file to write; a .json beside it says of which run it is")


def run(arguments: argparse.Namespace) -> None:
    """Sample from every snapshot and measure."""
    from pga.evaluation.of_files import FeatureNetwork, SpaceFiles, measure_snapshots
    from pga.runtime.errors import UserError

    label, weights, reference = arguments.extractor, arguments.weights, arguments.reference
    given = {"--weights": weights, "--reference": reference} if label != PIXELS else {"--reference-images": arguments.reference_images}
    if lacking := [flag for flag, value in given.items() if value is None]:
        raise UserError(f"--extractor {label} needs {' and '.join(lacking)}")
    network = FeatureNetwork(label, weights, arguments.weights_sha256, arguments.device)
    measure_snapshots(
        arguments.run,
        arguments.out,
        space=None if label == PIXELS else SpaceFiles(network, reference, foreign=arguments.foreign),
        real_images=arguments.reference_images,
        n=arguments.n,
        batch_size=arguments.batch_size,
        few_samples=arguments.few_samples,
        device=arguments.device,
        code=arguments.planned_code,
    )
