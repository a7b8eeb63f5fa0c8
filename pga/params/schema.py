"""JSON schemas generated from the types, for the workflow and for editors: `python -m pga.params.schema` writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pga.params.artifacts import FIGURES
from pga.params.experiment import Experiment
from pga.params.written import Written
from pga.runtime.files import atomic

FOLDER = Path(__file__).parents[2] / "workflow" / "schemas"


TYPED = {name for name, field in Written.model_fields.items() if field.annotation is not Any}
"""The keys of an experiment's file that are written in another form than they are composed."""


def schemas() -> dict[str, dict[str, Any]]:
    """File name → schema."""
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
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
    return {"experiment.schema.json": {**dialect, **written, "properties": properties, "$defs": definitions, "required": ["results"]}}


def text(schema: dict[str, Any]) -> str:
    """The schema as it stands in its file."""
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def write() -> None:
    """Write every schema into workflow/schemas."""
    for name, schema in schemas().items():
        with atomic(FOLDER / name, "w") as file:
            file.write(text(schema))
        print(FOLDER / name)


if __name__ == "__main__":
    write()
