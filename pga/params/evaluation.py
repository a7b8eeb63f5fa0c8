"""Types of a scale's `evaluation`: the feature space, and which metrics."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pga.params.base import Strict


class Evaluation(Strict):
    """How samples are judged."""

    extractor: Literal["classifier", "inception"] = Field(
        description="inception: the network by which FID is defined; classifier: a small one trained here, whose distance is not FID"
    )
    resize: Literal["tf1", "pytorch_fid"] = Field(
        "tf1", description="resize to 299 before Inception: the released code's, or pytorch-fid's"
    )

    @property
    def extractor_label(self) -> str:
        """Name of the feature space in file names."""
        return self.extractor if self.extractor == "classifier" else f"inception-{self.resize}"

    @property
    def metric(self) -> str:
        """Name of the headline metric."""
        return METRIC_NAMES[self.extractor_label]


METRIC_NAMES = {"classifier": "classifier_fd", "inception-tf1": "fid", "inception-pytorch_fid": "fid_pytorch_fid"}
"""Fréchet distance by feature space. Only Inception of 2015-12-05 behind TensorFlow 1's resize gives what the paper calls FID."""
