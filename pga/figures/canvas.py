"""Figures as files: one style, fixed metadata, PNG and PDF."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from pga.files import atomic

STYLE = {
    "font.size": 8.0,
    "axes.titlesize": 8.0,
    "figure.dpi": 300.0,
    "pdf.fonttype": 42,  # text stays text
    "svg.hashsalt": "pga",
}


def style() -> None:
    """Set the one style; the Agg backend needs no screen."""
    mpl.use("Agg")
    mpl.rcdefaults()  # a user's matplotlibrc changes nothing
    mpl.rcParams.update(STYLE)  # type: ignore[arg-type]


def save(figure: Figure, folder: Path, name: str, about: str) -> None:
    """Write `<name>.png` and `<name>.pdf` with `about` in their metadata; no dates, so that equal inputs give equal bytes."""
    kinds = {
        "png": {"Description": about, "Software": "pga"},
        "pdf": {"Subject": about, "Creator": "pga", "Producer": "matplotlib", "CreationDate": None},
    }
    for kind, metadata in kinds.items():
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind, dpi="figure", metadata=metadata, bbox_inches="tight", pad_inches=0.05)
        with atomic(folder / f"{name}.{kind}") as file:
            file.write(buffer.getvalue())
