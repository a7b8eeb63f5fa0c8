"""The training images nearest to the first samples of a run, as an array to look at: does the model copy?"""

from __future__ import annotations

import argparse
from pathlib import Path

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
    parser.add_argument("--extractor", required=True, help="classifier, inception-tf1 or inception-pytorch_fid")
    parser.add_argument("--weights", required=True, type=Path, help="the feature network's weights")
    parser.add_argument("--weights-sha256", default="6726825d", help="what Inception's weights must have (default: %(default)s, FID's)")
    parser.add_argument("--data", default="data/processed", type=Path, help="folder of prepared data (default: %(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:K")
    parser.add_argument("--out", required=True, type=Path, help="the .npy file to write, (n, 1 + k, height, width, channels)")


def run(arguments: argparse.Namespace) -> None:
    """Find them."""
    import numpy as np

    from pga.data.prepared import load
    from pga.evaluation.features.load_extractor import load_extractor
    from pga.evaluation.nearest import nearest_images
    from pga.runtime import devices
    from pga.runtime.errors import UserError
    from pga.sampling.generated import load_made, save_made

    samples, of = load_made(arguments.samples)
    samples = samples[: arguments.n]
    images, _ = load(arguments.data, arguments.dataset)
    if not 1 <= arguments.k <= len(images) or not len(samples):
        raise UserError(
            f"--n {arguments.n} --k {arguments.k}: accepted are at least one sample and 1 to {len(images)} images of {arguments.dataset}"
        )
    devices.make_deterministic(threads=1)
    extractor = load_extractor(arguments.extractor, arguments.weights, arguments.device, arguments.weights_sha256)
    found = nearest_images(np.asarray(samples), images, extractor, arguments.k)
    save_made(arguments.out, found, of or {})
