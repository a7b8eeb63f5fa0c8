"""Types of an experiment's file as it is written: blocks of values, presets, and what derives runs from runs."""

from __future__ import annotations

from types import NoneType
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, create_model

from pga.params.artifacts import Column, Row
from pga.params.base import Name, Origin, Positive, Strict
from pga.params.reading import VALUE, WITH_ORIGIN
from pga.params.run_params import RunParams
from pga.params.text import Text

Preset = Annotated[str, Field(pattern=r"^([a-z][a-z0-9_]*/)?[a-z][a-z0-9_]*$")]


def sourced(annotation: Any) -> Any | None:
    """The type of a value that carries an origin; None of one that does not (or not itself, as `coefficients`)."""
    parts = get_args(annotation)
    if Origin in parts:
        return parts[0]
    return next(filter(None, map(sourced, parts)), None) if NoneType in parts else None


SOURCED = {name for name, field in RunParams.model_fields.items() if sourced(field.annotation)}
"""The keys of a run whose values carry an origin, besides the coefficients."""


def with_or_without_origin(value: Any) -> Any:
    """The type of a value, or of [value, origin]; `null` is the default."""
    pair: Any = Annotated[tuple[value, Origin], Tag(WITH_ORIGIN)]
    return Annotated[
        Annotated[value | None, Tag(VALUE)] | pair, Discriminator(lambda found: WITH_ORIGIN if isinstance(found, list) else VALUE)
    ]


def block() -> type[BaseModel]:
    """The type of a block: any of a run's values, by themselves or as [value, origin]."""
    fields: dict[str, Any] = {
        "preset": (Preset | None, Field(None, description="a preset under this block: of this file, or FILE/NAME of params/FILE.yaml")),
        "origin": (Origin | None, Field(None, description="of every value of this block that stands without one (default: own)")),
        "inherits": (Origin | None, Field(None, description="for what this block builds on: the origin of its values of the origin code")),
    }
    for name, field in RunParams.model_fields.items():
        if name == "coefficients":
            [_, number] = get_args(field.annotation)
            written: Any = with_or_without_origin(sourced(number))
            annotation: Any = dict[Name, written] | None
        else:
            value = sourced(field.annotation)
            annotation = with_or_without_origin(value) if value else Annotated[field.annotation, *field.metadata, Field()] | None
        fields[name] = (annotation, Field(None, description=field.description))
    return create_model("Block", __base__=Strict, __doc__="Values of runs.", **fields)


Block: Any = block()


class Sweep(Strict):
    """A coefficient of one run over a grid of multiples of its value."""

    run: Name
    coefficient: Name
    factors: tuple[Positive, ...]


class Variant(Strict):
    """One row of a grid of variants."""

    title: Text
    zero: tuple[Name, ...] = ()


class Variants(Strict):
    """A run with some of its coefficients set to zero, row by row, as another model whose coefficients are more in number."""

    run: Name
    model: Name
    coefficients: dict[Name, Name]
    rows: dict[Name, Variant]


class WrittenEquivalence(BaseModel):
    """The changes of `equivalence`; the rest of it is `Equivalence`."""

    model_config = ConfigDict(extra="allow")

    changes: dict[Name, Block]


class RowsOfBlock(Strict):
    """Rows of Table 1 that share a block and what else stands beside it."""

    block: Text
    sampling: Name | None = None
    datasets: dict[Name, Name] = Field(default={})
    rows: tuple[Row, ...]


class WrittenTable1(Strict):
    """What Table 1 shows; by default every data set and every run that is on all of them."""

    columns: tuple[Column, ...] | None = None
    blocks: tuple[RowsOfBlock, ...] = Field((), description="rows that share a block; before `rows`")
    rows: tuple[Row, ...] | None = None


class WrittenFigure(BaseModel):
    """What `substitute` reads of a figure; the rest of it is `Figure`."""

    model_config = ConfigDict(extra="allow")

    datasets: tuple[Name, ...] = ()
    titles: dict[Name, Text] = Field(default={})


class WrittenRuns(Strict):
    """The runs on one data set."""

    common: Block | None = Field(None, description="values of every run on this data set")
    measured: bool = Field(True, description="false: trained and sampled only, where no feature space serves the data set")
    runs: dict[Name, Block | None] = Field({}, description="name in paths → what differs from `common`")
    note: Text = Field("", description="what captions must say of results on it, e.g. that its test images were trained on")


class Written(Strict):
    """An experiment's file. What stands here without a type is checked as part of `Experiment`."""

    description: Any = None
    device: Any = None
    results: Any = None
    seeds: Any = None
    evaluation: Any = None
    samplings: Any = None
    interpolation: Any = None
    extends: Name | None = Field(None, description="another experiment, whose runs, tables and figures this one starts from")
    presets: dict[Name, Block] = Field({}, description="blocks of values that others build on by `preset: NAME`")
    common: Block | None = Field(None, description="values of every run")
    datasets: dict[Name, WrittenRuns] = Field(default={})
    table1: WrittenTable1 | None = None
    figures: dict[Name, WrittenFigure | None] = Field(default={}, description="with `extends`: null for none of that name")
    override: Block | None = Field(None, description="with `extends`: values that replace those of every run")
    substitute: dict[Name, Name] = Field({}, description="with `extends`: data set → the one that stands in for it")
    sweeps: tuple[Sweep, ...] = Field((), description="with `extends`: nothing but grids over coefficients of runs")
    variants: Variants | None = Field(None, description="with `extends`: nothing but variants of one run")
    equivalence: WrittenEquivalence | None = None
