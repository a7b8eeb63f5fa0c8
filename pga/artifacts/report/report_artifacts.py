"""The finished figures and tables of an experiment, checked to be of the runs that there are now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from pga.artifacts.collect import read_table
from pga.artifacts.report.page_images import of_png, uri
from pga.artifacts.report.paper_table import PaperTable, paper_table
from pga.artifacts.report.report_tables import Cell, Table, of_frame
from pga.artifacts.tables.claims_table import VERDICTS, summary
from pga.params.artifacts import figure_title
from pga.params.experiment import Experiment
from pga.provenance.read import read_about
from pga.provenance.records import Record
from pga.runtime.errors import UserError


def tables(experiment: Experiment) -> list[str]:
    """The tables that an experiment has."""
    return ["table1", "claims", *(["equivalence"] if experiment.equivalence else []), "evaluation", "costs", "parameters", "notation"]


class Shown(NamedTuple):
    """A figure on the page: its image, the PDF to download, where both lie, the runs that it shows."""

    name: str
    title: str
    caption: str
    uri: str
    width: int
    height: int
    pdf: str
    runs: list[str]


def files(experiment: Experiment) -> Iterator[Path]:
    """Everything that the page shows besides the runs."""
    folder = Path(experiment.results)
    for table in tables(experiment):
        yield folder / f"{table}.csv"
    for figure in experiment.figures:
        yield folder / "figures" / f"{figure}.png"
        yield folder / "figures" / f"{figure}.pdf"


def about(path: Path, records: dict[str, Record]) -> dict[str, Any]:
    """What an artifact says of itself.

    Raises:
        UserError: it says nothing, or is of a run that is another by now.
    """
    said = read_about(path)
    if said is None:
        raise UserError(f"{path}: does not say of which runs it is; delete it and make it again")
    for name, run in said["runs"].items():
        now = records.get(name)
        if now is not None and (differ := [key for key in ("digest", "data_sha256", "code") if now.get(key) != run.get(key)]):
            raise UserError(f"{path}: is of another run {name} than there is now ({', '.join(differ)} differ); make it again")
    return said


def figures(experiment: Experiment, records: dict[str, Record]) -> list[Shown]:
    """The figures that are there."""
    found = []
    for name in experiment.figures:
        path = Path(experiment.results, "figures", f"{name}.png")
        if not path.exists():
            continue
        said = about(path, records)
        pdf = path.with_suffix(".pdf")
        content = uri(pdf.read_bytes(), "application/pdf") if pdf.exists() and about(pdf, records) else ""
        found.append(Shown(name, figure_title(name), said["caption"], *of_png(path), content, sorted(said["runs"])))
    return found


def read(experiment: Experiment, name: str, records: dict[str, Record]) -> tuple[pd.DataFrame, str] | None:
    """A table's CSV and its caption, or None where it is missing."""
    path = Path(experiment.results, f"{name}.csv")
    if not path.exists():
        return None
    caption = str(about(path, records)["caption"])  # first: it vouches for what is read
    return read_table(path, ()), caption


def formats(experiment: Experiment, name: str) -> list[tuple[str, str]]:
    """The files of a table, relative to the page."""
    return [(ending, f"{name}.{ending}") for ending in ("csv", "md", "tex") if Path(experiment.results, f"{name}.{ending}").exists()]


def table1(experiment: Experiment, records: dict[str, Record]) -> Table | None:
    """Table 1, a row per cell; the best of each column and block stands out."""
    found = read(experiment, "table1", records)
    if found is None:
        return None
    frame, caption = found
    titles = {
        "block": "Block", "model": "Model", "dataset": "Data", "mean": "Mean", "standard_error": "Standard error", "n": "Runs",
        "paper_fid": "Paper (FID)", "paper_standard_error": "Paper’s standard error",
    }  # fmt: skip
    if frame.paper_fid.isna().all():
        titles = {key: title for key, title in titles.items() if not key.startswith("paper")}
    table = of_frame("table1", caption, frame, titles, formats(experiment, "table1"))
    best = frame[frame.samples.notna()].groupby(["block", "dataset"])["mean"].transform("min")  # real images compete with nobody
    best = best.reindex(frame.index)
    rows = tuple(
        tuple(
            replace(cell, style="best") if is_best and head.title == "Mean" else cell for cell, head in zip(row, table.heads, strict=True)
        )
        for row, is_best in zip(table.rows, frame["mean"] == best, strict=True)
    )
    return Table(table.name, caption, table.heads, rows, table.files)


