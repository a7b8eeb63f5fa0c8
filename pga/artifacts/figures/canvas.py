"""Figures as files: one style, fixed metadata, PNG and PDF; and the parts that figures share."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from pga.data.prepared import Images
from pga.provenance.metadata import text
from pga.provenance.seal import sealed
from pga.runtime.files import atomic

STYLE = {
    "font.size": 8.0,
    "axes.titlesize": 8.0,
    "axes.labelsize": 8.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "legend.fontsize": 7.0,
    "lines.linewidth": 1.2,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "mathtext.fontset": "dejavusans",
    "figure.dpi": 300.0,
    "pdf.fonttype": 42,  # text stays text
    "svg.hashsalt": "pga",
}
PAGE = 7.0
"""Width of a full page in inches."""
CHARACTERS = 20
"""Characters of a caption per inch."""


class Line(NamedTuple):
    """How one of several lines is drawn: no two share a colour, a dash or a marker."""

    colour: str
    dash: Any
    marker: str


LINES = (
    Line("#0d2b52", "solid", "o"),
    Line("#b4460c", (0, (4, 1.5)), "s"),
    Line("#7f86d6", (0, (6, 1.2, 1.2, 1.2, 1.2, 1.2)), "^"),
    Line("#55c2a2", (0, (5, 1.5, 1.2, 1.5)), "D"),
    Line("#f0d060", (0, (8, 2)), "v"),
)
"""In this order; their lightness differs, so that they stay apart in grey and for colour-blind readers (the tests measure it)."""


class Drawn(NamedTuple):
    """A figure and its caption."""

    figure: Figure
    caption: str


def style() -> None:
    """Set the one style; the Agg backend needs no screen."""
    mpl.use("Agg")
    mpl.rcdefaults()  # a user's matplotlibrc changes nothing
    mpl.rcParams.update(STYLE)  # type: ignore[arg-type]


def page(width: float, height: float, rows: int, columns: int, apart: float = 0.02) -> tuple[Figure, list[list[Axes]]]:
    """A figure of width × height inches and its rows × columns axes, laid out so that no text overlaps or is cut.

    `apart` is the least room between columns, as a part of an axes' width.
    """
    style()
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(wspace=apart))
    return figure, figure.subplots(rows, columns, squeeze=False).tolist()


def show(axes: Axes, sheet: Images) -> None:
    """An image (H, W, C) uint8, every pixel a square; one channel is grey."""
    if sheet.shape[-1] == 1:
        axes.imshow(sheet.squeeze(-1), interpolation="nearest", cmap="gray", vmin=0, vmax=255)
    else:
        axes.imshow(sheet, interpolation="nearest")
    axes.set_axis_off()


def empty(axes: Axes, missing: Sequence[str]) -> None:
    """Mark a panel whose runs are not there, so that nobody takes it for a result."""
    axes.clear()
    axes.set(xticks=[], yticks=[], facecolor="#e4e4e4")
    axes.spines[:].set_visible(False)
    text = "\n".join(["missing:", *missing])
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes, fontsize=7)


def sharpen(figure: Figure) -> None:
    """Raise the PNG's resolution by whole multiples until every pixel of every image on the figure has at least one dot."""
    figure.draw_without_rendering()
    dots = figure.dpi
    coarsest = 1.0
    for axes in figure.axes:
        for image in axes.images:
            height, width = image.get_size()
            extent = axes.get_window_extent()
            coarsest = max(coarsest, width / extent.width, height / extent.height)
    figure.set_dpi(dots * math.ceil(coarsest))


def caption(figure: Figure, text: str) -> None:
    """Set the caption below the page, which saving makes so much longer, in lines as wide as the page."""
    lines = textwrap.fill(text, int(CHARACTERS * figure.get_figwidth()), break_long_words=False)
    figure.text(0, -0.06 / figure.get_figheight(), lines, fontsize=7, ha="left", va="top")


def save(figure: Figure, folder: Path, name: str, said: dict[str, Any]) -> None:
    """Write `<name>.png` and `<name>.pdf`, sealed, with what they say of themselves as metadata; no dates: equal inputs, equal bytes.

    Both are drawn in full before either is written, so that an interruption leaves what was there.
    """
    about = text(said)
    kinds = {
        "png": {"Description": about, "Software": "pga"},
        "pdf": {"Subject": about, "Creator": "pga", "Producer": "matplotlib", "CreationDate": None},
    }
    drawn = {}
    for kind, metadata in kinds.items():
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind, dpi="figure", metadata=metadata, bbox_inches="tight", pad_inches=0.05)
        drawn[kind] = sealed(buffer.getvalue())
    for kind, content in drawn.items():
        with atomic(folder / f"{name}.{kind}") as file:
            file.write(content)
