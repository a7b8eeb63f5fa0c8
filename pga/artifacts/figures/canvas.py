"""Figures as files: one style, the size that they have on paper, fixed metadata; and the parts that figures share.

A figure is as wide as a column or the text of a paper, holds no caption, and its text has at least 7 points there: LaTeX
needs not scale it. Its caption stands in `<name>.tex` beside it. Images are enlarged by whole numbers, so that every pixel is a square of
equal size, and stand apart by the same distance whatever their size.
"""

from __future__ import annotations

import io
import logging
import math
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from pga.artifacts.figures.sheet import tile
from pga.artifacts.tables.formats import latex
from pga.data.prepared import Images
from pga.params.artifacts import figure_title
from pga.provenance.metadata import ArtifactRecord
from pga.runtime.files import atomic

DPI = 300.0

STYLE: dict[str, Any] = {
    "font.size": 8.0,
    "axes.titlesize": 8.0,
    "axes.labelsize": 8.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "legend.fontsize": 7.0,
    "lines.linewidth": 1.2,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.dpi": DPI,
    "pdf.fonttype": 42,  # text stays text
    "svg.hashsalt": "pga",
}
FONTS: dict[str, dict[str, Any]] = {
    "sans": {"font.family": ["DejaVu Sans"], "mathtext.fontset": "dejavusans"},
    "times": {"font.family": ["STIXGeneral", "DejaVu Sans"], "mathtext.fontset": "stix"},
}
"""All come with matplotlib; the second of a list has the letters that the first lacks."""
GAP = 0.02
"""Between images of a sheet, in inches."""
TALLEST = 8.5
"""What a page has room for beside a caption, in inches."""
FILLED, MOST_DOTS = 0.88, 4
"""The resolution is raised, at most so many times, until images enlarged by whole numbers fill this part of their room."""


class Line(NamedTuple):
    """How one of several lines is drawn: no two share a colour, a dash or a marker."""

    colour: str
    dash: Any
    marker: str


LINES = (
    Line("#110cc7", "solid", "o"),
    Line("#c74c0d", (0, (4, 1.5)), "s"),
    Line("#519d6f", (0, (6, 1.2, 1.2, 1.2, 1.2, 1.2)), "^"),
    Line("#a50299", (0, (5, 1.5, 1.2, 1.5)), "D"),
    Line("#3f1907", (0, (8, 2)), "v"),
)
"""In this order; contrast to white is at least 3, and lightness differs, so that they stay apart in grey and for colour-blind readers."""


class DrawnFigure(NamedTuple):
    """A figure and its caption."""

    figure: Figure
    caption: str


def style(font: str = "sans") -> None:
    """Set the one style; the Agg backend needs no screen."""
    mpl.use("Agg")
    logging.getLogger("fontTools").setLevel(logging.ERROR)  # it warns of the dates in STIX
    mpl.rcdefaults()  # a user's matplotlibrc changes nothing
    mpl.rcParams.update(STYLE | FONTS[font])  # type: ignore[arg-type]


class Sheet(NamedTuple):
    """Images (rows, columns, H, W, C) that fill an axes, with a wider gap after some columns."""

    axes: Axes
    images: Images
    divided_after: Collection[int]


class Page(Figure):
    """A figure and the sheets of images on it, which get their size when all else has its place."""

    sheets: list[Sheet]


def page(size: tuple[float, float], rows: int, columns: int, font: str = "sans", apart: float = 0.02) -> tuple[Page, list[list[Axes]]]:
    """A figure of width × height inches and its rows × columns axes, laid out so that no text overlaps or is cut.

    `apart` is the least room between columns, as a part of an axes' width.
    """
    style(font)
    width, height = size
    height = math.ceil(height * DPI) / DPI  # whole dots, or images would not lie on them
    figure = Page(figsize=(width, height), layout=ConstrainedLayoutEngine(wspace=apart))
    figure.sheets = []
    return figure, figure.subplots(rows, columns, squeeze=False).tolist()


def letter(number: int) -> str:
    """The letter of the k-th panel, k from 0: (a), (b) and so on."""
    return f"({'' if number < 26 else chr(96 + number // 26)}{chr(97 + number % 26)})"


