"""Tables of the page: cells with the values by which they sort."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from pga.artifacts.report.mathml import symbol
from pga.artifacts.tables.formats import Formula, Grid


@dataclass(frozen=True)
class Cell:
    """What a cell shows, the value by which its column sorts, and how it looks."""

    text: str | Markup
    key: str
    style: str = ""


@dataclass(frozen=True)
class Head:
    """A column: its title, and whether it holds numbers."""

    title: str
    numeric: bool


@dataclass(frozen=True)
class SortableTable:
    """A table of the page.

    Attributes:
        name: for links.
        title: for people; screen readers say it.
        heads: columns; readers can sort by them where one holds numbers.
        rows: cells.
        caption: what it shows, empty where that stands elsewhere.
        header: which column names its rows.
    """

    name: str
    title: str
    heads: tuple[Head, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    header: int = 0

    @property
    def sortable(self) -> bool:
        """Whether there is something to sort by."""
        return len(self.rows) > 1 and any(head.numeric for head in self.heads)


def text(value: object, numeric: bool) -> str:
    """A value as one reads it; what is absent stays empty."""
    if pd.isna(value):  # type: ignore[call-overload]
        return ""
    if not numeric:
        return str(value)
    number = float(str(value))
    return f"{number:,.0f}" if number.is_integer() else f"{number:,.4g}"


def of_frame(name: str, title: str, found: pd.DataFrame, titles: dict[str, str]) -> SortableTable:
    """The columns of a frame that have a title, in the order of the titles."""
    types = pd.api.types
    numeric = {column: types.is_numeric_dtype(found[column]) and not types.is_bool_dtype(found[column]) for column in titles}
    rows = tuple(
        tuple(Cell(text(row[column], numeric[column]), "" if pd.isna(row[column]) else str(row[column])) for column in titles)
        for row in found.to_dict("records")
    )
    return SortableTable(name, title, tuple(Head(title, numeric[column]) for column, title in titles.items()), rows)


def of_grid(name: str, title: str, grid: Grid) -> SortableTable:
    """A table as Markdown and LaTeX have it, without empty columns; a number sorts by its value, one with an error by what is before ±."""
    shown = [k for k in range(len(grid.head)) if any(row[k] not in ("", "–") for row in grid.rows)]
    heads = tuple(Head(grid.head[k], grid.align[k] == "r") for k in shown)
    rows = tuple(tuple(cell(row[k], grid.align[k] == "r") for k in shown) for row in grid.rows)
    return SortableTable(name, grid.title or title, heads, rows, grid.title, int(grid.head[0] in ("Data", "Symbol")))


def cell(text: str, numeric: bool) -> Cell:
    """A cell of a grid."""
    found = re.match(r"(?:± )?(-?[\d,]*\.?\d+)", text) if numeric else None
    key = found[1].replace(",", "") if found else "" if numeric else text
    return Cell(symbol(text[1:-1]) if isinstance(text, Formula) else text, key)
