"""Evaluating what lies in files: samples → metrics.json, real images → statistics, snapshots → the metric over training."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from pga.data.prepared import load, load_images, split_of
from pga.evaluation.features.extractor import Extractor, refuse_other_range, stream
from pga.evaluation.features.load_extractor import load_extractor
from pga.evaluation.metrics_record import PIXEL_SPACE, CurveRecord, Measurement, MetricsRecord, SpaceId
from pga.evaluation.nearest import nearest_images
from pga.evaluation.protocol import RealImages, Space, check_measurable, evaluate, random_subset, spaces_measured
from pga.evaluation.statistics import (
    FeatureSubset,
    StatisticsRecord,
    load_features,
    load_statistics,
    refuse_other_space,
    save_statistics,
)
from pga.fingerprints.steps import curve_code, evaluation_code, neighbours_code, reference_code
from pga.metrics.metric_registry import METRICS
from pga.metrics.moments import statistics
from pga.networks.autoencoder import Decoder, Encoder
from pga.params.evaluation import FOREIGN_SPLIT
from pga.params.experiment import REAL
from pga.params.feature_spaces import OFFICIAL, PIXEL_METRIC, PIXELS
from pga.params.run import Run
from pga.params.sampling import RECONSTRUCTION
from pga.runtime import devices
from pga.runtime.errors import UserError
from pga.runtime.files import atomic, sha256
from pga.runtime.sidecar import sidecar_of
from pga.sampling.generated import GeneratedRecord, id_of, load_measured, save_samples
from pga.sampling.reconstruction import reconstruct
from pga.sampling.sample import load_snapshots, sample
from pga.training.run_record import refuse_run_of_other_code


@dataclass(frozen=True)
class FeatureNetwork:
    """A feature space by its network.

    Attributes:
        label: key of `FEATURE_SPACES`, or "pixels".
        weights: file; none for pixels.
        pinned: SHA-256 that Inception's weights must have, or its first digits.
        device: as for training.
    """

    label: str
    weights: Path | None
    pinned: str = OFFICIAL
    device: str = "auto"

    def load(self) -> Extractor:
        """The extractor; raises as `load_extractor`."""
        return load_extractor(self.label, self.weights, self.device, self.pinned)


@dataclass(frozen=True)
class SpaceFiles:
    """A feature space with its reference.

    Attributes:
        network: its network.
        reference: statistics of real images.
        features: of single real images, for metrics that need them.
        foreign: whether the statistics are another tool's, and the user vouches for their feature space.
    """

    network: FeatureNetwork
    reference: Path
    features: Path | None = None
    foreign: bool = False

    def load(self, dataset: str, metrics: Sequence[str] = ()) -> Space:
        """The feature space with its reference, and features of real images where a metric needs them.

        Raises:
            UserError: weights, reference or features are not those that are meant.
        """
        extractor = self.network.load()
        reference, record = load_statistics(self.reference)
        refuse_other_space(self.reference, reference, record, extractor, self.foreign)
        if record and record.dataset != dataset:
            raise UserError(
                f"{self.reference}: statistics of {record.dataset}, the samples are of {dataset}; accepted are statistics of {dataset}"
            )
        needed = any(METRICS[key].of_single_images for key in metrics) and not self.foreign
        if needed and self.features is None:
            raise UserError(f"--metrics {' '.join(metrics)} needs --reference-features")
        real = load_features(self.features, record, self.reference.with_suffix(".json")) if needed and self.features else None
        return Space(extractor, reference, real, record.split if record else FOREIGN_SPLIT)

    def input(self) -> dict[str, str]:
        """The reference as an input of a record."""
        return {f"{'foreign' if self.foreign else 'reference'} {self.network.label}": sha256(self.reference)}


def load_real(path: Path, dataset: str) -> RealImages:
    """Real images of a file, with their split where it is prepared data."""
    return RealImages(load_measured(path, dataset, REAL, 0), split_of(path, dataset))


def evaluate_samples(
    samples: Path,
    out: Path,
    *,
    code: str | None = None,
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
        code: fingerprint of the step that measures (default: that of the code of now).
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
    refuse_run_of_other_code(samples)
    devices.make_deterministic(threads=1)
    loaded = [files.load(dataset, metrics) for files in spaces]  # all of them before the first takes its time
    images = random_subset(load_measured(samples, dataset, model, seed), at_most, seed)
    if not sidecar_of(samples):  # those of a run are of 0…255, also where it has collapsed to black
        refuse_other_range(images)
    real = load_real(real_images, dataset) if real_images else None
    check_measurable(images, loaded, metrics, real, few_samples)
    for space in loaded:
        space.extractor(np.ascontiguousarray(images[:1]))  # refuses another shape than it sees
    inputs = {"samples": sha256(samples)}
    for files in spaces:
        inputs |= files.input()
    if real_images and any("real_images" in METRICS[key].needs for key in metrics):
        inputs["real images"] = sha256(real_images)
    found = evaluate(images, loaded, metrics, real, seed, few_samples)
    MetricsRecord(
        code=code or evaluation_code(), dataset=dataset, model=model, seed=seed, sampling=sampling,
        n=found[0].n, inputs=inputs, extractors=spaces_measured(loaded, found), metrics=found,
    ).write(out)  # fmt: skip


def make_reference(
    dataset: str,
    out: Path,
    network: FeatureNetwork,
    split: str = "train",
    data: Path = Path("data/processed"),
    code: str | None = None,
) -> None:
    """Write mean and covariance of prepared images in a feature space, and beside them features of at most 10,000 of the images.

    Args:
        dataset: name of a prepared data set.
        out: the .npz file to write; features go into `<name>-features.npy`.
        network: the feature space.
        split: "train" or "test".
        data: folder of prepared data.
        code: fingerprint of the step that makes them (default: that of the code of now).
    """
    devices.make_deterministic(threads=1)
    images, checksum = load(data, dataset, split)
    refuse_other_range(images)
    extractor = network.load()
    kept = FeatureSubset(stream(extractor, images), len(images))
    found = statistics(kept)
    record = StatisticsRecord(
        code=code or reference_code(), dataset=dataset, split=split,
        data_sha256=checksum, n=found.n, extractor=SpaceId.of(extractor),
    )  # fmt: skip
    save_statistics(out, found, kept.features, record)


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
    code: str | None = None,
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
        code: fingerprint of the step that measures (default: that of the code of now).
    """
    refuse_run_of_other_code(snapshots)
    devices.make_deterministic(threads=1)
    chosen = devices.choose(device)
    run, decoders = load_snapshots(snapshots, chosen)
    spaces = [space.load(run.dataset)] if space else []
    real = load_real(real_images, run.dataset) if real_images else None
    metrics = () if spaces else (PIXEL_METRIC,)
    inputs = {"snapshots": sha256(snapshots)}
    inputs |= space.input() if space else {}
    inputs |= {"real images": sha256(real_images)} if real_images else {}
    with atomic(out, "w") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["step", "metric", "value", "n"])
        found = []
        for step, decoder in decoders:
            found = evaluate(sample(decoder, run, n, batch_size, chosen), spaces, metrics, real, run.seed, few_samples)
            writer.writerows([step, part.metric, "" if part.value is None else repr(part.value), part.n] for part in found)
    CurveRecord(
        **id_of(run)._asdict(), code=code or curve_code(run),
        inputs=inputs, extractors=spaces_measured(spaces, found),
    ).write_beside([out])  # fmt: skip


