"""The finished figures and tables of an experiment, checked to be of the runs that there are now."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from pga.artifacts.collect import read_table
from pga.artifacts.report.page_images import of_png, uri
from pga.artifacts.report.paper_table import PaperTable, paper_table
from pga.artifacts.report.report_tables import SortableTable, of_frame, of_grid
from pga.artifacts.report.verdicts import Verdicts, verdicts
from pga.artifacts.tables import costs_table, equivalence_table, evaluation_table, notation_table, parameters_table
from pga.artifacts.tables.claims_table import NOT_RUN
from pga.artifacts.tables.formats import Grid
from pga.artifacts.tables.summary_cells import summarise
from pga.params.artifacts import TABLES, figure_title
from pga.params.experiment import Experiment
from pga.params.sampling import RECONSTRUCTION
from pga.params.titles import in_words, metric_title, short_metric_title
from pga.provenance.metadata import ArtifactRecord
from pga.runtime.errors import UserError
from pga.training.run_record import RunRecord


def tables(experiment: Experiment) -> list[str]:
    """The tables that an experiment has."""
    of_all_runs = [name for name, row in TABLES.items() if row.of_all_runs]
    return ["table1", "claims", *(["equivalence"] if experiment.equivalence else []), *of_all_runs, "parameters", "notation"]


class ReportFigure(NamedTuple):
    """A figure on the page: its image in words, whether it is drawn of lines, the PDF to download, the runs that it shows."""

    name: str
    title: str
    caption: str
    words: str
    lines: bool
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


def checked_record(path: Path, records: dict[str, RunRecord]) -> ArtifactRecord:
    """What an artifact says of itself; raises UserError if it was changed, or is of other code or another run than there is now."""
    found = ArtifactRecord.require_beside(path)
    found.refuse_other_code(path)
    for name, run in found.runs.items():
        if name in records and (differ := records[name].differences(run)):
            raise UserError(f"{path}: is of another run {name} than there is now ({', '.join(differ)} differ); make it again")
    return found


def heading(experiment: Experiment, name: str) -> str:
    """A figure's name and what it shows; the model of samples by name if it is one."""
    row, titles = experiment.figures[name], experiment.titles_of(name)
    models = [titles[model] for model in row.models if model != row.against or len(row.models) == 1]
    shows = row.needs.shows.format(metric=metric_title(experiment.evaluation.metric))
    return f"{figure_title(name)}: {shows}" + (f" of {models[0]}" if row.kind == "panels" and len(models) == 1 else "")


def in_numbers(experiment: Experiment, name: str, metrics: pd.DataFrame) -> str:
    """What a figure shows, with the value of each of its runs, for who cannot see it."""
    row, titles = experiment.figures[name], experiment.titles_of(name)
    if row.kind == "routing":
        return f"Drawing of what each loss of {', '.join(titles[model] for model in row.models)} reads and which parameters it moves."
    reconstructed = row.kind == "reconstructions"
    metric, sampling = ("reconstruction_error", RECONSTRUCTION) if reconstructed else (experiment.evaluation.metric, row.sampling)
    cells = [
        f"{titles[model]} on {titles[dataset]} {cell.text(4 if reconstructed else 2)}"
        for dataset, model in row.runs()
        if (cell := summarise(metrics, dataset, model, sampling, metric, experiment.seeds_of(dataset, model))).mean is not None
    ]
    return f"{heading(experiment, name)}. {metric_title(metric)}: {'; '.join(cells) or 'not measured'}."


def figures(experiment: Experiment, records: dict[str, RunRecord], metrics: pd.DataFrame) -> list[ReportFigure]:
    """The figures that are there."""
    found = []
    for name in experiment.figures:
        path = Path(experiment.results, "figures", f"{name}.png")
        if not path.exists():
            continue
        record, pdf = checked_record(path, records), path.with_suffix(".pdf")
        content = uri(pdf.read_bytes(), "application/pdf") if pdf.exists() and checked_record(pdf, records) else ""
        words, title = in_numbers(experiment, name, metrics), heading(experiment, name)
        lines = not experiment.figures[name].needs.first  # a dark page may turn their colours round; the others hold images
        found.append(ReportFigure(name, title, record.caption, words, lines, *of_png(path), content, sorted(record.runs)))
    return found


def read(experiment: Experiment, name: str, records: dict[str, RunRecord]) -> tuple[pd.DataFrame, str] | None:
    """A table's CSV and its caption, or None where it is missing."""
    path = Path(experiment.results, f"{name}.csv")
    if not path.exists():
        return None
    caption = checked_record(path, records).caption  # first: it vouches for what is read
    return read_table(path, ()), caption


def formats(experiment: Experiment, name: str) -> list[tuple[str, str]]:
    """The files of a table, relative to the page."""
    return [(ending, f"{name}.{ending}") for ending in ("csv", "md", "tex") if Path(experiment.results, f"{name}.{ending}").exists()]


class Several(NamedTuple):
    """A table of one or more grids, with the caption and the files of all."""

    name: str
    title: str
    caption: str
    grids: list[SortableTable]
    files: list[tuple[str, str]]


