"""The distance of every snapshot that a run kept, for the metric over training (Figure 3b)."""

from __future__ import annotations

import argparse
from pathlib import Path

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
    parser.add_argument("--reference", required=True, type=Path, help="statistics that `pga reference` wrote")
    parser.add_argument("--extractor", required=True, help="classifier, inception-tf1 (FID) or inception-pytorch_fid")
    parser.add_argument("--weights", required=True, type=Path, help="the feature network's weights")
    parser.add_argument("--weights-sha256", default="6726825d", help="what Inception's weights must have (default: %(default)s, FID's)")
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
    import csv

    from pga.evaluation.features.load_extractor import load_extractor
    from pga.evaluation.protocol import evaluate
    from pga.evaluation.statistics import identity, load_statistics
    from pga.runtime import devices
    from pga.runtime.files import atomic, sha256, write_beside
    from pga.sampling.generated import maker
    from pga.sampling.sample import load_snapshots, sample

    devices.make_deterministic(threads=1)
    device = devices.choose(arguments.device)
    extractor = load_extractor(arguments.extractor, arguments.weights, arguments.device, arguments.weights_sha256)
    reference = load_statistics(arguments.reference, extractor, arguments.foreign)
    row, snapshots = load_snapshots(arguments.run, device)
    label = arguments.extractor
    content = {
        **maker(row),
        "inputs": {"snapshots": sha256(arguments.run), f"reference {label}": sha256(arguments.reference)},
        "extractors": [identity(extractor)],
        "metrics": [{"extractor": label, "reference": reference.about.get("split")}],
    }
    with atomic(arguments.out, "w") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["step", "metric", "value", "n"])
        for step, decoder in snapshots:
            samples = sample(decoder, row, arguments.n, arguments.batch_size, device)
            for metric in evaluate(samples, extractor, reference, few_samples=arguments.few_samples)["metrics"]:
                writer.writerow([step, metric["metric"], repr(metric["value"]), metric["n"]])
    write_beside([arguments.out], content)
