"""Distance of samples to real images in feature spaces or on pixels, written with everything that identifies both."""

from __future__ import annotations

import argparse
from pathlib import Path

from pga.params.feature_spaces import FEATURE_SPACES, OFFICIAL

EXAMPLE = (
    "pga evaluate --samples results/quick/digits/lpga/seed0/prior/samples.npy --dataset digits --model lpga --seed 0 --extractor classifier"
    " --weights data/reference/digits/classifier.safetensors --reference data/reference/digits/classifier-train.npz"
    " --out results/mine/metrics.json"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `pga evaluate`."""
    from pga.metrics.metric_registry import METRICS

    parser.add_argument("--samples", required=True, type=Path, help="uint8 images (n, height, width, channels) as .npy")
    parser.add_argument("--at-most", type=int, metavar="N", help="measure so many of them, drawn at random from --seed, if there are more")
    parser.add_argument(
        "--metrics",
        nargs="*",
        default=[],
        choices=METRICS,
        help="beside the Fréchet distance. " + " ".join(m.explained for m in METRICS.values()),
    )
    parser.add_argument(
        "--extractor", nargs="+", default=[], choices=FEATURE_SPACES, help="feature spaces, the headline first; none for metrics of pixels"
    )
    parser.add_argument("--weights", nargs="+", default=[], type=Path, help="for each extractor, the feature network's weights")
    parser.add_argument("--weights-sha256", default=OFFICIAL, help="what Inception's weights must have (default: %(default)s, FID's)")
    parser.add_argument("--reference", nargs="+", default=[], type=Path, help="for each extractor, statistics that `pga reference` wrote")
    parser.add_argument(
        "--reference-features",
        nargs="+",
        type=Path,
        help="for each extractor, features that `pga reference` wrote, for metrics that need them",
    )
    parser.add_argument("--reference-images", type=Path, help="real images as .npy, for metrics of pixels that compare with real images")
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
    from pga.evaluation.of_files import FeatureNetwork, SpaceFiles, evaluate_samples
    from pga.params.base import check_seed

    check(arguments)
    check_seed(arguments.seed)
    labels = arguments.extractor
    features = arguments.reference_features or [None] * len(labels)
    spaces = [
        SpaceFiles(FeatureNetwork(label, weights, arguments.weights_sha256, arguments.device), reference, real, label in arguments.foreign)
        for label, weights, reference, real in zip(labels, arguments.weights, arguments.reference, features, strict=True)
    ]
    evaluate_samples(
        arguments.samples,
        arguments.out,
        dataset=arguments.dataset,
        model=arguments.model,
        seed=arguments.seed,
        sampling=arguments.sampling,
        spaces=spaces,
        metrics=arguments.metrics,
        real_images=arguments.reference_images,
        at_most=arguments.at_most,
        few_samples=arguments.few_samples,
        code=arguments.planned_code,
    )


def check(arguments: argparse.Namespace) -> None:
    """Refuse flags that do not fit together; raises UserError."""
    from pga.runtime.errors import UserError

    labels = arguments.extractor
    if len(set(labels)) != len(labels):
        raise UserError(f"--extractor {' '.join(labels)}: the same feature space twice")
    if unknown := [label for label in arguments.foreign if label not in labels]:
        raise UserError(f"--foreign {' '.join(unknown)}: accepted are those of --extractor, {' '.join(labels)}")
    for flag in ("weights", "reference", "reference_features"):
        given = getattr(arguments, flag)
        if given is not None and len(given) != len(labels):
            raise UserError(
                f"--{flag.replace('_', '-')}: found {len(given)} files; one for each of --extractor {' '.join(labels)} is needed"
            )
    if arguments.at_most is not None and arguments.at_most < 2:
        raise UserError(f"--at-most {arguments.at_most}: accepted is at least 2")