def show(axes: Axes, images: Images, divided_after: Collection[int] = ()) -> None:
    """Fill an axes with images (rows, columns, H, W, C) uint8, every pixel a square; one channel is grey."""
    rows, columns, height, width, _ = images.shape
    axes.set_box_aspect(rows * height / (columns * width))
    axes.set(xticks=[], yticks=[], xlim=(0, 1), ylim=(0, 1))
    axes.spines[:].set_visible(False)
    assert isinstance(axes.figure, Page)
    axes.figure.sheets.append(Sheet(axes, images, divided_after))


def empty(axes: Axes, missing: Sequence[str]) -> None:
    """Mark a panel whose runs are not there, so that nobody takes it for a result."""
    axes.clear()
    axes.set(xticks=[], yticks=[], facecolor="#e4e4e4")
    axes.spines[:].set_visible(False)
    text = "\n".join(["missing:", *missing])
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes, fontsize=7)


def enlargement(sheet: Sheet, gap: int) -> tuple[int, float]:
    """The largest whole number by which the images fit into their axes, and which part of the room they then fill."""
    rows, columns, height, width, _ = sheet.images.shape
    extent = sheet.axes.get_window_extent()
    across, down = tile(sheet.images[:1, :, :0, :0], gap, sheet.divided_after).shape[1], gap * (rows - 1)
    room = min((extent.width - across) / (columns * width), (extent.height - down) / (rows * height)) + 1e-6
    return math.floor(room), math.floor(room) / room


def finish(figure: Figure) -> None:
    """Give everything its place, then every image its size, at a resolution at which enlarging by whole numbers wastes little room."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    sheets, dots = (figure.sheets if isinstance(figure, Page) else []), figure.dpi
    while figure.dpi < MOST_DOTS * dots and min((enlargement(sheet, round(GAP * figure.dpi))[1] for sheet in sheets), default=1) < FILLED:
        figure.set_dpi(figure.dpi + dots)
    gap, (width, height) = round(GAP * figure.dpi), figure.bbox.size
    for sheet in sheets:
        times = max(1, enlargement(sheet, gap)[0])
        image = tile(sheet.images.repeat(times, axis=2).repeat(times, axis=3), gap, sheet.divided_after)
        extent, (tall, wide) = sheet.axes.get_window_extent(), image.shape[:2]
        left, bottom = round(extent.x0 + (extent.width - wide) / 2), round(extent.y0 + (extent.height - tall) / 2)
        sheet.axes.set_box_aspect(None)
        sheet.axes.set_position((left / width, bottom / height, wide / width, tall / height))
        grey = image.shape[-1] == 1
        sheet.axes.imshow(image.repeat(3, axis=-1) if grey else image, interpolation="none", aspect="auto", extent=(0, 1, 0, 1))


def figure_tex(name: str, caption: str, width: float) -> bytes:
    """`<name>.tex`: the float that a paper inputs."""
    kind = "figure" if width < 4 else "figure*"
    return (
        f"\\begin{{{kind}}}\n\\centering\n\\includegraphics[width={width:g}in]{{{name}}}\n"
        f"\\caption{{{latex(caption)}}}\n\\label{{fig:{name.replace('_', '-')}}}\n\\end{{{kind}}}\n"
    ).encode()


def save(figure: Figure, folder: Path, record: ArtifactRecord) -> None:
    """Write a figure as PNG, PDF and LaTeX's float, and last the record of these; no dates: equal inputs, equal bytes.

    All are made in full before any is written, so that an interruption leaves what was there.
    """
    name, caption, text = record.artifact, record.caption, record.text()
    called = f"{figure_title(name)}, {record.experiment.description}"
    kinds = {
        "png": {"Title": called, "Description": caption, "Comment": text, "Software": "pga"},
        "pdf": {"Title": called, "Subject": caption, "Keywords": text, "Creator": "pga", "Producer": "matplotlib", "CreationDate": None},
    }
    drawn = {}
    for kind, metadata in kinds.items():
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind, dpi=figure.dpi, metadata=metadata)
        drawn[folder / f"{name}.{kind}"] = buffer.getvalue()
    drawn[folder / f"{name}.tex"] = figure_tex(name, caption, figure.get_figwidth())
    for path, content in drawn.items():
        with atomic(path) as file:
            file.write(content)
    record.write_beside(list(drawn))
