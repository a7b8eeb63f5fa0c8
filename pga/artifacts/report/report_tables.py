"""Tables of the page: texts with the values by which they sort."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Cell:
    """A text, the value by which its column sorts, and how it looks."""

    text: str
    key: str
    style: str = ""


@dataclass(frozen=True)
class Head:
    """A column: its title, and whether it holds numbers."""

    title: str
    numeric: bool


@dataclass(frozen=True)
class Table:
    """A table that a reader can sort.

    Attributes:
        name: for links.
        caption: what it shows.
        heads: columns.
        rows: cells.
        files: (label, path beside the page) to download.
    """

    name: str
    caption: str
    heads: tuple[Head, ...]
    rows: tuple[tuple[Cell, ...], ...]
    files: tuple[tuple[str, str], ...] = ()


def text(value: object, numeric: bool) -> str:
    """A value as one reads it; what is absent stays empty."""
    if pd.isna(value):  # type: ignore[call-overload]
        return ""
    if not numeric:
        return str(value)
    number = float(str(value))
    return f"{number:,.0f}" if number.is_integer() else f"{number:,.4g}"


def of_frame(name: str, caption: str, found: pd.DataFrame, titles: dict[str, str], files: Iterable[tuple[str, str]] = ()) -> Table:
    """The columns of a frame that have a title, in the order of the titles."""
    numeric = {column: pd.api.types.is_numeric_dtype(found[column]) for column in titles}
    rows = tuple(
        tuple(Cell(text(row[column], numeric[column]), "" if pd.isna(row[column]) else str(row[column])) for column in titles)
        for row in found.to_dict("records")
    )
    return Table(name, caption, tuple(Head(title, numeric[column]) for column, title in titles.items()), rows, tuple(files))
