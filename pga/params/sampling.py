"""Types of an experiment's `samplings` and `interpolation`: how images are drawn from a trained decoder."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pga.params.base import Count, Strict
from pga.params.evaluation import MetricName

RECONSTRUCTION = "reconstruction"
"""Folder of a run's reconstructed test images, which has a metrics.json as each sampling's folder has."""


class Sampling(Strict):
    """How images are drawn from a trained decoder."""

    density: Literal["normal", "gaussian", "mixture"] = Field(
        "normal", description="law of the codes: N(0, I); one Gaussian or a 10-component mixture fitted to the training codes"
    )
    reference: Literal["train", "test"] = Field("train", description="the real images that samples are compared with")
    n: Count = Field(5000, description="number of images")
    batch_size: Annotated[int, Field(ge=2)] = Field(1000, description="images per batch; matters where batch normalisation is on")
    batch_norm: Literal["batch", "standing"] = Field(
        "batch",
        description="statistics of the batch in hand, as in the paper, or standing ones, estimated from many batches of prior codes",
    )
    standing_batches: Count = Field(20, description="batches of `batch_size` from which standing statistics are estimated")
    metrics: tuple[MetricName, ...] | None = Field(None, description="as `evaluation.metrics`, for this row; [] for none")

    @model_validator(mode="after")
    def _consistent(self) -> Sampling:
        if self.batch_norm == "standing" and self.density != "normal":
            raise ValueError("batch_norm: standing statistics are of codes from N(0, I): they need density: normal")
        return self

    def flags(self) -> str:
        """As flags of `pga sample`."""
        standing = f" --batch-norm standing --standing-batches {self.standing_batches}" if self.batch_norm == "standing" else ""
        return f"{self.size_flags()} --density {self.density}{standing}"

    def size_flags(self) -> str:
        """Those of `pga curve`, which samples from the prior."""
        return f"--n {self.n} --batch-size {self.batch_size}"


class Interpolation(Strict):
    """How lines between the codes of two test images are drawn."""

    pairs: Annotated[Count, Field(description="lines that are kept; which test images they join is drawn from the run's seed")] = 6
    points: Annotated[int, Field(ge=2, description="points on a line, both codes included, as in the released code")] = 9
    batch_size: Annotated[
        int, Field(ge=2, description="lines that are decoded together, as in the released code; matters where batch normalisation is on")
    ] = 50

    @model_validator(mode="after")
    def _consistent(self) -> Interpolation:
        if self.pairs > self.batch_size:
            raise ValueError(f"pairs: {self.pairs} are more than batch_size {self.batch_size}")
        return self

    def flags(self) -> str:
        """As flags of `pga interpolate`."""
        return f"--pairs {self.pairs} --points {self.points} --batch-size {self.batch_size}"
