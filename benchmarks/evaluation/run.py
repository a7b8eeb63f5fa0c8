"""What evaluation costs: the Fréchet distance and Inception's features beside pytorch-fid's own code in the same run, and every metric.

Prints a table and writes it, with every single time and the facts of the machine, into a log. The two sides of a row are timed in turn;
the table has their medians. Inception has random weights, which cost as much as the real ones. Features that metrics are timed on are
random, with variances that fall off as a network's do, 2048 as Inception's and 256 as the CIFAR-10 classifier's; with --features also
real ones, which `pga reference` wrote.

Example:
    python benchmarks/evaluation/run.py --threads 1
    python benchmarks/evaluation/run.py --features data/reference/cifar10/classifier-test-features.npy
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import numpy as np
import torch
from PIL import Image
from pytorch_fid import fid_score
from pytorch_fid.inception import InceptionV3

sys.path.insert(0, str(Path(__file__).parents[1]))
from machine import as_text, facts

from pga.evaluation.features.classifier import RECIPES, Classifier, ClassifierFeatures
from pga.evaluation.features.extractor import Features, stream
from pga.evaluation.features.inception import InceptionFeatures, network
from pga.metrics.extrapolation import distance_at_infinity
from pga.metrics.frechet import frechet_distance
from pga.metrics.kid import kernel_distance
from pga.metrics.manifold import manifold_metrics
from pga.metrics.moments import statistics
from pga.metrics.nearest_neighbours import nearest
from pga.runtime import devices
from pga.runtime.checkpoint import save_tensors
from pga.runtime.files import sha256

BATCH = 50
"""pytorch-fid's default."""

SIDES = {"ours": frechet_distance, "pytorch-fid": fid_score.calculate_frechet_distance}

Row = tuple[str, ...]


CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
clock = time.perf_counter


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Time of one call, and what it returns."""
    start = clock()
    found = work()
    return clock() - start, found


def in_turn(works: dict[str, Callable[[], Any]], repeats: int) -> dict[str, list[tuple[float, Any]]]:
    """Times and results of each, taken in turn, so that whatever else the machine does meets all alike."""
    done: dict[str, list[tuple[float, Any]]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            done[name].append(timed(work))
    return done


def times_of(done: list[tuple[float, Any]]) -> list[float]:
    """The times alone."""
    return [each for each, _ in done]


def like_a_network(n: int, dim: int, seed: int) -> Features:
    """Random features (n, dim) whose variances fall off over four orders of magnitude, in directions of their own."""
    rng = np.random.default_rng(seed)
    spread = 10 ** -np.linspace(0, 2, dim)
    directions = np.linalg.qr(np.random.default_rng(0).normal(size=(dim, dim)))[0]
    return ((rng.normal(size=(n, dim)) * spread + 0.01 * seed) @ directions).astype(np.float32)


def random_weights(path: Path) -> None:
    """Inception with every layer keeping its input's scale."""
    torch.manual_seed(0)
    model = network()
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    torch.save(model.state_dict(), path)


def distances(n: int, repeats: int) -> tuple[list[Row], dict[str, list[float]]]:
    """The Fréchet distance of two pairs of statistics in 2048 dimensions, ours and pytorch-fid's."""
    rows, log = [], {}
    for name, size in ((f"of full rank (n = {n})", n), ("singular (n = 1000)", 1000)):
        one, two = (statistics([like_a_network(size, 2048, seed)]) for seed in (0, 1))
        parts = (one.mu, one.sigma, two.mu, two.sigma)
        done = in_turn({side: partial(distance, *parts) for side, distance in SIDES.items()}, repeats)
        ours, theirs = (median(times_of(done[side])) for side in SIDES)
        difference = done["ours"][0][1] / done["pytorch-fid"][0][1] - 1
        shown = (f"{ours:.2f} s", f"{theirs:.2f} s", f"{theirs / ours:.1f}", f"values differ by {difference:.0e}")
        rows.append((f"Fréchet distance, 2048 dimensions, {name}", *shown))
        log |= {f"distance {name}, {side}, s": times_of(found) for side, found in done.items()}
    return rows, log


