"""What all parameter types share: strictness, and the origin of every value."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from pga.runtime.errors import UserError

T = TypeVar("T")


class Strict(BaseModel):
    """A mapping in which an unknown key is an error, and which nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Origin(StrEnum):
    """Where a value comes from."""

    PAPER = "paper"  # the paper's text or tables
    CODE = "code"  # the authors' released code
    GHOSH = "ghosh"  # Ghosh et al. 2019, their released code
    INFERRED = "inferred"  # nobody says; chosen here, with the reason beside it
    OWN = "own"  # the experiment's author's choice, of which nothing more is said: what a value has that stands without an origin


Sourced = tuple[T, Origin]
"""A value and its origin, as composed; a file says `[0.06, code]`, or `0.06` and the origin once for the block (`pga.params.written`)."""

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


def check_seed(seed: int) -> None:
    """Refuse on the command line what a file of parameters may not hold; raises UserError for what is not among 0 … 2³¹ − 1."""
    if not 0 <= seed < 2**31:
        raise UserError(f"--seed {seed}: accepted are 0 to {2**31 - 1}")


NAME = r"^[a-z][a-z0-9_]*$"
Name = Annotated[str, Field(pattern=NAME, description="lower case letters, digits and _, for paths")]
