"""Types of `params/claims.yaml`: every number that the paper claims."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from pga.params.base import Name, Positive, Strict
from pga.params.reading import read_typed


class Claim(Strict):
    """One number of the paper.

    `dataset` and `model` name the run that is compared with it.
    """

    artifact: str = Field(description="table or figure of the paper")
    dataset: Name = Field(description="the paper's column")
    model: Name
    value: Positive
    standard_error: Positive | None = None
    density: Literal["normal", "gaussian", "mixture"] = Field("normal", description="law of the codes")
    source: str = Field(description="who ran it")


class Claims(Strict):
    """The whole file."""

    metric: str = Field(description="what every number is")
    relative_tolerance: Positive = Field(description="see `verdict` in the file")
    standard_errors: Positive = Field(description="see `verdict` in the file")
    claims: tuple[Claim, ...]

    def find(self, dataset: str, model: str, density: str) -> Claim | None:
        """The claim about one model on one of the paper's data sets, if the paper makes one."""
        for claim in self.claims:
            if (claim.dataset, claim.model, claim.density) == (dataset, model, density):
                return claim
        return None


def load_claims(path: str | Path = "params/claims.yaml") -> Claims:
    """Read and check the claims; raises UserError with every mistake."""
    return read_typed(path, Claims)
