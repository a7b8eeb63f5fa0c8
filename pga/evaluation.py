"""The protocol: samples and reference statistics → metrics, with everything that identifies them."""

from __future__ import annotations

from typing import Any

from pga.dataset import Images
from pga.errors import UserError
from pga.features.extractor import Extractor, stream
from pga.metrics.frechet import frechet_distance
from pga.params.evaluation import OFFICIAL, metric_name
from pga.reference import Statistics, identity, statistics


def evaluate(samples: Images, extractor: Extractor, reference: Statistics) -> dict[str, Any]:
    """The Fréchet distance of samples to a reference, as the content of metrics.json.

    Raises:
        UserError: fewer samples than feature dimensions, so that their covariance has no full rank.
    """
    if len(samples) <= extractor.dim:
        raise UserError(f"{len(samples)} samples are too few for {extractor.dim} feature dimensions; more than {extractor.dim} are needed")
    found = statistics(stream(extractor, samples))
    return {
        "n": len(samples),
        "extractor": identity(extractor),
        "metrics": [
            {
                "metric": metric_name(extractor.label, extractor.digest.startswith(OFFICIAL)),
                "value": frechet_distance(found.mu, found.sigma, reference.mu, reference.sigma),
                "standard_error": None,
                "n": len(samples),
                "reference": reference.about.get("split"),
            }
        ],
    }
