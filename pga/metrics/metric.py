"""What a metric declares, what it is given and what it gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from pga.metrics.moments import Features, Statistics

Images = npt.NDArray[np.uint8]
"""(N, H, W, C), 0…255."""
Need = Literal["features", "real_features", "statistics", "images", "real_images"]


@dataclass(frozen=True)
class Given:
    """What metrics are computed from, in one feature space or on the images themselves; what no metric needs is None.

    Attributes:
        seed: of everything that is drawn.
        features: of the samples, (N, d).
        real_features: of real images, (M, d); a random subset where there are many.
        statistics: mean and covariance of all real images' features.
        images: the samples, (N, H, W, C) uint8.
        real_images: (M, H, W, C) uint8; a random subset where there are many.
    """

    seed: int
    features: Features | Any = None
    real_features: Features | Any = None
    statistics: Statistics | Any = None
    images: Images | Any = None
    real_images: Images | Any = None


class Value(NamedTuple):
    """A number and, where it has one, its standard error."""

    value: float
    standard_error: float | None = None


@dataclass(frozen=True)
class Metric:
    """A row of `pga.metrics.metric_registry.METRICS`.

    Attributes:
        function: gives a value for each of `headings`; raises ValueError, with the reason, where there is none.
        needs: the attributes of `Given` that it reads. What needs images is measured once, on the pixels; the rest in each feature space.
        headings: name of each value in results, after the feature space's → head of its column in tables.
        explained: what captions and `--help` say of it.
        fewest: the fewest samples that it takes, given the number of feature dimensions.
    """

    function: Callable[[Given], dict[str, Value]]
    needs: tuple[Need, ...]
    headings: dict[str, str]
    explained: str
    fewest: Callable[[int], int] = lambda dim: 2

    @property
    def of_pixels(self) -> bool:
        """Whether it is measured on the images themselves."""
        return "images" in self.needs

    @property
    def of_single_images(self) -> bool:
        """Whether it needs features of real images one by one, and not just their mean and covariance."""
        return "real_features" in self.needs
