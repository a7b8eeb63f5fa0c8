"""Types of `params/claims.yaml`: every number and every statement of the paper, and the rules by which they are judged."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from pga.params.base import Count, Name, Positive, Strict
from pga.params.experiment import Experiment
from pga.params.reading import read_typed

Rule = Literal["better", "sooner", "steadier", "falls", "rises_late", "loss_is_flat"]
WITHIN_A_RUN = ("falls", "rises_late", "loss_is_flat")
"""Rules that compare a run with itself, at another time."""
CURVES = ("sooner", "steadier", "falls", "rises_late")
"""Rules that read the metric over training."""
FIFTHS = 5
"""Parts of a training that these rules compare; the curve needs a snapshot in each."""
Where = tuple[str, str, str]
"""(data set, model, sampling) of an experiment."""
RunName = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9_]*(/[a-z][a-z0-9_]*)?$", description="MODEL, or MODEL/SAMPLING where that is not `prior`")
]


class Protocol(Strict):
    """What a source's numbers are of."""

    n: Count = Field(description="samples")
    reference: Literal["train", "test"] = Field(description="real images")


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
    note: str = Field("", description="what makes the comparison less than equal")


class Statement(Strict):
    """One statement of the paper about order: that each of `runs` is lower than each of `than`, by the margin and in the metric."""

    name: Name
    says: str
    source: str = Field(description="where the paper says it")
    rule: Rule = Field(description="what is compared; params/claims.yaml explains each")
    datasets: tuple[Name, ...] = Field(description="the paper's columns", min_length=1)
    runs: tuple[RunName, ...] = Field(min_length=1)
    than: tuple[RunName, ...] = Field((), description="none where a run is compared with itself")
    margin: Annotated[float, Field(gt=-1, lt=1)] = Field(description="share of the other side; below 0: no more than that share above it")
    metric: Name | None = Field(None, description="by default the experiment's headline; otherwise without its feature space's prefix")
    higher: bool = Field(False, description="`runs` are said to be higher instead")
    note: str = Field("", description="what a reader of the verdict must know")

    @model_validator(mode="after")
    def _consistent(self) -> Statement:
        if (self.rule in WITHIN_A_RUN) == bool(self.than):
            raise ValueError(f"{self.name}: the rule {self.rule} {'takes no' if self.than else 'needs'} `than`")
        return self

    def comparisons(self) -> list[tuple[str, str]]:
        """(run, other) of every comparison that it makes; the run itself where it is compared with itself."""
        return [(run, other) for run in self.runs for other in self.than or (run,)]


class Claims(Strict):
    """The whole file."""

    metric: str = Field(description="what every number is")
    least_seeds: Annotated[int, Field(ge=2)] = Field(description="fewer decide nothing")
    level: Annotated[float, Field(gt=0, lt=0.5)] = Field(description="of each one-sided test")
    margin: Annotated[float, Field(gt=0, lt=1)] = Field(description="share of a number within which ours counts as reproduced")
    protocols: dict[str, Protocol] = Field(description="source of numbers → what they are of")
    claims: tuple[Claim, ...]
    statements: tuple[Statement, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Claims:
        names = [statement.name for statement in self.statements]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"statements: {twice} stand twice")
        if unknown := sorted({claim.source for claim in self.claims} - set(self.protocols)):
            raise ValueError(f"protocols: {unknown} are missing, the source of numbers in `claims`")
        return self

    def find(self, dataset: str, model: str, density: str) -> Claim | None:
        """The claim about one model on one of the paper's data sets, if the paper makes one."""
        for claim in self.claims:
            if (claim.dataset, claim.model, claim.density) == (dataset, model, density):
                return claim
        return None


def place_of(experiment: Experiment, dataset: str, run: str) -> Where | None:
    """The run of an experiment that a statement names on one of the paper's data sets, or on the one that stands in for it."""
    stand_ins = [column.dataset for column in experiment.table1.columns if (column.paper or column.dataset) == dataset]
    model, _, sampling = run.partition("/")
    for found in [*stand_ins, dataset]:
        block = experiment.datasets.get(found)
        if block and model in block.runs and (sampling or "prior") in block.runs[model].samplings:
            return found, model, sampling or "prior"
    return None


def curves_read(experiment: Experiment, claims: Claims) -> list[str]:
    """curve.csv, under the experiment's results, of every run whose curve a statement needs and which keeps enough snapshots."""
    places = [
        place
        for statement in claims.statements
        if statement.rule in CURVES
        for dataset in statement.datasets
        for run in (*statement.runs, *statement.than)
        if (place := place_of(experiment, dataset, run)) is not None and experiment.params(*place[:2]).snapshots >= FIFTHS
    ]
    files = [f"{dataset}/{model}/seed{seed}/curve.csv" for dataset, model, _ in places for seed in experiment.seeds_of(dataset, model)]
    return list(dict.fromkeys(files))


def load_claims(path: str | Path = "params/claims.yaml") -> Claims:
    """Read and check the claims; raises UserError with every mistake."""
    return read_typed(path, Claims)
