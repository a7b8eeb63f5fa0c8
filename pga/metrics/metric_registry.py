"""The metrics that can be asked for beside the Fréchet distance. A new one is a module with a `METRIC`, and a line here."""

from __future__ import annotations

from pga.metrics import extrapolation, kid, manifold, nearest_neighbours, sharpness, sliced_wasserstein
from pga.metrics.metric import Metric

METRICS: dict[str, Metric] = {
    "kid": kid.METRIC,
    "manifold": manifold.METRIC,
    "infinity": extrapolation.METRIC,
    "neighbours": nearest_neighbours.METRIC,
    "swd": sliced_wasserstein.METRIC,
    "sharpness": sharpness.METRIC,
}
"""Name in `metrics:` of an experiment and `pga evaluate --metrics` → the metric."""
