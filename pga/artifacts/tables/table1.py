"""Table 1: mean ± standard error over seeds per model and data set, the paper's numbers beside ours."""

from __future__ import annotations

from itertools import groupby

import pandas as pd

from pga.artifacts.collect import named
from pga.artifacts.tables.formats import markdown
from pga.artifacts.tables.summary_cells import FEW
from pga.artifacts.tables.table1_entries import Entry, claimed, claims_beside, entries
from pga.artifacts.tables.table1_latex import as_latex, macros
from pga.artifacts.tables.table_inputs import Table, TableInputs
from pga.params.experiment import REAL, Experiment
from pga.params.feature_spaces import NOTES, TITLES
from pga.params.titles import in_words
from pga.training.run_record import RunRecord


def make(request: TableInputs) -> Table:
    """The table with every run that it is of."""
    found, missing, records = filled(request)
    text = caption(request.experiment, found, missing)
    texts = {"csv": as_csv(request.experiment, found), "md": as_markdown(request.experiment, found, missing), "tex": as_latex(found, text)}
    return Table(texts, text, records, request.experiment.shows("table1"))


def numbers(request: TableInputs) -> Table:
    """Every number of the table as a macro of LaTeX, for a paper's text."""
    found, missing, records = filled(request)
    text = f"The numbers of Table 1 as macros. {caption(request.experiment, found, missing)}"
    return Table({"tex": macros(found, request.experiment.evaluation.metric)}, text, records, request.experiment.shows("table1"))


def filled(request: TableInputs) -> tuple[list[Entry], list[str], dict[str, RunRecord]]:
    """The cells, what is missing of them, and the records of their runs."""
    experiment = request.experiment
    found = entries(experiment, request.metrics, request.claims)
    missing = [
        named(experiment, entry.row.on(entry.column), entry.row.model, seed, entry.row.sampling)
        for entry in found
        for seed in entry.cell.missing
    ]
    request.refuse(missing)
    runs = request.runs(request.measured(experiment.samplings_shown("table1")))
    return found, missing + runs.missing, runs.records


def caption(experiment: Experiment, found: list[Entry], missing: list[str]) -> str:
    """What the numbers are, and what is missing."""
    text = (
        f"{TITLES[experiment.evaluation.metric]}, {over_seeds(experiment)}; lower is better, the best of each column and block in bold. "
        f"{protocols(experiment, found)} "
    )
    text += NOTES[experiment.evaluation.metric] + (FEW if experiment.evaluation.few_samples else "")
    if any(row.model == REAL for row in experiment.table1.rows):
        text += (
            f"Real images: those of the split that is not the reference in the samples' place{real_images(found)}, "
            "the distance that a perfect generator would reach. "
        )
    notes = experiment.notes_on(row.on(column) for row in experiment.table1.rows for column in experiment.table1.columns)
    text += f"{notes} " if notes else ""
    replaced = [
        f"{column.title} stands in for the paper's {in_words(column.paper)}" for column in experiment.table1.columns if column.paper
    ]
    text += "".join(f"{line}. " for line in replaced)
    if claims_beside(found):
        caveats = dict.fromkeys(entry.claim.note for entry in found if entry.claim and entry.claim.note)
        text += f"{'; '.join(['Paper: FID as Zhang et al. (ICML 2020) report it', *caveats])}."
    text = text[0].upper() + text[1:].rstrip()
    return text + (f" PARTIAL: {len(missing)} run{'s are' if len(missing) > 1 else ' is'} missing." if missing else "")


def over_seeds(experiment: Experiment) -> str:
    """What a number is taken over: several seeds, which may differ from row to row, or one."""
    rows = [(row.on(column), row.model) for row in experiment.table1.rows if row.model != REAL for column in experiment.table1.columns]
    several = list(dict.fromkeys(experiment.seeds_of(*run) for run in rows))
    if all(len(seeds) == 1 for seeds in several):
        return f"one run each, of seed {', '.join(dict.fromkeys(str(seeds[0]) for seeds in several))}"
    return "mean ± standard error over seeds " + ", or ".join(", ".join(map(str, seeds)) for seeds in several)


