"""The protocol: samples and real images → metrics, each with everything that identifies it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pga.data.prepared import Images
from pga.evaluation.features.extractor import Extractor, check_images, stream
from pga.evaluation.metrics_record import PIXEL_SPACE, Measurement, SpaceId
from pga.evaluation.statistics import KEPT
from pga.metrics.frechet import frechet_distance
from pga.metrics.metric import Given, Metric
from pga.metrics.metric_registry import METRICS
from pga.metrics.moments import Features, Statistics, statistics
from pga.params.feature_spaces import OFFICIAL, PIXELS, distance_in
from pga.runtime.errors import UserError
from pga.runtime.seeds import derive


@dataclass(frozen=True)
class Space:
    """A feature space with what samples are compared with in it.

    Attributes:
        extractor: the feature space.
        reference: statistics of the real images in it.
        real: features of real images, (M, d), which metrics of single images need.
        split: which real images: "train", "test", "foreign"; None where nobody says.
    """

    extractor: Extractor
    reference: Statistics
    real: Features | None = None
    split: str | None = None


@dataclass(frozen=True)
class RealImages:
    """Real images for the metrics that compare pixels.

    Attributes:
        images: (M, H, W, C) uint8.
        split: "train" or "test", where that is known.
    """

    images: Images
    split: str | None = None


def random_subset(images: Images, at_most: int | None, seed: int) -> Images:
    """The images, or a random subset of `at_most` of them where there are more, in their order."""
    if at_most is None or len(images) <= at_most:
        return images
    rng = np.random.default_rng(derive(seed, "chosen images"))
    subset: Images = images[np.sort(rng.choice(len(images), at_most, replace=False))]
    return subset


def check_measurable(
    samples: Images, spaces: Sequence[Space], metrics: Sequence[str], real: RealImages | None, few_samples: bool = False
) -> None:
    """Refuse what cannot be measured before any feature is computed.

    Raises:
        UserError: an unknown metric, or one that lacks what it needs; no more samples, or real images, than feature dimensions, so that
            their covariance has no full rank, unless `few_samples` says that this is known; images that are not uint8.
    """
    if unknown := [key for key in metrics if key not in METRICS]:
        raise UserError(f"no metric {', '.join(unknown)}; there are {', '.join(METRICS)}")
    if not spaces and not any(METRICS[key].of_pixels for key in metrics):
        raise UserError("nothing to measure: a feature space (--extractor) or a metric of pixels (--metrics) is needed")
    check_images(samples)
    for key in metrics:
        if not METRICS[key].of_pixels and not spaces:
            raise UserError(f"--metrics {key}: a feature space (--extractor) is needed")
        if "real_images" in METRICS[key].needs:
            if real is None:
                raise UserError(f"--metrics {key} needs --reference-images")
            if real.images.shape[1:] != samples.shape[1:]:
                raise UserError(f"--metrics {key}: samples of shape {samples.shape[1:]}, real images of shape {real.images.shape[1:]}")
    for space in spaces:
        check_space(len(samples), space, {key: METRICS[key] for key in metrics if not METRICS[key].of_pixels}, few_samples)


def check_space(n: int, space: Space, metrics: dict[str, Metric], few_samples: bool) -> None:
    """What `check_measurable` refuses of one feature space."""
    label, dim = space.extractor.label, space.extractor.dim
    for count, what in ((n, "samples"), (space.reference.n, "real images in the reference")):
        if 0 < count <= dim and not few_samples:  # another tool's statistics do not say of how many images they are
            raise UserError(
                f"{count} {what} are too few for {dim} feature dimensions ({label}); more than {dim} are needed "
                "(--few-samples, few_samples in an experiment's evaluation, if it is a try and no result)"
            )
    if space.real is None and (lacking := [key for key, metric in metrics.items() if metric.of_single_images]):
        raise UserError(f"{', '.join(lacking)} ({label}): features of real images are needed, which its reference is without")
    for key, metric in metrics.items():
        if n < (fewest := metric.fewest(dim)):
            raise UserError(f"--metrics {key} ({label}): {n} samples are too few, at least {fewest} are needed")


def evaluate(
    samples: Images,
    spaces: Sequence[Space],
    metrics: Sequence[str] = (),
    real: RealImages | None = None,
    seed: int = 0,
    few_samples: bool = False,
) -> list[Measurement]:
    """The Fréchet distance of samples in every feature space, and what else is asked for.

    Args:
        samples: (n, H, W, C) uint8.
        spaces: feature spaces, the headline's first; none where only pixels are compared.
        metrics: keys of `METRICS`. Those of features keep all features of the samples in memory.
        real: real images, for metrics that compare pixels; a random subset of at most 10,000 is taken.
        seed: of all subsets and projections.
        few_samples: accept no more samples, or real images, than feature dimensions.

    Raises:
        UserError: what `check_measurable` refuses. A metric that has no value for other reasons is absent, with the reason.
    """
    check_measurable(samples, spaces, metrics, real, few_samples)
    asked = {key: METRICS[key] for key in metrics}
    of_features = [metric for metric in asked.values() if not metric.of_pixels]
    found = [measurement for space in spaces for measurement in in_features(samples, space, of_features, seed)]
    return found + in_pixels(samples, [metric for metric in asked.values() if metric.of_pixels], real, seed)


def in_features(samples: Images, space: Space, metrics: Sequence[Metric], seed: int) -> list[Measurement]:
    """The Fréchet distance and other metrics in one feature space."""
    extractor, reference = space.extractor, space.reference
    batches = list(stream(extractor, samples)) if metrics else stream(extractor, samples)
    own = statistics(batches)
    names = distance_in(extractor.label, extractor.digest.startswith(OFFICIAL))
    distance = frechet_distance(own.mu, own.sigma, reference.mu, reference.sigma)
    headline = Measurement(names.metric, distance, None, len(samples), space.split, reference.n or None, extractor.label)
    found = [headline]
    if metrics:
        given = Given(seed, features=np.concatenate(list(batches)), real_features=space.real, statistics=reference)
        found += [part for metric in metrics for part in measured(metric, given, names.prefix, headline)]
    return found


def in_pixels(samples: Images, metrics: Sequence[Metric], real: RealImages | None, seed: int) -> list[Measurement]:
    """Metrics of the images themselves."""
    given = Given(seed, images=samples, real_images=random_subset(real.images, KEPT, seed) if real else None)
    found = []
    for metric in metrics:
        split, count = (real.split, len(real.images)) if real and "real_images" in metric.needs else (None, None)
        found += measured(metric, given, "", Measurement("", None, None, len(samples), split, count, PIXELS))
    return found


def measured(metric: Metric, given: Given, prefix: str, like: Measurement) -> list[Measurement]:
    """Every value of one metric, or why there is none, of the same images as `like`."""
    try:
        values = metric.function(given)
    except ValueError as error:
        return [replace(like, metric=prefix + name, value=None, absent=str(error)) for name in metric.headings]
    return [replace(like, metric=prefix + name, value=number, standard_error=error) for name, (number, error) in values.items()]


def spaces_measured(spaces: Sequence[Space], found: Sequence[Measurement]) -> list[SpaceId]:
    """Every feature space, and the pixels where something was measured on them."""
    return [SpaceId.of(space.extractor) for space in spaces] + ([PIXEL_SPACE] if any(m.extractor == PIXELS for m in found) else [])
