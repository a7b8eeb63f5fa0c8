"""What tables and the report call the runs and data sets of an experiment."""

from __future__ import annotations

from collections import Counter

from pga.params.experiment import REAL, Experiment
from pga.params.titles import in_words


def run_titles(experiment: Experiment) -> dict[str, str]:
    """Run → its title in Table 1 without what tells its samplings apart, else in a figure, else its name in words; no two alike."""
    rows: dict[str, list[list[str]]] = {}
    for row in experiment.table1.rows:
        rows.setdefault(row.model, []).append(row.title.split(", "))
    titles = {name: title for figure in experiment.figures.values() for name, title in figure.titles.items()}
    for name, several in rows.items():
        shared = [part for part in several[0] if all(part in other for other in several)]
        titles[name] = ", ".join(shared) or in_words(name)
    names = list(dict.fromkeys(name for block in experiment.datasets.values() for name in block.runs))
    found = {name: titles.get(name, in_words(name)) for name in names}
    often = Counter(found.values())
    return {name: in_words(name) if often[title] > 1 else title for name, title in found.items()} | {REAL: "Real images"}


def dataset_titles(experiment: Experiment) -> dict[str, str]:
    """Data set → its title in Table 1, else in a figure, else its name in words."""
    titles = {name: title for figure in experiment.figures.values() for name, title in figure.titles.items()}
    titles |= {column.dataset: column.title for column in experiment.table1.columns}
    return {name: titles.get(name, in_words(name)) for name in experiment.datasets}
