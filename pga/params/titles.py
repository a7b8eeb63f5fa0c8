"""Names for people: names of `params/` in words, and what metrics are called."""

from __future__ import annotations

import re

from pga.metrics.metric_registry import METRICS
from pga.params.feature_spaces import FEATURE_SPACES, TITLES

PROPER = {
    "lpga": "LPGA", "vpga": "VPGA", "lvpga": "LVPGA", "lpga_theta": "LPGA, latent losses over φ and θ", "vae": "VAE",
    "cvvae": "CV-VAE", "wae": "WAE", "rae": "RAE", "rae_l2": "RAE-L2", "rae_sn": "RAE-SN",
    "ghosh": "Ghosh et al.’s", "resnet": "ResNet", "no_bn": "without BN",
    "tf32": "TF32", "mnist": "MNIST", "mnist32": "MNIST 32×32", "cifar10": "CIFAR-10", "celeba": "CelebA", "celeba140": "CelebA 140×140",
    "celeba5k": "CelebA 5k", "alpha": "α", "beta": "β", "gamma": "γ", "eta": "η", "theta": "θ", "phi": "φ",
}  # fmt: skip
"""Part of a name in `params/` → what people write."""
PROPER_PART = re.compile(rf"(?<![a-z0-9])({'|'.join(sorted(PROPER, key=len, reverse=True))})(?![a-z0-9])")
SHORT = {
    "classifier_fd": "classifier FD", "inception_fd": "FD (not FID)", "inception_fd_pytorch_fid": "FD (not FID)",
    "fid_pytorch_fid": "FID (pytorch-fid)", "swd": "SWD × 10³",
}  # fmt: skip
"""Headline metrics whose title is too long for a panel of a figure."""
RECONSTRUCTION_HEADS = {"reconstruction_error": "Mean squared error", "reconstruction_error_255": "per pixel of 0…255"}


def in_words(name: str) -> str:
    """A name of `params/` that nobody gave a title: `rae_sn` → RAE-SN, `my_digits` → My digits."""
    text = PROPER_PART.sub(lambda found: PROPER[found[1]], name).replace("_", " ")
    return text[:1].upper() + text[1:] if text[:1].isascii() else text


def metric_title(metric: str) -> str:
    """A metric's name in results → what it is and in which features: `classifier_kid` → KID, classifier features."""
    if metric in TITLES:
        return TITLES[metric]
    if metric in RECONSTRUCTION_HEADS:
        return " ".join(dict.fromkeys((RECONSTRUCTION_HEADS["reconstruction_error"], RECONSTRUCTION_HEADS[metric])))
    of_pixels = {name: heading for row in METRICS.values() if row.of_pixels for name, heading in row.headings.items()}
    headings = {name: heading for row in METRICS.values() if not row.of_pixels for name, heading in row.headings.items()}
    if metric in of_pixels:
        return of_pixels[metric]
    for space in FEATURE_SPACES.values():
        for distance in filter(None, (space.distance, space.other)):
            if metric.startswith(distance.prefix) and (rest := metric.removeprefix(distance.prefix)) in headings:
                weights = " of other weights" if distance is space.other else ""
                return f"{headings[rest]}, {space.words.removeprefix('the small ')} features{weights}"
    return in_words(metric)


def short_metric_title(metric: str) -> str:
    """A headline metric for a panel of a figure."""
    return SHORT.get(metric) or metric_title(metric)
