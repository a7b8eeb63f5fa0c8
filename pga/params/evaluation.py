"""Types of an experiment's `evaluation`: the feature space, and which metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from pga.metrics.metric_registry import METRICS
from pga.params.base import Strict
from pga.params.feature_spaces import FEATURE_SPACES, PIXEL_METRIC, PIXELS, distance_in
from pga.params.run_params import row_of

if TYPE_CHECKING:
    MetricName: TypeAlias = str
    Label: TypeAlias = str
    ExtractorName: TypeAlias = str
else:
    MetricName = row_of(METRICS)
    Label = row_of(FEATURE_SPACES)
    ExtractorName = row_of(["inception", *(label for label in FEATURE_SPACES if not label.startswith("inception")), PIXELS])
FOREIGN = rf"^[a-z][a-z0-9_]*/({'|'.join(FEATURE_SPACES)})-(train|test)$"
FOREIGN_SPLIT = "foreign"
"""What results say of their reference where it is another tool's."""


class Evaluation(Strict):
    """How samples are judged."""

    extractor: ExtractorName = Field(
        description="inception: the network by which FID is defined; classifier: a small one trained here, whose distance is not FID; "
        "pixels: none, the headline is the sliced Wasserstein distance, which needs neither labels nor weights"
    )
    resize: Literal["tf1", "pytorch_fid"] = Field(
        "tf1", description="resize to 299 before Inception: the released code's, or pytorch-fid's"
    )
    also: tuple[Label, ...] = Field(
        (), description="feature spaces measured beside `extractor`; the classifier only on data sets that have labels"
    )
    weights: Literal["official", "other"] = Field(
        "official", description="other: another Inception than FID's, pinned in sources.yaml (tests); its distance is not FID"
    )
    metrics: tuple[MetricName, ...] = Field(
        (),
        description="beside the headline, where a sampling does not say otherwise. " + " ".join(m.explained for m in METRICS.values()),
    )
    few_samples: bool = Field(
        False,
        description="accept no more samples, or real images, than feature dimensions: their covariance has no full rank, and most of the "
        "distance is bias",
    )
    foreign: dict[Annotated[str, Field(pattern=FOREIGN)], str] = Field(
        {}, description="statistics of another tool (.npz with mu, sigma) instead of ours: DATASET/FEATURE_SPACE-SPLIT → its file"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Evaluation:
        if self.extractor_label in self.also or len(set(self.also)) != len(self.also):
            raise ValueError(f"also: {list(self.also)} holds a feature space twice, or the headline's, {self.extractor_label}")
        return self

    def labels(self, labelled: bool) -> list[str]:
        """Names of the feature spaces, the headline's first, of a data set with or without labels; none where there are only pixels."""
        spaces = [self.extractor_label, *self.also]
        return [label for label in spaces if label != PIXELS and (labelled or label == self.extractor_label or needs_no_labels(label))]

    @property
    def extractor_label(self) -> str:
        """Name of the feature space in file names, or `pixels`."""
        return f"inception-{self.resize}" if self.extractor == "inception" else self.extractor

    @property
    def metric(self) -> str:
        """Name of the headline metric."""
        label = self.extractor_label
        return PIXEL_METRIC if label == PIXELS else distance_in(label, self.weights == "official").metric


def needs_no_labels(label: str) -> bool:
    """Whether the weights of a feature space are fetched, and not trained from labels."""
    return FEATURE_SPACES[label].source is not None