def papers_table(experiment: Experiment, records: dict[str, Record]) -> PaperTable | None:
    """Table 1 in the paper's layout."""
    found, judged = read(experiment, "table1", records), read(experiment, "claims", records)
    return paper_table(experiment, found[0], judged[0] if judged else None) if found else None


class Judged(NamedTuple):
    """The numbers or the statements of the paper on the page: how many there are of each verdict, and the table."""

    kind: str
    counts: dict[str, int]
    table: Table


JUDGED = {
    "number": {
        "artifact": "Of", "dataset": "Data", "model": "Model", "density": "Law of the codes", "against": "Paper",
        "against_standard_error": "±", "ours": "Ours", "standard_error": "± ", "n": "Runs", "difference": "Difference", "low": "90 % from",
        "high": "to", "margin": "Margin", "note": "Note", "verdict": "Verdict",
    },
    "statement": {
        "claim": "Statement", "source": "In the paper", "dataset": "Of", "compared": "Compared", "metric": "Metric", "n": "Pairs",
        "ours": "Mean", "against": "Against", "effect": "Ratio − 1", "difference": "Difference", "low": "90 % from", "high": "to",
        "margin": "Margin", "p_holm": "p, Holm", "note": "Note", "verdict": "Verdict",
    },
}  # fmt: skip


def claims(experiment: Experiment, records: dict[str, Record]) -> tuple[str, list[Judged]] | None:
    """How many numbers and statements of the paper have which verdict, as a sentence, and each with its verdict."""
    found = read(experiment, "claims", records)
    if found is None:
        return None
    frame, _ = found
    parts = []
    for kind, titles in JUDGED.items():
        rows = frame[frame.kind == kind].copy()
        for column in ("ours", "standard_error", "effect", "difference", "low", "high", "margin", "p_holm"):
            rows[column] = rows[column].astype(float)
        counts = {word: int((rows.verdict == word).sum()) for word in VERDICTS[kind]}
        table = of_frame(f"{kind}s", summary(frame), rows, titles, formats(experiment, "claims"))
        cells = tuple((*row[:-1], Cell(row[-1].text, row[-1].key, row[-1].text.replace(" ", "-"))) for row in table.rows)
        parts.append(Judged(kind, counts, replace(table, rows=cells)))
    return summary(frame), parts


OTHERS = {
    "equivalence": {
        "dataset": "Data", "model": "Run", "change": "Change", "reference": "Unchanged", "changed": "Changed", "difference": "Difference",
        "low": "90 % from", "high": "to", "margin": "Margin", "n": "Pairs", "verdict": "Verdict",
    },
    "evaluation": {
        "dataset": "Data", "model": "Run", "sampling": "Sampling", "extractor": "Features", "metric": "Metric", "mean": "Mean",
        "standard_error": "Standard error", "n": "Runs", "images": "Images", "reference": "Against",
    },
    "costs": {
        "dataset": "Data", "model": "Run", "seed": "Seed", "device": "Device", "parameters": "Parameters", "steps": "Steps",
        "steps_per_s": "Steps/s", "training_s": "Training s", "sampling_and_evaluation_s": "After s", "peak_memory_bytes": "Memory bytes",
        "peak_gpu_memory_bytes": "GPU memory bytes",
    },
    "parameters": {"dataset": "Data", "run": "Run", "key": "Parameter", "value": "Value", "origin": "Origin"},
    "notation": {"kind": "Kind", "name": "In the code", "symbol": "Symbol (LaTeX)", "meaning": "Meaning", "source": "Source"},
}  # fmt: skip


def others(experiment: Experiment, records: dict[str, Record]) -> list[Table]:
    """The tables beside Table 1 that are there."""
    found = []
    for name, titles in OTHERS.items():
        if (content := read(experiment, name, records)) is not None:
            frame, caption = content
            measured = {column: title for column, title in titles.items() if column in frame and frame[column].notna().any()}
            found.append(of_frame(name, caption, frame, measured, formats(experiment, name)))
    return found
