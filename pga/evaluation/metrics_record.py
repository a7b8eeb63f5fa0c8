"""metrics.json, curve.json and classifier.json: what was measured, on what, and in which features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pga.evaluation.features.extractor import Extractor
from pga.params.feature_spaces import PIXELS
from pga.runtime.sidecar import Sidecar
from pga.sampling.generated import OfRun
from pga.training.run_record import StepRecord


@dataclass(frozen=True)
class Measurement:
    """One number of a metrics.json.

    Attributes:
        metric: its name, the feature space in front.
        value: None where it could not be measured.
        standard_error: of this one number, for metrics that have one.
        n: number of images that were measured.
        reference: the real images: "train", "test", "foreign"; None where it needs none or nobody says.
        reference_n: their number, where it is known.
        extractor: the feature space, or "pixels".
        absent: why there is no value.
    """

    metric: str
    value: float | None
    standard_error: float | None
    n: int
    reference: str | None
    reference_n: int | None
    extractor: str
    absent: str | None = None


@dataclass(frozen=True)
class SpaceId:
    """What identifies a feature space: its name, the digest of its weights, a classifier's test accuracy; or the pixels in its place."""

    name: str
    digest: str | None
    accuracy: float | None

    @classmethod
    def of(cls, extractor: Extractor) -> SpaceId:
        """That of an extractor."""
        return cls(extractor.label, extractor.digest, extractor.accuracy)


class ClassifierRecord(StepRecord, Sidecar):
    """Beside the weights of a classifier, in whose header stands how well it names test images; `data_sha256`: of what it learnt."""

    kind: Literal["classifier"] = "classifier"
    data_sha256: str


PIXEL_SPACE = SpaceId(PIXELS, None, None)


class MetricsRecord(StepRecord):
    """metrics.json: the numbers of one run and way of sampling.

    Attributes:
        dataset, model, seed, sampling: of what was measured.
        n: images that were measured.
        inputs: what was read → SHA-256 of its file: "samples", "reference SPACE" ("foreign SPACE" of another tool), "real images".
        extractors: the feature spaces.
        metrics: the numbers.
    """

    kind: Literal["metrics"] = "metrics"
    dataset: str
    model: str
    seed: int
    sampling: str
    n: int
    inputs: dict[str, str]
    extractors: list[SpaceId]
    metrics: list[Measurement]


class CurveRecord(OfRun):
    """Beside curve.csv: of which run it is, and what was read; attributes as of `MetricsRecord`."""

    kind: Literal["curve"] = "curve"
    inputs: dict[str, str]
    extractors: list[SpaceId]
