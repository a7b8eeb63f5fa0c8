"""JSON schema of an experiment's file, generated from the types, for editors and other tools: `python -m pga.params.schema` writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pga.params.artifacts import FIGURES
from pga.params.experiment import Experiment
from pga.params.written import Written
from pga.runtime.files import atomic

FILE = Path(__file__).parents[2] / "workflow" / "schemas" / "experiment.schema.json"
TYPED = {name for name, field in Written.model_fields.items() if field.annotation is not Any}
"""The keys of an experiment's file that are written in another form than they are composed."""


def schema() -> dict[str, Any]:
    """What an experiment's file may hold."""
    written, complete = Written.model_json_schema(), Experiment.model_json_schema()
    properties = {**written["properties"], **{key: part for key, part in complete["properties"].items() if key not in TYPED}}
    definitions = {**complete["$defs"], **written["$defs"]}
    for part in properties.values():  # a file that extends another says only what it changes
        definitions.get(part.get("$ref", "").removeprefix("#/$defs/"), {}).pop("required", None)
    kind = definitions["Figure"]["properties"]["kind"]
    kind |= {
        "enum": list(FIGURES),
        "description": "default: the figure's name where a kind is called so, else panels. "
        + "; ".join(f"{name}: {row.shows.format(metric='metric')}" for name, row in FIGURES.items()),
    }
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, **written, "properties": properties, "$defs": definitions, "required": ["results"]}


def text() -> str:
    """The schema as it stands in its file."""
    return json.dumps(schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    with atomic(FILE, "w") as file:
        file.write(text())
    print(FILE)