def protocols(experiment: Experiment, found: list[Entry]) -> str:
    """How many samples are compared with which real images, and how many these are, per block where they differ."""
    blocks: dict[str, list[str]] = {}
    for row in experiment.table1.rows:
        if row.model == REAL:
            continue
        sampling = experiment.samplings[row.sampling]
        real = dict.fromkeys((e.column.title, e.cell.real) for e in found if e.row == row and e.cell.real is not None)
        counts = f" ({'; '.join(f'{title} {n:,}' for title, n in real)})" if real else ""
        split = "training" if sampling.reference == "train" else "test"
        of_protocol = blocks.setdefault(f"{sampling.n:,} samples against the {split} images{counts}", [])
        if row.block not in of_protocol:
            of_protocol.append(row.block)
    if len(blocks) == 1:
        return f"{next(iter(blocks))}."
    return " ".join(f"{protocol}: {'; '.join(names)}." for protocol, names in blocks.items())


def real_images(found: list[Entry]) -> str:
    """How many real images stand in the samples' place."""
    counts = dict.fromkeys((e.column.title, e.cell.images) for e in found if e.row.model == REAL and e.cell.images is not None)
    return f" ({'; '.join(f'{title} {n:,}' for title, n in counts)})" if counts else ""


def as_csv(experiment: Experiment, found: list[Entry]) -> str:
    """One line per cell, with the value of every seed; absent numbers are empty."""
    rows = []
    seeds = sorted({seed for entry in found for seed in experiment.seeds_of(entry.row.on(entry.column), entry.row.model)})
    for entry in found:
        values = dict(entry.cell.values)
        rows.append(
            {
                "block": entry.row.block,
                "model": entry.row.title,
                "dataset": entry.column.title,
                "metric": experiment.evaluation.metric,
                "density": experiment.samplings[entry.row.sampling].density,
                "samples": experiment.samplings[entry.row.sampling].n if entry.row.model != REAL else None,
                "images": entry.cell.images,
                "reference": experiment.samplings[entry.row.sampling].reference,
                "reference_n": entry.cell.real,
                "mean": entry.cell.mean,
                "standard_error": entry.cell.standard_error,
                "n": entry.cell.n,
                **{f"seed{seed}": values.get(seed) for seed in seeds},
                "missing_seeds": " ".join(map(str, entry.cell.missing)),
                "against_test_mean": entry.against_test.mean if entry.against_test else None,
                "against_test_standard_error": entry.against_test.standard_error if entry.against_test else None,
                "against_test_n": entry.against_test.n if entry.against_test else None,
                "paper_dataset": entry.column.paper or entry.column.dataset,
                "paper_fid": entry.claim.value if entry.claim else None,
                "paper_standard_error": entry.claim.standard_error if entry.claim else None,
            }
        )
    text: str = (
        pd.DataFrame(rows)
        .astype({"samples": "Int64", "against_test_n": "Int64", "images": "Int64", "reference_n": "Int64"})
        .to_csv(index=False, lineterminator="\n")
    )
    return text


def shown(entry: Entry) -> str:
    """A cell as text, missing seeds named."""
    text = entry.cell.text()
    dataset = entry.row.on(entry.column)
    if entry.cell.missing:
        seeds = " ".join(map(str, entry.cell.missing))
        note = f"missing: {dataset}/{entry.row.model} seed {seeds}"
        return note if entry.cell.mean is None else f"{text} (n = {entry.cell.n}; {note})"
    return text


def as_markdown(experiment: Experiment, found: list[Entry], missing: list[str]) -> str:
    """A Markdown table with the caption below."""
    columns = experiment.table1.columns
    beside = claims_beside(found)
    paper = [f" | Paper ({in_words(column.paper or column.dataset)})" if beside else "" for column in columns]
    head = "| Model | " + " | ".join(markdown(column.title) + text for column, text in zip(columns, paper, strict=True)) + " |"
    width = (2 if beside else 1) * len(columns)
    lines = [head, "|---|" + "---:|" * width]
    several = len({entry.row.block for entry in found}) > 1
    last = None
    for (block, title), group in groupby(found, key=lambda entry: (entry.row.block, entry.row.title)):
        if several and block != last:
            lines.append(f"| *{markdown(block)}* |" + " |" * width)
        last = block
        cells = [(f"**{shown(e)}**" if e.best else shown(e)) + (f" | {claimed(e.claim)}" if beside else "") for e in group]
        lines.append(f"| {markdown(title)} | " + " | ".join(cells) + " |")
    named = f"\n<details><summary>The missing runs</summary>\n\n{', '.join(missing)}\n\n</details>\n" if missing else ""
    return "\n".join(lines) + f"\n\n{markdown(caption(experiment, found, missing))}\n{named}"
