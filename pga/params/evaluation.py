"""Types of a scale's `evaluation`: the feature space, and which metrics."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pga.params.base import Strict

Metric = Literal["kid", "manifold", "infinity", "neighbours"]
Label = Literal["classifier", "inception-tf1", "inception-pytorch_fid"]
FOREIGN = r"^[a-z][a-z0-9_]*/(classifier|inception-tf1|inception-pytorch_fid)-(train|test)$"
FOREIGN_SPLIT = "foreign"
"""What results say of their reference where it is another tool's."""
INCEPTION_DIM = 2048
"""Length of Inception's feature vectors: `infinity` needs four times as many samples."""


class Evaluation(Strict):
    """How samples are judged."""

    extractor: Literal["classifier", "inception"] = Field(
        description="inception: the network by which FID is defined; classifier: a small one trained here, whose distance is not FID"
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
    metrics: tuple[Metric, ...] = Field(
        (),
        description="beside the Fréchet distance, where a sampling does not say otherwise: KID; precision, recall, density, coverage; "
        "the distance at n → ∞; nearest real images",
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
        """Names of the feature spaces, the headline's first, of a data set with or without labels."""
        return [self.extractor_label] + [label for label in self.also if labelled or label != "classifier"]

    @property
    def extractor_label(self) -> str:
        """Name of the feature space in file names."""
        return self.extractor if self.extractor == "classifier" else f"inception-{self.resize}"

    @property
    def metric(self) -> str:
        """Name of the headline metric."""
        return metric_name(self.extractor_label, self.extractor == "inception" and self.weights == "official")


OFFICIAL = "6726825d"
"""First digits of the SHA-256 of the Inception weights of 2015-12-05, which are part of their file's name."""

METRIC_NAMES = {
    ("classifier", False): "classifier_fd",
    ("inception-tf1", True): "fid",
    ("inception-pytorch_fid", True): "fid_pytorch_fid",
    ("inception-tf1", False): "inception_fd",
    ("inception-pytorch_fid", False): "inception_fd_pytorch_fid",
}
"""Fréchet distance by feature space. Only Inception of 2015-12-05 behind TensorFlow 1's resize gives what the paper calls FID."""


def metric_name(extractor: str, official: bool) -> str:
    """Name of the Fréchet distance in a feature space; `official`: its weights are those by which FID is defined."""
    return METRIC_NAMES[extractor, official]


def prefix(extractor: str, official: bool) -> str:
    """What stands before the name of every other metric, so that the feature space is always said; nothing for the paper's own."""
    if extractor == "inception-tf1" and official:
        return ""
    return f"{extractor.replace('-', '_')}_" + ("" if official or extractor == "classifier" else "other_")
