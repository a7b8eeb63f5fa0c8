"""Distance of samples to real images in a feature space, written with everything that identifies both."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pga.evaluation.metrics import METRICS

if TYPE_CHECKING:
    from pga.evaluation.features.extractor import Extractor, Features
    from pga.evaluation.statistics import Statistics

EXAMPLE = (
    "pga evaluate --samples results/quick/digits/lpga/seed0/prior/samples.npy --dataset digits --model lpga --seed 0 --extractor classifier"
    " --weights data/reference/digits/classifier.safetensors --reference data/reference/digits/classifier-train.npz"
    " --out results/mine/metrics.json"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `pga evaluate`."""
    parser.add_argument("--samples", required=True, type=Path, help="uint8 images (n, height, width, channels) as .npy")
    parser.add_argument("--at-most", type=int, metavar="N", help="measure so many of them, drawn at random from --seed, if there are more")
    parser.add_argument("--metrics", nargs="*", default=[], choices=METRICS, help=f"beside the Fréchet distance: {', '.join(METRICS)}")
    parser.add_argument(
        "--extractor",
        required=True,
        nargs="+",
        help="one or more of classifier, inception-tf1 (FID), inception-pytorch_fid, the headline first",
    )
    parser.add_argument("--weights", required=True, nargs="+", type=Path, help="weights of each feature network")
    parser.add_argument("--weights-sha256", default="6726825d", help="what Inception's weights must have (default: %(default)s, FID's)")
    parser.add_argument(
        "--reference", required=True, nargs="+", type=Path, help="for each extractor, statistics that `pga reference` wrote"
    )
    parser.add_argument(
        "--reference-features",
        nargs="+",
        type=Path,
        help="for each extractor, features of real images that `pga reference` wrote, for --metrics",
    )
    parser.add_argument(
        "--foreign",
        nargs="+",
        default=[],
        metavar="EXTRACTOR",
        help="extractors whose --reference is a .npz of another tool (mu, sigma): you vouch that it is of this feature space",
    )
    parser.add_argument(
        "--few-samples",
        action="store_true",
        help="accept no more samples, or real images, than feature dimensions; most of the distance is then bias",
    )
    parser.add_argument("--dataset", required=True, help="written into the result")
    parser.add_argument("--model", required=True, help="written into the result")
    parser.add_argument("--seed", required=True, type=int, help="written into the result; subsets of images are drawn from it")
    parser.add_argument("--sampling", default="prior", help="written into the result (default: prior)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:K")
    parser.add_argument("--out", required=True, type=Path, help="the .json file to write")


def run(arguments: argparse.Namespace) -> None:
    """Evaluate."""
    import numpy as np

    from pga.evaluation.features.extractor import check_images
    from pga.evaluation.protocol import chosen, evaluate, refuse
    from pga.params.base import check_seed
    from pga.runtime import devices
    from pga.runtime.files import sha256, write_record
    from pga.sampling.generated import load_measured

    check(arguments)
    check_seed(arguments.seed)
    devices.make_deterministic(threads=1)
    labels = arguments.extractor
    spaces = [space(arguments, k) for k in range(len(labels))]  # all of them before the first takes its time
    samples = load_measured(arguments.samples, arguments.dataset, arguments.model, arguments.seed)
    images = chosen(samples, arguments.at_most, arguments.seed)
    for extractor, reference, real in spaces:
        refuse(len(images), extractor, reference, arguments.metrics, real, arguments.few_samples)
        check_images(images)
        extractor(np.ascontiguousarray(images[:1]))  # refuses another shape than it sees
    inputs = {"samples": sha256(arguments.samples)}
    inputs |= {f"reference {label}": sha256(path) for label, path in zip(labels, arguments.reference, strict=True)}
    found = [
        evaluate(images, extractor, reference, arguments.metrics, real, arguments.seed, arguments.few_samples)
        for extractor, reference, real in spaces
    ]
    who = {key: getattr(arguments, key) for key in ("dataset", "model", "seed", "sampling")}
    content = {
        **who,
        "inputs": inputs,
        "n": found[0]["n"],
        "extractors": [part["extractor"] for part in found],
        "metrics": [metric for part in found for metric in part["metrics"]],
    }
    write_record(arguments.out, content)


def space(arguments: argparse.Namespace, k: int) -> tuple[Extractor, Statistics, Features | None]:
    """The k-th feature space with its reference, and features of real images where a metric needs them.

    Raises:
        UserError: weights, reference or features of real images are not those that are meant.
    """
    from pga.evaluation.features.load_extractor import load_extractor
    from pga.evaluation.statistics import load_features, load_statistics
    from pga.runtime.errors import UserError

    label = arguments.extractor[k]
    foreign = label in arguments.foreign
    extractor = load_extractor(label, arguments.weights[k], arguments.device, arguments.weights_sha256)
    reference = load_statistics(arguments.reference[k], extractor, foreign)
    of = reference.about.get("dataset", arguments.dataset)
    if of != arguments.dataset:
        raise UserError(
            f"{arguments.reference[k]}: statistics of {of}, but --dataset is {arguments.dataset}; accepted are those of the latter"
        )
    wanted = bool(set(arguments.metrics) - {"infinity"}) and not foreign
    real = load_features(arguments.reference_features[k], reference) if wanted else None
    return extractor, reference, real


def check(arguments: argparse.Namespace) -> None:
    """Refuse flags that do not fit together; raises UserError."""
    from pga.runtime.errors import UserError

    labels = arguments.extractor
    if len(set(labels)) != len(labels):
        raise UserError(f"--extractor {' '.join(labels)}: the same feature space twice")
    if unknown := [label for label in arguments.foreign if label not in labels]:
        raise UserError(f"--foreign {' '.join(unknown)}: accepted are those of --extractor, {' '.join(labels)}")
    if set(arguments.metrics) - {"infinity"} and arguments.reference_features is None and not arguments.foreign:
        raise UserError(f"--metrics {' '.join(arguments.metrics)} needs --reference-features")
    for flag in ("weights", "reference", "reference_features"):
        given = getattr(arguments, flag)
        if given is not None and len(given) != len(labels):
            raise UserError(
                f"--{flag.replace('_', '-')}: found {len(given)} files; one for each of --extractor {' '.join(labels)} is needed"
            )
    if arguments.at_most is not None and arguments.at_most < 2:
        raise UserError(f"--at-most {arguments.at_most}: accepted is at least 2")
