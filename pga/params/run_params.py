"""Types of the rows of `params/`: one run of one model on one data set, every value with its origin."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from pga.method.terms import MODELS, TERMS, coefficients, reads_sigma
from pga.networks.architectures import NETWORKS
from pga.params.base import Count, Name, NonNegative, Origin, Positive, Seed, Sourced, Strict
from pga.params.run import Run

Momentum = Annotated[float, Field(ge=0, lt=1)]


def row_of(table: Iterable[str]) -> Any:
    """A name that must be a row of `table`, in the schema too."""
    names = list(table)

    def check(value: str) -> str:
        if value not in names:
            raise ValueError(f"accepted: {', '.join(names)}")
        return value

    return Annotated[str, AfterValidator(check), WithJsonSchema({"enum": names})]


if TYPE_CHECKING:
    NetworkName: TypeAlias = str
    ModelName: TypeAlias = str
else:
    NetworkName = row_of(NETWORKS)
    ModelName = row_of(MODELS)


class RunParams(Strict):
    """A run, complete: what `common` blocks gave merged with the row itself."""

    model: ModelName = Field(description="key of the table of models, by default the row's name")
    network: Sourced[NetworkName] = Field(description="row of the table of networks")
    width: Sourced[Count] = Field(description="channels of the first convolution (the paper's DCGAN has 128, halved to 64)")
    latent_dim: Sourced[Count] = Field(description="H")
    batch_norm: Sourced[bool] = Field(description="batch normalisation, by the statistics of the batch in hand")
    batch_size: Sourced[Count]
    learning_rate: Sourced[Positive]
    momentum: Sourced[Momentum]
    epochs: Sourced[Count] | None = Field(None, description="length in passes over the data; give this or `steps`")
    steps: Sourced[Count] | None = Field(None, description="length in steps; give this or `epochs`")
    warmup_steps: Sourced[Annotated[int, Field(ge=0)]] = Field(description="plain autoencoder for so many steps")
    coefficients: dict[Name, Sourced[NonNegative]] = Field(description="weights of the terms, by the paper's symbols")
    delta: Sourced[Literal["sphere", "normal"]] = Field(description="law of δ in Eq. 7")
    epsilon: Sourced[Positive] = Field(description="size of δ per latent dimension")
    optimiser: Sourced[Literal["sgd", "adam"]] = Field(("sgd", Origin.PAPER), description="sgd with `momentum`, or adam")
    spectral_norm: Sourced[bool] = Field((False, Origin.INFERRED), description="of every kernel (RAE-SN)")
    constant_sigma: Sourced[Positive] | None = Field(
        None, description="standard deviation of the posterior where it is not learned (CV-VAE)"
    )
    input_noise: Sourced[NonNegative] = Field(
        (0.0, Origin.INFERRED), description="standard deviation of noise on the encoder's input, clipped at one of it"
    )
    train_images: Sourced[Count] | None = Field(None, description="train on the first so many images only")
    validation_images: Sourced[Annotated[int, Field(ge=0)]] = Field((0, Origin.INFERRED), description="hold out the next so many images")
    lr_patience: Sourced[Count] | None = Field(
        None, description="halve the learning rate after so many epochs without a better validation loss"
    )
    lr_min_delta: Sourced[NonNegative] = Field((0.0, Origin.INFERRED), description="a smaller improvement counts as none for `lr_patience`")
    selection: Sourced[Literal["last", "best_validation"]] = Field(("last", Origin.INFERRED), description="which weights are the result")
    snapshots: Annotated[int, Field(ge=0)] = Field(0, description="decoders kept during training, for FID over training")
    precision: Literal["float32", "float64", "bfloat16", "tf32"] = Field(
        "float32",
        description="arithmetic of the networks' products; bfloat16 and tf32 (of a GPU): for those terms that bear it, float32 where two "
        "values of h are subtracted",
    )
    threads: Count = Field(1, description="CPU threads of a step; part of the run, because sums depend on it")
    graph: Literal["auto", "never"] = Field("auto", description="on a GPU, record the step as a CUDA graph, or run it eagerly")
    samplings: tuple[Name, ...] = Field(("prior",), description="rows of `samplings` by which this run is evaluated")
    seeds: tuple[Seed, ...] | None = Field(None, description="seeds of this run where they are not the experiment's", min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> RunParams:
        needed, given = coefficients(self.model), list(self.coefficients)
        if sorted(needed) != sorted(given):
            raise ValueError(f"coefficients of {self.model} are {', '.join(needed)}; found {', '.join(given) or 'none'}")
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("give one of `epochs` and `steps`")
        if self.steps and self.run("", "", 0).only_warms_up(0):
            raise ValueError(
                f"warmup_steps: found {self.warmup_steps[0]}, but the run has {self.steps[0]} steps: nothing but the reconstruction would "
                "be trained"
            )
        if self.steps and self.snapshots > self.steps[0]:
            raise ValueError(f"snapshots: found {self.snapshots}, but the run has {self.steps[0]} steps: no more than one a step is taken")
        constant = any(expression in ("g(z')", "log σ²") for term in MODELS[self.model] for expression in TERMS[term].reads)
        if (constant and not reads_sigma(self.model)) != (self.constant_sigma is not None):
            raise ValueError(f"constant_sigma is for models with a constant σ; {self.model} {'needs it' if constant else 'takes none'}")
        if not self.validation_images[0] and (self.lr_patience or self.selection[0] == "best_validation"):
            raise ValueError("lr_patience and selection: best_validation need validation_images")
        return self

    def listed(self) -> list[tuple[str, object, str]]:
        """(key, value, origin) of everything that is set; the origin is empty where a value has none, being the experiment's own choice."""
        found: list[tuple[str, object, str]] = []
        for key, value in self:
            if key == "coefficients":
                found += [(name, number, origin.value) for name, (number, origin) in self.coefficients.items()]
            elif isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], Origin):
                found.append((key, value[0], value[1].value))
            elif value is not None:
                found.append((key, " ".join(map(str, value)) if isinstance(value, tuple) else value, ""))
        return found

    def run(self, dataset: str, name: str, seed: int) -> Run:
        """The plain values that training reads, for one seed."""
        values: dict[str, Any] = {
            key: value[0] if isinstance(value, tuple) else value
            for key, value in self
            if key not in ("coefficients", "samplings", "seeds")
        }  # fmt: skip
        plain = {key: value[0] for key, value in self.coefficients.items()}
        return Run(dataset=dataset, name=name, seed=seed, coefficients=plain, **values)
