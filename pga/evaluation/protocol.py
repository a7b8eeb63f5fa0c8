"""The protocol: samples and reference statistics → metrics, with everything that identifies them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from pga.data.prepared import Images
from pga.evaluation.features.extractor import Extractor, Features, refuse_other_range, stream
from pga.evaluation.metrics.extrapolation import distance_at_infinity, subset_sizes
from pga.evaluation.metrics.frechet import frechet_distance
from pga.evaluation.metrics.kid import kernel_distance
from pga.evaluation.metrics.manifold import manifold_metrics
from pga.evaluation.metrics.nearest_neighbours import nearest
from pga.evaluation.statistics import Statistics, identity, statistics
from pga.params.evaluation import OFFICIAL, metric_name, prefix
from pga.runtime.errors import UserError
from pga.runtime.seeds import derive


class Measured(NamedTuple):
    """A metric's name without its feature space, its value, and its standard error where it has one; or why there is no value."""

    name: str
    value: float | None
    standard_error: float | None = None
    absent: str | None = None


def kid(features: Features, real: Features, reference: Statistics, seed: int) -> list[Measured]:
    """Kernel distance, its standard error over subsets."""
    found = kernel_distance(features, real, derive(seed, "kid") % 2**32)
    return [Measured("kid", found.value, found.standard_error)]


def manifold(features: Features, real: Features, reference: Statistics, seed: int) -> list[Measured]:
    """Improved precision and recall, density and coverage."""
    found = manifold_metrics(features, real)
    return [Measured(name, getattr(found, name)) for name in ("precision", "recall", "density", "coverage")]


def infinity(features: Features, real: Features, reference: Statistics, seed: int) -> list[Measured]:
    """The Fréchet distance extrapolated to infinitely many samples."""
    return [Measured("fd_infinity", distance_at_infinity(features, reference.mu, reference.sigma, derive(seed, "infinity") % 2**32).value)]


def neighbours(features: Features, real: Features, reference: Statistics, seed: int) -> list[Measured]:
    """Median distance from a sample to the nearest real image, relative to that between real images: near 0, samples are copies."""
    to_real = np.median(nearest(features, real)[1])
    among_real = np.median(nearest(real, real, k=2)[1][:, 1])  # the first is the image itself
    if among_real == 0:
        return [Measured("nearest_real", None, absent="at least half of the real images have a duplicate among them, at distance 0")]
    return [Measured("nearest_real", float(to_real / among_real))]


def chosen(images: Images, at_most: int | None, seed: int) -> Images:
    """The images, or a random subset of `at_most` of them where there are more, in their order."""
    if at_most is None or len(images) <= at_most:
        return images
    rng = np.random.default_rng(derive(seed, "chosen images"))
    subset: Images = images[np.sort(rng.choice(len(images), at_most, replace=False))]
    return subset


def refuse(
    n: int, extractor: Extractor, reference: Statistics, extra: Sequence[str], real: Features | None, few_samples: bool = False
) -> None:
    """Refuse what cannot be measured before any feature is computed.

    Raises:
        UserError: no more samples, or real images, than feature dimensions, so that their covariance has no full rank, unless
            `few_samples` says that this is known; fewer than an extrapolation needs; no features of real images where `extra` needs them.
    """
    for count, what in ((n, "samples"), (reference.n, "real images in the reference")):
        if 0 < count <= extractor.dim and not few_samples:  # another tool's statistics do not say of how many images they are
            raise UserError(
                f"{count} {what} are too few for {extractor.dim} feature dimensions ({extractor.label}); more than {extractor.dim} are "
                "needed (--few-samples, few_samples in a scale's evaluation, if it is a try and no result)"
            )
    if real is None and (lacking := [key for key in extra if key != "infinity"]):
        raise UserError(f"{', '.join(lacking)} ({extractor.label}): features of real images are needed, which its reference is without")
    if "infinity" in extra:
        try:
            subset_sizes(n, extractor.dim)
        except ValueError as error:
            raise UserError(f"--metrics infinity ({extractor.label}): {error}") from error


EXTRA: dict[str, Callable[[Features, Features, Statistics, int], list[Measured]]] = {
    "kid": kid,
    "manifold": manifold,
    "infinity": infinity,
    "neighbours": neighbours,
}
"""What can be measured beside the Fréchet distance, from the same features."""

NAMES = {
    "kid": ("kid",),
    "manifold": ("precision", "recall", "density", "coverage"),
    "infinity": ("fd_infinity",),
    "neighbours": ("nearest_real",),
}
"""The metrics of each."""


def evaluate(
    samples: Images,
    extractor: Extractor,
    reference: Statistics,
    extra: Sequence[str] = (),
    real: Features | None = None,
    seed: int = 0,
    few_samples: bool = False,
) -> dict[str, Any]:
    """The Fréchet distance of samples to a reference and what else is asked for, as the content of metrics.json.

    Args:
        samples: (n, H, W, C) uint8.
        extractor: the feature space.
        reference: statistics of the real images in it.
        extra: keys of `EXTRA`; they keep all features of the samples in memory.
        real: features of real images, which all of `extra` but "infinity" need.
        seed: of the subsets that `extra` draws.
        few_samples: accept no more samples, or real images, than feature dimensions.

    Raises:
        UserError: what `refuse` refuses.
    """
    refuse(len(samples), extractor, reference, extra, real, few_samples)
    refuse_other_range(samples)
    batches = list(stream(extractor, samples)) if extra else stream(extractor, samples)
    found = statistics(batches)
    official = extractor.digest.startswith(OFFICIAL)
    distance = frechet_distance(found.mu, found.sigma, reference.mu, reference.sigma)
    measured = [(metric_name(extractor.label, official), Measured("", distance))]
    if extra:
        features = np.concatenate(list(batches))
        real = features[:0] if real is None else real
        for key in extra:
            try:
                found_of_key = EXTRA[key](features, real, reference, seed)
            except ValueError as error:  # what else was measured is written
                found_of_key = [Measured(name, None, absent=str(error)) for name in NAMES[key]]
            measured += [(prefix(extractor.label, official) + part.name, part) for part in found_of_key]
    split = reference.about.get("split")
    return {
        "n": len(samples),
        "extractor": identity(extractor),
        "metrics": [
            {
                "metric": name,
                "value": part.value,
                "standard_error": part.standard_error,
                "n": len(samples),
                "reference": split,
                "reference_n": reference.n or None,
                "extractor": extractor.label,
                "absent": part.absent,
            }
            for name, part in measured
        ],
    }
