"""Mean and covariance of real images in a feature space, the reference of every distance."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = (
    "pga reference digits --extractor classifier --weights data/reference/digits/classifier.safetensors"
    " --out results/mine/classifier-train.npz"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `pga reference`."""
    parser.add_argument("dataset", help="name of a prepared data set")
    parser.add_argument("--split", default="train", choices=("train", "test"), help="default: train, as in the paper")
    parser.add_argument("--extractor", required=True, help="classifier, inception-tf1 (FID) or inception-pytorch_fid")
    parser.add_argument("--weights", required=True, type=Path, help="the feature network's weights")
    parser.add_argument("--weights-sha256", default="6726825d", help="what Inception's weights must have (default: %(default)s, FID's)")
    parser.add_argument("--data", default="data/processed", type=Path, help="folder of prepared data (default: %(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:K")
    parser.add_argument("--out", required=True, type=Path, help="the .npz file to write")


def run(arguments: argparse.Namespace) -> None:
    """Compute and write."""
    import numpy as np

    from pga.data.prepared import load
    from pga.evaluation.features.extractor import refuse_other_range, stream
    from pga.evaluation.features.load_extractor import load_extractor
    from pga.evaluation.statistics import Keep, identity, save_statistics, statistics
    from pga.runtime import devices
    from pga.runtime.files import atomic, sha256

    devices.make_deterministic(threads=1)
    images, checksum = load(arguments.data, arguments.dataset, arguments.split)
    refuse_other_range(images)
    extractor = load_extractor(arguments.extractor, arguments.weights, arguments.device, arguments.weights_sha256)
    about = {
        "dataset": arguments.dataset,
        "split": arguments.split,
        "data_sha256": checksum,
        "extractor": identity(extractor),
        "dtype": "float64",
    }
    kept = Keep(stream(extractor, images), len(images))
    found = statistics(kept, about)
    features = arguments.out.with_name(arguments.out.stem + "-features.npy")
    with atomic(features) as file:
        np.save(file, kept.features, allow_pickle=False)
    about["features_sha256"] = sha256(features)
    save_statistics(arguments.out, found)
