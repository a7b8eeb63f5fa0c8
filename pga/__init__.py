"""Perceptual Generative Autoencoders (Zhang et al., ICML 2020): the method as a library, the paper as a pipeline."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pga.method.pga import PGA as PGA
    from pga.method.pga import Diverged as Diverged
    from pga.method.terms import Term as Term
    from pga.metrics.frechet import frechet_distance_of_features as frechet_distance
    from pga.metrics.kid import kernel_distance as kid
    from pga.metrics.manifold import manifold_metrics as precision_recall
    from pga.metrics.sharpness import sharpness as sharpness
    from pga.metrics.sliced_wasserstein import sliced_wasserstein_distance as sliced_wasserstein_distance
    from pga.sampling.model import TrainedModel as TrainedModel
    from pga.sampling.model import fit as fit
    from pga.sampling.model import load as load

__version__ = "0.1.0"

_HOMES = {
    "PGA": "pga.method.pga.PGA",
    "Diverged": "pga.method.pga.Diverged",
    "Term": "pga.method.terms.Term",
    "TrainedModel": "pga.sampling.model.TrainedModel",
    "fit": "pga.sampling.model.fit",
    "frechet_distance": "pga.metrics.frechet.frechet_distance_of_features",
    "kid": "pga.metrics.kid.kernel_distance",
    "load": "pga.sampling.model.load",
    "precision_recall": "pga.metrics.manifold.manifold_metrics",
    "sharpness": "pga.metrics.sharpness.sharpness",
    "sliced_wasserstein_distance": "pga.metrics.sliced_wasserstein.sliced_wasserstein_distance",
}
"""Where each public name lives; imported when it is first used, so that `import pga` takes no time and no torch."""

__all__ = [
    "PGA", "Diverged", "Term", "TrainedModel", "fit", "frechet_distance", "kid", "load", "precision_recall", "sharpness",
    "sliced_wasserstein_distance",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """A public name, from the module where it lives."""
    if name not in _HOMES:
        raise AttributeError(f"module 'pga' has no attribute {name!r}")
    module, _, found = _HOMES[name].rpartition(".")
    globals()[name] = value = getattr(importlib.import_module(module), found)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
