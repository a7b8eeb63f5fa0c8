"""Types of what a scale's tables and figures show."""

from __future__ import annotations

from pydantic import Field

from pga.params.base import Name, Strict


class Column(Strict):
    """One data set of a table or figure."""

    dataset: Name
    title: str
    paper: str | None = Field(None, description="the paper's data set whose numbers stand beside, if it is another one")


class Row(Strict):
    """One model of a table or figure."""

    title: str
    model: Name = Field(description="row name in `runs`")
    sampling: Name = "prior"
    block: str = Field("paper", description="rows of one block stand together")
    datasets: dict[Name, Name] = Field({}, description="another data set for a column, e.g. {mnist: mnist32}")

    def on(self, column: Column) -> str:
        """The data set of this row in a column."""
        return self.datasets.get(column.dataset, column.dataset)


class Table1(Strict):
    """What Table 1 shows."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


class Panels(Strict):
    """A grid of sample panels: data sets down, models across."""

    datasets: tuple[Name, ...]
    models: tuple[Name, ...]
    sampling: Name = "prior"
