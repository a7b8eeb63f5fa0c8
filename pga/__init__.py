"""Perceptual Generative Autoencoders (Zhang et al., ICML 2020): the method as a library, the paper as a pipeline."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pga.evaluation.of_arrays import frechet_distance as frechet_distance
    from pga.evaluation.of_arrays import kid as kid
    from pga.evaluation.of_arrays import precision_recall as precision_recall
    from pga.method.pga import PGA as PGA
    from pga.method.pga import Diverged as Diverged
    from pga.method.terms import Term as Term
    from pga.metrics.sharpness import sharpness as sharpness
    from pga.metrics.sliced_wasserstein import sliced_wasserstein_distance as sliced_wasserstein_distance
    from pga.sampling.model import TrainedModel as TrainedModel
    from pga.sampling.model import fit as fit
    from pga.sampling.model import load as load

__version__ = "0.1.0"

_HOMES = {
    "PGA": "pga.method.pga",
    "Diverged": "pga.method.pga",
    "Term": "pga.method.terms",
    "TrainedModel": "pga.sampling.model",
    "fit": "pga.sampling.model",
    "frechet_distance": "pga.evaluation.of_arrays",
    "kid": "pga.evaluation.of_arrays",
    "load": "pga.sampling.model",
    "precision_recall": "pga.evaluation.of_arrays",
    "sharpness": "pga.metrics.sharpness",
    "sliced_wasserstein_distance": "pga.metrics.sliced_wasserstein",
}
"""The module of each public name, imported when it is first used, so that `import pga` takes no time and no torch."""

__all__ = [
    "PGA",
    "Diverged",
    "Term",
    "TrainedModel",
    "fit",
    "frechet_distance",
    "kid",
    "load",
    "precision_recall",
    "sharpness",
    "sliced_wasserstein_distance",
]


def __getattr__(name: str) -> Any:
    """A public name, from the module where it lives."""
    if name not in _HOMES:
        raise AttributeError(f"module 'pga' has no attribute {name!r}")
    globals()[name] = value = getattr(importlib.import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