def extraction(n: int, repeats: int, device: str) -> tuple[list[Row], dict[str, list[float]]]:
    """Inception's features of n images of 32×32: ours from an array, pytorch-fid's from PNG files, and its network alone."""
    images = np.random.default_rng(0).integers(0, 256, (n, 32, 32, 3), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "weights.pth"
        random_weights(weights)
        with mock.patch("pytorch_fid.inception.load_state_dict_from_url", return_value=torch.load(weights, weights_only=True)):
            theirs = InceptionV3([3]).eval().to(device)
        files = [f"{folder}/{number:05d}.png" for number in range(n)]
        for file, image in zip(files, images, strict=True):
            Image.fromarray(image).save(file)
        extractors = {resize: InceptionFeatures(weights, sha256(weights), resize, device) for resize in ("tf1", "pytorch_fid")}
        batches = [torch.from_numpy(images[i : i + BATCH].transpose(0, 3, 1, 2)).float() / 255 for i in range(0, n, BATCH)]

        def alone() -> None:
            with torch.no_grad():
                for batch in batches:
                    theirs(batch.to(device))[0].cpu()

        works: dict[str, Callable[[], Any]] = {
            **{f"ours, {resize}": lambda chosen=chosen: list(stream(chosen, images, BATCH)) for resize, chosen in extractors.items()},
            "pytorch-fid, from PNG files": lambda: fid_score.get_activations(files, theirs, BATCH, 2048, device, num_workers=0),
            "pytorch-fid, its network alone": alone,
        }
        for work in works.values():  # the first call of each allocates and chooses kernels
            work()
        times = {name: times_of(done) for name, done in in_turn(works, repeats).items()}
    rate = {name: n / median(found) for name, found in times.items()}
    rows = []
    for resize in extractors:
        for side in ("from PNG files", "its network alone"):
            mine, other = rate[f"ours, {resize}"], rate[f"pytorch-fid, {side}"]
            shown = (f"{mine:.1f} /s", f"{other:.1f} /s", f"{mine / other:.2f}", f"pytorch-fid: {side}")
            rows.append((f"Inception's features, resize {resize}", *shown))
    return rows, {f"features of {n} images, {name}, s": found for name, found in times.items()}


def classifiers(n: int, repeats: int) -> tuple[list[Row], dict[str, list[float]]]:
    """The classifiers' features of n images of each kind that there is a recipe for, random weights."""
    rows, log = [], {}
    with tempfile.TemporaryDirectory() as folder:
        for (size, channels), recipe in RECIPES.items():
            record = dict(size=size, channels=channels, classes=10, features=recipe.features, accuracy=1, required_accuracy=0, majority=0)
            save_tensors(path := Path(folder) / "classifier", Classifier(size, channels, 10, recipe).state_dict(), record)
            images = np.random.default_rng(0).integers(0, 256, (n, size, size, channels), np.uint8)
            extractor = ClassifierFeatures(path)
            times = times_of([timed(lambda used=extractor, seen=images: list(stream(used, seen))) for _ in range(repeats + 1)][1:])
            name = f"a classifier's features of {n} images of {size}×{size}×{channels}"
            rows.append((name, f"{n / median(times):.0f} /s", "", "", f"{recipe.features} dimensions"))
            log[f"{name}, s"] = times
    return rows, log


def metrics(title: str, features: Features, reference: Features) -> tuple[list[Row], dict[str, list[float]]]:
    """Each metric once, of equally many samples and real images."""
    real = statistics([reference])
    works: dict[str, Callable[[], Any]] = {
        "mean, covariance and Fréchet distance": lambda: frechet_distance(*moments(features), real.mu, real.sigma),
        "KID, 100 subsets of 1000": lambda: kernel_distance(features, reference, 0),
        "precision, recall, density, coverage": lambda: manifold_metrics(features, reference),
        "nearest real image": lambda: nearest(features, reference),
        "Fréchet distance at infinity": lambda: distance_at_infinity(features, real.mu, real.sigma, 0),
    }
    rows, log = [], {}
    for name, work in works.items():
        if "infinity" in name and len(features) < 4 * features.shape[1]:
            rows.append((f"{name}, {title}", "–", "", "", f"needs n ≥ {4 * features.shape[1]}"))
            continue
        taken, _ = timed(work)
        log[f"{name}, {title}, s"] = [taken]
        rows.append((f"{name}, {title}", f"{taken:.2f} s", "", "", ""))
    return rows, log


def moments(features: Features) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance, in batches as an evaluation has them."""
    found = statistics(features[start : start + 100] for start in range(0, len(features), 100))
    return found.mu, found.sigma


def halves(path: Path, n: int) -> tuple[Features, Features]:
    """Two disjoint random halves of at most n rows each, of features that `pga reference` wrote."""
    features: Features = np.load(path, allow_pickle=False)
    rows = np.random.default_rng(0).permutation(len(features))
    size = min(n, len(features) // 2)
    return features[rows[:size]], features[rows[size : 2 * size]]


def as_table(rows: list[Row]) -> str:
    """Columns aligned."""
    rows = [("", "ours", "pytorch-fid", "times faster", ""), *rows]
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=5000, help="samples, and as many real images (default: %(default)s)")
    parser.add_argument("--images", type=int, default=100, help="images whose Inception features are timed (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="of what stands beside pytorch-fid's (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default: %(default)s); for linear algebra set OMP_NUM_THREADS")
    parser.add_argument(
        "--clock", default="wall", choices=CLOCKS, help="cpu: processor time, for a machine that others use, with one thread and no GPU"
    )
    parser.add_argument("--device", default="cpu", help="of Inception: cpu or cuda (default: %(default)s)")
    parser.add_argument("--features", nargs="*", default=[], type=Path, help="files of real features that `pga reference` wrote")
    parser.add_argument("--log", type=Path, default=Path(__file__).with_name("log.txt"), help="file to write (default: beside this one)")
    arguments = parser.parse_args()
    device = str(devices.choose(arguments.device))
    global clock
    clock = CLOCKS[arguments.clock]
    warnings.simplefilter("ignore", DeprecationWarning)  # pytorch-fid calls scipy in a way that scipy is giving up
    torch.set_num_threads(arguments.threads)

    parts = [
        distances(arguments.n, arguments.repeats),
        extraction(arguments.images, arguments.repeats, device),
        classifiers(arguments.n, arguments.repeats),
    ]
    sets = {f"random, d = {dim}": (like_a_network(arguments.n, dim, 0), like_a_network(arguments.n, dim, 1)) for dim in (2048, 256)}
    sets |= {f"{path.parent.name}, {path.stem}": halves(path, arguments.n) for path in arguments.features}
    for name, (features, reference) in sets.items():
        parts.append(metrics(f"n = {len(features)}, {name}", features, reference))
    table = as_table([row for rows, _ in parts for row in rows])
    times = [f"{name}: {' '.join(f'{t:.3f}' for t in found)}" for _, log in parts for name, found in log.items()]
    about = {
        **facts(),
        "clock": f"{arguments.clock}; {arguments.threads} thread of torch, OMP_NUM_THREADS {os.environ.get('OMP_NUM_THREADS', 'not set')}",
    }
    text = "\n".join([as_text(about), "", table, "", "every time:", *times, ""])
    print(text)
    arguments.log.write_text(text)


if __name__ == "__main__":
    main()
