"""How far apart two disjoint random subsets of the same real images are: the part of a Fréchet distance that is due to n alone.

Writes bias-DATASET.png and bias-DATASET.csv from a data set's training images in the features of its classifier.

Example:
    snakemake --cores 1 data/reference/mnist/classifier.safetensors
    python benchmarks/evaluation/bias.py --dataset mnist --out docs
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import numpy as np
from matplotlib.ticker import FuncFormatter, NullLocator

sys.path.insert(0, str(Path(__file__).parents[1]))
import machine  # noqa: F401  the code beside this file is measured, and what is missing is said in one line

from pga.artifacts.figures.canvas import LINES, page
from pga.data.prepared import load
from pga.evaluation.features.classifier import ClassifierFeatures
from pga.evaluation.features.extractor import Features, stream
from pga.metrics.frechet import frechet_distance
from pga.metrics.moments import Statistics, statistics
from pga.runtime.files import atomic
from pga.runtime.seeds import derive

BATCH = 1000


def moments(features: Features) -> Statistics:
    """Mean and covariance, in batches."""
    return statistics(features[start : start + BATCH] for start in range(0, len(features), BATCH))


def distance(features: Features, n: int, seed: int) -> float:
    """Fréchet distance between two disjoint random subsets of n rows each."""
    rows = np.random.default_rng(derive(seed, "bias", n)).permutation(len(features))
    one, other = moments(features[rows[:n]]), moments(features[rows[n : 2 * n]])
    return frechet_distance(one.mu, one.sigma, other.mu, other.sigma)


def draw(path: Path, found: dict[int, list[float]], dataset: str, dim: int) -> None:
    """Mean and single values against n, and the line of slope −1 through the largest n."""
    figure, [[axes]] = page(4.0, 2.6, 1, 1)
    sizes = np.array(list(found))
    means = np.array([np.mean(values) for values in found.values()])
    for size, values in found.items():
        axes.plot([size] * len(values), values, ".", color="#999999", markersize=3)
    axes.plot(sizes, means, LINES[0].marker, color=LINES[0].colour, linestyle="none", label="mean over seeds")
    axes.plot(sizes, means[-1] * sizes[-1] / sizes, color=LINES[1].colour, linestyle=LINES[1].dash, label="∝ 1 / n")
    axes.set(xscale="log", yscale="log", xlabel="n, images in each subset", ylabel="classifier Fréchet distance")
    axes.set_title(f"Two disjoint subsets of the training images of {dataset}, d = {dim}")
    axes.set_xticks(sizes)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda size, _: f"{size:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.legend(frameon=False)
    with atomic(path) as file:
        figure.savefig(file, format="png", dpi=150, metadata={"Software": "pga"})


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="cifar10", help="a data set with a classifier (default: %(default)s)")
    parser.add_argument("--sizes", nargs="+", type=int, default=[1000, 2000, 5000, 10_000, 25_000], help="n (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=10, help="pairs of subsets of each size (default: %(default)s)")
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of processed/ and reference/ (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to; the pages' own figures are in docs")
    arguments = parser.parse_args()

    extractor = ClassifierFeatures(arguments.data / "reference" / arguments.dataset / "classifier.safetensors")
    images, _ = load(arguments.data / "processed", arguments.dataset)
    if 2 * max(arguments.sizes) > len(images):
        sys.exit(f"--sizes {max(arguments.sizes)}: two disjoint subsets need twice as many images, {arguments.dataset} has {len(images)}")
    features = np.concatenate(list(stream(extractor, images, BATCH)))
    found = {n: [distance(features, n, seed) for seed in range(arguments.seeds)] for n in sorted(arguments.sizes)}
    for n, values in found.items():
        error = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else float("nan")
        print(f"n = {n:6d}: {np.mean(values):9.4f} ± {error:.4f}, n · distance = {n * np.mean(values):.0f}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    with open(arguments.out / f"bias-{arguments.dataset}.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["n", "seed", "classifier_fd"])
        writer.writerows([n, seed, f"{value:.6g}"] for n, values in found.items() for seed, value in enumerate(values))
    draw(arguments.out / f"bias-{arguments.dataset}.png", found, arguments.dataset, extractor.dim)


if __name__ == "__main__":
    main()
