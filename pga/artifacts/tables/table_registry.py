"""The table of tables: name → what makes it. They are written with a file beside them that says of which runs they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pga.artifacts.tables import claims_table, costs_table, equivalence_table, evaluation_table, notation_table, parameters_table, table1
from pga.artifacts.tables.table_inputs import Table, TableInputs
from pga.params.experiment import Experiment
from pga.provenance.metadata import ArtifactRecord
from pga.runtime.files import atomic
from pga.runtime.registry import Registry

TABLES: Registry[str, Callable[[TableInputs], Table]] = {
    "table1": table1.make,
    "numbers": table1.numbers,
    "claims": claims_table.make,
    "notation": notation_table.make,
    "parameters": parameters_table.make,
    "costs": costs_table.make,
    "evaluation": evaluation_table.make,
    "equivalence": equivalence_table.make,
}


def write(name: str, experiment: Experiment, table: Table, folder: Path) -> None:
    """Each format of a table, and `<name>.json`, which vouches for them, last."""
    files = [folder / f"{name}.{ending}" for ending in table.texts]
    for file, text in zip(files, table.texts.values(), strict=True):
        with atomic(file, "w") as opened:
            opened.write(text)
    ArtifactRecord.of(name, experiment, table.records, table.caption, table.shows).write_beside(files)
