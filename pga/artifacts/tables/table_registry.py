"""The table of tables: name → what makes it. They are written with a file beside them that says of which runs they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pga.artifacts.tables import claims_table, costs_table, equivalence_table, evaluation_table, notation_table, parameters_table, table1
from pga.artifacts.tables.request import Made, Request
from pga.params.experiment import Experiment
from pga.provenance.metadata import about
from pga.runtime.files import atomic, write_beside
from pga.runtime.registry import Registry

TABLES: Registry[str, Callable[[Request], Made]] = {
    "table1": table1.make,
    "numbers": table1.numbers,
    "claims": claims_table.make,
    "notation": notation_table.make,
    "parameters": parameters_table.make,
    "costs": costs_table.make,
    "evaluation": evaluation_table.make,
    "equivalence": equivalence_table.make,
}


def write(name: str, experiment: Experiment, made: Made, folder: Path) -> None:
    """Each format of a table, and `<name>.json`, which vouches for them, last."""
    files = [folder / f"{name}.{ending}" for ending in made.texts]
    for file, text in zip(files, made.texts.values(), strict=True):
        with atomic(file, "w") as opened:
            opened.write(text)
    write_beside(files, about(name, experiment, made.records, made.caption, made.shows))