def by_seed(experiment: Experiment, records: dict[str, RunRecord]) -> list[Several]:
    """Table 1, a row per cell with the value of every seed."""
    found = read(experiment, "table1", records)
    if found is None:
        return []
    seeds = {column: column.replace("seed", "Seed ") for column in found[0].columns if re.fullmatch(r"seed\d+", column)}
    titles = {
        "model": "Model", "block": "Block", "dataset": "Data", "mean": "Mean", "standard_error": "Standard error", "n": "Runs", **seeds,
        "against_test_mean": "Against test images", "against_test_standard_error": "Its standard error",
        "paper_fid": "Paper (FID)", "paper_standard_error": "Paper’s standard error",
    }  # fmt: skip
    shown = {key: title for key, title in titles.items() if found[0][key].notna().any()}
    title = "Table 1, every value by seed"
    return [Several("table1", title, "", [of_frame("table1-0", title, found[0], shown)], formats(experiment, "table1"))]


def papers_table(experiment: Experiment, records: dict[str, RunRecord]) -> PaperTable | None:
    """Table 1 in the paper's layout."""
    found, judged = read(experiment, "table1", records), read(experiment, "claims", records)
    return paper_table(experiment, found[0], judged[0] if judged else None, found[1]) if found else None


JUDGED = {
    "statement": {
        "claim": "Statement", "dataset": "Of", "verdict": "Verdict", "compared": "Compared", "metric": "Metric", "ours": "Mean",
        "against": "Against", "difference": "Difference", "low": "90 % from", "high": "to", "p_holm": "p, Holm", "n": "Pairs",
        "source": "In the paper", "note": "Note",
    },
    "number": {
        "model": "Model", "density": "Law of the codes", "dataset": "Data", "verdict": "Verdict", "against": "Paper",
        "against_standard_error": "± ", "ours": "Ours", "standard_error": "±", "low": "90 % from", "high": "to", "n": "Runs",
        "artifact": "Of", "note": "Note",
    },
}  # fmt: skip


def glance(experiment: Experiment, records: dict[str, RunRecord]) -> Verdicts | None:
    """The verdicts at a glance."""
    found = read(experiment, "claims", records)
    return verdicts(experiment, found[0]) if found else None


def claims(experiment: Experiment, records: dict[str, RunRecord]) -> list[Several]:
    """Every statement and every number of the paper, with how it was judged; none where nothing was run, as with data of one's own."""
    found = read(experiment, "claims", records)
    if found is None:
        return []
    frame, _ = found
    named = frame.assign(
        dataset=frame.dataset.map(in_words), model=frame.model.fillna("").map(in_words), artifact=frame.artifact.map(artifact_title),
        metric=frame.metric.map(lambda metric: "" if pd.isna(metric) else short_metric_title(metric)),
    )  # fmt: skip
    tables = []
    for kind, titles in JUDGED.items():
        rows = named[named.kind == kind].copy()
        if (rows.verdict != NOT_RUN).any():
            for column in ("ours", "standard_error", "low", "high", "p_holm"):
                rows[column] = rows[column].astype(float)
            shown = {key: title for key, title in titles.items() if rows[key].notna().any()}
            title = f"Every {kind} of the paper, with how it was judged"
            table = of_frame(f"{kind}s-0", title, rows, shown)
            at = list(shown).index("verdict")
            coloured = [replace(row[at], style=row[at].key.replace(" ", "-")) for row in table.rows]
            cells = tuple((*row[:at], cell, *row[at + 1 :]) for row, cell in zip(table.rows, coloured, strict=True))
            tables.append(Several(f"{kind}s", title, "", [replace(table, rows=cells)], formats(experiment, "claims")))
    return tables


def artifact_title(name: str) -> str:
    """A table or figure of the paper for people: `beside table1` → beside Table 1."""
    return re.sub(r"(table|figure)(\d+)", lambda found: f"{found[1].capitalize()} {found[2]}", name)


GRIDS: dict[str, Callable[[pd.DataFrame, Experiment], list[Grid]]] = {
    "equivalence": lambda found, experiment: [equivalence_table.as_grid(found, experiment)],
    "evaluation": evaluation_table.as_grids,
    "costs": lambda found, experiment: [costs_table.as_grid(found, experiment)],
    "parameters": lambda found, experiment: parameters_table.as_grids(found.fillna({"origin": ""}), experiment),
    "notation": lambda found, experiment: notation_table.as_grids(found.fillna("")),
}
"""Table → its grids, from its CSV."""
TITLES = {
    "equivalence": "Equivalence", "evaluation": "Everything that was measured", "costs": "Costs", "parameters": "Parameters",
    "notation": "Notation (Table 2)",
}  # fmt: skip


def others(experiment: Experiment, records: dict[str, RunRecord]) -> list[Several]:
    """The tables beside Table 1 in the paper's layout that are there."""
    found = [*claims(experiment, records), *by_seed(experiment, records)]
    for name in tables(experiment)[2:]:
        if (content := read(experiment, name, records)) is not None:
            frame, caption = content
            title = TITLES.get(name) or name.replace("_", " ").capitalize()
            if name in GRIDS:
                parts = [of_grid(f"{name}-{k}", title, grid) for k, grid in enumerate(GRIDS[name](frame, experiment))]
            else:
                parts = [of_frame(f"{name}-0", title, frame, {str(column): str(column) for column in frame})]
            found.append(Several(name, title, caption, parts, formats(experiment, name)))
    return found
