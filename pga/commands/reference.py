"""Mean and covariance of real images in a feature space, the reference of every distance."""

from __future__ import annotations

import argparse
from pathlib import Path

from pga.params.feature_spaces import FEATURE_SPACES, OFFICIAL

EXAMPLE = (
    "pga reference digits --extractor classifier --weights data/reference/digits/classifier.safetensors"
    " --out results/mine/classifier-train.npz"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `pga reference`."""
    parser.add_argument("dataset", help="name of a prepared data set")
    parser.add_argument("--split", default="train", choices=("train", "test"), help="default: train, as in the paper")
    parser.add_argument("--extractor", required=True, choices=FEATURE_SPACES, help="feature space; inception-tf1 is FID's")
    parser.add_argument("--weights", required=True, type=Path, help="the feature network's weights")
    parser.add_argument("--weights-sha256", default=OFFICIAL, help="what Inception's weights must have (default: %(default)s, FID's)")
    parser.add_argument("--data", default="data/processed", type=Path, help="folder of prepared data (default: %(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:K")
    parser.add_argument("--out", required=True, type=Path, help="the .npz file to write")


def run(arguments: argparse.Namespace) -> None:
    """Compute and write."""
    from pga.evaluation.of_files import FeatureNetwork, make_reference

    network = FeatureNetwork(arguments.extractor, arguments.weights, arguments.weights_sha256, arguments.device)
    make_reference(arguments.dataset, arguments.out, network, arguments.split, arguments.data, arguments.planned_code)