def measure_reconstructions(
    run: Run, encoder: Encoder, decoder: Decoder, data: Path, out_dir: Path, device: torch.device, code: str
) -> None:
    """Write reconstructions of the first prepared test images into `out_dir`, and the error over all of them as metrics.json."""
    images, checksum = load(data, run.dataset, "test")
    beside, error = reconstruct(encoder, decoder, images, run, device)
    save_samples(out_dir / "reconstructions.npy", beside, id_of(run), code)
    values = {"reconstruction_error": error, "reconstruction_error_255": error * 127.5**2}
    found = [Measurement(name, value, None, len(images), "test", len(images), PIXELS) for name, value in values.items()]
    MetricsRecord(
        code=code, dataset=run.dataset, model=run.name, seed=run.seed, sampling=RECONSTRUCTION,
        n=len(images), inputs={"images": checksum}, extractors=[PIXEL_SPACE], metrics=found,
    ).write(out_dir / "metrics.json")  # fmt: skip


def find_nearest(
    dataset: str,
    samples: Path,
    out: Path,
    network: FeatureNetwork,
    n: int = 8,
    k: int = 5,
    data: Path = Path("data/processed"),
    code: str | None = None,
) -> None:
    """Write the first samples, each followed by its nearest training images, (n, 1 + k, H, W, C) uint8.

    Args:
        dataset: name of the prepared data set that the run was trained on.
        samples: uint8 images (N, H, W, C) as .npy.
        out: the .npy file to write.
        network: the feature space.
        n: the first so many samples.
        k: training images beside each.
        data: folder of prepared data.
        code: fingerprint of the step that finds them (default: that of the code of now).
    """
    refuse_run_of_other_code(samples)
    if record := GeneratedRecord.read_beside(samples):
        record.refuse_other_code(samples)
    first = load_images(samples)[:n]
    images, _ = load(data, dataset)
    if n < 1 or not 1 <= k <= len(images) or not len(first):
        raise UserError(f"--n {n} --k {k}: accepted are at least one sample and 1 to {len(images)} images of {dataset}")
    devices.make_deterministic(threads=1)
    shown = nearest_images(np.asarray(first), images, network.load(), k)
    save_samples(out, shown, record.run_id if record else None, code or neighbours_code())
