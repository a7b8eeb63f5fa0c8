"""JSON schemas generated from the types, for the workflow and for editors: `python -m pga.params.schema` writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pga.params.experiment import Scale
from pga.runtime.files import atomic

FOLDER = Path(__file__).parents[2] / "workflow" / "schemas"


def schemas() -> dict[str, dict[str, Any]]:
    """File name → schema."""
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {"scale.schema.json": {**dialect, **Scale.model_json_schema()}}


def text(schema: dict[str, Any]) -> str:
    """The schema as it stands in its file."""
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def write() -> None:
    """Write every schema into workflow/schemas."""
    for name, schema in schemas().items():
        with atomic(FOLDER / name, "w") as file:
            file.write(text(schema))


if __name__ == "__main__":
    write()
