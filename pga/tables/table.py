"""The table of tables: name → what makes it. They are written with a file beside them that says of which runs they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pga.files import atomic, write_beside
from pga.lineage.about import about
from pga.params.scale import Scale
from pga.tables import claims, costs, equivalence, evaluation, notation, parameters, table1
from pga.tables.request import Made, Request

TABLES: dict[str, Callable[[Request], Made]] = {
    "table1": table1.make,
    "claims": claims.make,
    "notation": notation.make,
    "parameters": parameters.make,
    "costs": costs.make,
    "evaluation": evaluation.make,
    "equivalence": equivalence.make,
}


def write(name: str, scale: Scale, made: Made, folder: Path) -> None:
    """Each format of a table, and `<name>.json`, which vouches for them, last."""
    files = [folder / f"{name}.{ending}" for ending in made.texts]
    for file, text in zip(files, made.texts.values(), strict=True):
        with atomic(file, "w") as opened:
            opened.write(text)
    write_beside(files, about(name, scale, made.records, made.caption, made.shows))
