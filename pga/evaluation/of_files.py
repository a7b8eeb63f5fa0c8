"""Evaluating what lies in files: samples → metrics.json, real images → statistics, snapshots → the metric over training."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pga.data.prepared import array_path, load
from pga.evaluation.features.extractor import refuse_other_range, stream
from pga.evaluation.features.load_extractor import load_extractor
from pga.evaluation.nearest import nearest_images
from pga.evaluation.protocol import RealImages, Space, check_measurable, evaluate, identities, random_subset, write_metrics
from pga.evaluation.statistics import FeatureSubset, identity, load_features, load_statistics, save_statistics
from pga.metrics.metric_registry import METRICS
from pga.metrics.moments import statistics
from pga.params.experiment import REAL
from pga.params.feature_spaces import OFFICIAL, PIXEL_METRIC
from pga.runtime import devices
from pga.runtime.errors import UserError
from pga.runtime.files import atomic, sha256, write_beside
from pga.sampling.generated import load_made, load_measured, maker, save_made
from pga.sampling.sample import load_snapshots, sample


@dataclass(frozen=True)
class SpaceFiles:
    """The files of a feature space with its reference.

    Attributes:
        label: key of `FEATURE_SPACES`.
        weights: of the feature network.
        reference: statistics of real images.
        features: of single real images, for metrics that need them.
        foreign: whether the statistics are another tool's, and the user vouches for their feature space.
        pinned: SHA-256 that Inception's weights must have, or its first digits.
        device: as for training.
    """

    label: str
    weights: Path
    reference: Path
    features: Path | None = None
    foreign: bool = False
    pinned: str = OFFICIAL
    device: str = "auto"

    def load(self, dataset: str, metrics: Sequence[str] = ()) -> Space:
        """The feature space with its reference, and features of real images where a metric needs them.

        Raises:
            UserError: weights, reference or features are not those that are meant.
        """
        extractor = load_extractor(self.label, self.weights, self.device, self.pinned)
        reference = load_statistics(self.reference, extractor, self.foreign)
        if (of := reference.about.get("dataset", dataset)) != dataset:
            raise UserError(f"{self.reference}: statistics of {of}, the samples are of {dataset}; accepted are statistics of {dataset}")
        needed = any(METRICS[key].of_single_images for key in metrics) and not self.foreign
        if needed and self.features is None:
            raise UserError(f"--metrics {' '.join(metrics)} needs --reference-features")
        return Space(extractor, reference, load_features(self.features, reference) if needed and self.features else None)


def load_real(path: Path, dataset: str) -> RealImages:
    """Real images of a file, with their split where it is prepared data."""
    splits = [split for split in ("train", "test") if array_path(path.parent, dataset, split) == path]
    return RealImages(load_measured(path, dataset, REAL, 0), splits[0] if splits else None)


def evaluate_samples(
    samples: Path,
    out: Path,
    *,
    dataset: str,
    model: str,
    seed: int,
    sampling: str = "prior",
    spaces: Sequence[SpaceFiles] = (),
    metrics: Sequence[str] = (),
    real_images: Path | None = None,
    at_most: int | None = None,
    few_samples: bool = False,
) -> None:
    """Measure samples in a file and write metrics.json, with everything that identifies both sides.

    Args:
        samples: uint8 images (n, H, W, C) as .npy.
        out: the .json file to write.
        dataset: whose samples; what a file says of itself must agree.
        model: the run's name, or "real".
        seed: the run's; subsets and projections are drawn from it.
        sampling: how the samples were drawn.
        spaces: feature spaces, the headline's first.
        metrics: keys of `METRICS`.
        real_images: .npy, for metrics that compare pixels.
        at_most: measure so many, drawn at random from the seed, if there are more.
        few_samples: accept no more samples, or real images, than feature dimensions.

    Raises:
        UserError: a file is absent, damaged or of something else, or cannot be measured as asked.
    """
    devices.make_deterministic(threads=1)
    loaded = [files.load(dataset, metrics) for files in spaces]  # all of them before the first takes its time
    images = random_subset(load_measured(samples, dataset, model, seed), at_most, seed)
    real = load_real(real_images, dataset) if real_images else None
    check_measurable(images, loaded, metrics, real, few_samples)
    for space in loaded:
        space.extractor(np.ascontiguousarray(images[:1]))  # refuses another shape than it sees
    inputs = {"samples": sha256(samples)} | {f"reference {files.label}": sha256(files.reference) for files in spaces}
    if real_images and any("real_images" in METRICS[key].needs for key in metrics):
        inputs["real images"] = sha256(real_images)
    found = evaluate(images, loaded, metrics, real, seed, few_samples)
    who = {"dataset": dataset, "model": model, "seed": seed, "sampling": sampling}
    write_metrics(out, who, inputs, identities(loaded, found), found)


def make_reference(
    dataset: str,
    out: Path,
    label: str,
    weights: Path,
    *,
    split: str = "train",
    data: Path = Path("data/processed"),
    pinned: str = OFFICIAL,
    device: str = "auto",
) -> None:
    """Write mean and covariance of prepared images in a feature space, and beside them features of at most 10,000 of the images.

    Args:
        dataset: name of a prepared data set.
        out: the .npz file to write; features go into `<name>-features.npy`.
        label: key of `FEATURE_SPACES`.
        weights: of the feature network.
        split: "train" or "test".
        data: folder of prepared data.
        pinned: SHA-256 that Inception's weights must have, or its first digits.
        device: as for training.
    """
    devices.make_deterministic(threads=1)
    images, checksum = load(data, dataset, split)
    refuse_other_range(images)
    extractor = load_extractor(label, weights, device, pinned)
    about = {"dataset": dataset, "split": split, "data_sha256": checksum, "extractor": identity(extractor), "dtype": "float64"}
    kept = FeatureSubset(stream(extractor, images), len(images))
    found = statistics(kept, about)
    features = out.with_name(out.stem + "-features.npy")
    with atomic(features) as file:
        np.save(file, kept.features, allow_pickle=False)
    about["features_sha256"] = sha256(features)
    save_statistics(out, found)


def measure_snapshots(
    snapshots: Path,
    out: Path,
    *,
    space: SpaceFiles | None = None,
    real_images: Path | None = None,
    n: int = 5000,
    batch_size: int = 1000,
    few_samples: bool = False,
    device: str = "auto",
) -> None:
    """Sample from every snapshot of a run and write the headline metric over training, with a record beside it.

    Args:
        snapshots: snapshots.safetensors of a run.
        out: the .csv file to write.
        space: the feature space; None: the sliced Wasserstein distance to `real_images`.
        real_images: .npy, where there is no feature space.
        n: images per snapshot.
        batch_size: images per batch; batch normalisation uses its statistics.
        few_samples: accept no more samples, or real images, than feature dimensions.
        device: as for training.
    """
    devices.make_deterministic(threads=1)
    chosen = devices.choose(device)
    run, decoders = load_snapshots(snapshots, chosen)
    spaces = [space.load(run.dataset)] if space else []
    real = load_real(real_images, run.dataset) if real_images else None
    metrics = () if spaces else (PIXEL_METRIC,)
    inputs = {"snapshots": sha256(snapshots)}
    inputs |= {f"reference {space.label}": sha256(space.reference)} if space else {}
    inputs |= {"real images": sha256(real_images)} if real_images else {}
    with atomic(out, "w") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["step", "metric", "value", "n"])
        found = []
        for step, decoder in decoders:
            found = evaluate(sample(decoder, run, n, batch_size, chosen), spaces, metrics, real, run.seed, few_samples)
            writer.writerows([step, part.metric, repr(part.value), part.n] for part in found)
    content = {
        **maker(run),
        "inputs": inputs,
        "extractors": identities(spaces, found),
        "metrics": [{"extractor": part.extractor, "reference": part.reference} for part in found],
    }
    write_beside([out], content)


def find_nearest(
    dataset: str,
    samples: Path,
    out: Path,
    label: str,
    weights: Path | None,
    *,
    n: int = 8,
    k: int = 5,
    data: Path = Path("data/processed"),
    pinned: str = OFFICIAL,
    device: str = "auto",
) -> None:
    """Write the first samples, each followed by its nearest training images, (n, 1 + k, H, W, C) uint8.

    Args:
        dataset: name of the prepared data set that the run was trained on.
        samples: uint8 images (N, H, W, C) as .npy.
        out: the .npy file to write.
        label: key of `FEATURE_SPACES`, or "pixels".
        weights: of the feature network; none for pixels.
        n: the first so many samples.
        k: training images beside each.
        data: folder of prepared data.
        pinned: SHA-256 that Inception's weights must have, or its first digits.
        device: as for training.
    """
    images_of_run, of = load_made(samples)
    first = images_of_run[:n]
    images, _ = load(data, dataset)
    if not 1 <= k <= len(images) or not len(first):
        raise UserError(f"--n {n} --k {k}: accepted are at least one sample and 1 to {len(images)} images of {dataset}")
    devices.make_deterministic(threads=1)
    extractor = load_extractor(label, weights, device, pinned)
    save_made(out, nearest_images(np.asarray(first), images, extractor, k), of or {})
