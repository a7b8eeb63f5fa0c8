"""The training images nearest to the first samples of a run, as an array to look at: does the model copy?"""

from __future__ import annotations

import argparse
from pathlib import Path

from pga.params.feature_spaces import FEATURE_SPACES, OFFICIAL, PIXELS

EXAMPLE = (
    "pga neighbours digits --samples results/quick/digits/lpga/seed0/prior/samples.npy --extractor classifier"
    " --weights data/reference/digits/classifier.safetensors --out results/mine/neighbours.npy"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `pga neighbours`."""
    parser.add_argument("dataset", help="name of the prepared data set that the run was trained on")
    parser.add_argument("--samples", required=True, type=Path, help="uint8 images (n, height, width, channels) as .npy")
    parser.add_argument("--n", default=8, type=int, help="the first so many samples (default: %(default)s)")
    parser.add_argument("--k", default=5, type=int, help="training images beside each (default: %(default)s)")
    parser.add_argument("--extractor", required=True, choices=[*FEATURE_SPACES, PIXELS], help="feature space, or pixels")
    parser.add_argument("--weights", type=Path, help="the feature network's weights; none for pixels")
    parser.add_argument("--weights-sha256", default=OFFICIAL, help="what Inception's weights must have (default: %(default)s, FID's)")
    parser.add_argument("--data", default="data/processed", type=Path, help="folder of prepared data (default: %(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:K")
    parser.add_argument("--out", required=True, type=Path, help="the .npy file to write, (n, 1 + k, height, width, channels)")


def run(arguments: argparse.Namespace) -> None:
    """Find them."""
    from pga.evaluation.of_files import FeatureNetwork, find_nearest

    network = FeatureNetwork(arguments.extractor, arguments.weights, arguments.weights_sha256, arguments.device)
    n, k, code = arguments.n, arguments.k, arguments.planned_code
    find_nearest(arguments.dataset, arguments.samples, arguments.out, network, n, k, arguments.data, code)
