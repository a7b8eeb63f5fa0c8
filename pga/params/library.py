"""Runs for Python: a row of an experiment that comes with the package, with changes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pga.params.base import NAME, Origin, check_seed
from pga.params.experiment import load_experiment
from pga.params.reading import validate
from pga.params.run import Run
from pga.params.run_params import RunParams
from pga.params.written import SOURCED
from pga.runtime.errors import UserError

EXPERIMENTS = Path(__file__).with_name("experiments")
"""The folder `params/` of the project, which is part of the package."""

PRESETS = {"digits": "quick", "mnist": "paper", "cifar10": "paper", "celeba": "paper"}
"""The experiment that holds the rows of each preset: 8×8×1, 28×28×1, 32×32×3 and 64×64×3 images."""


def run_of_preset(model: str, preset: str, seed: int, dataset: str, changes: dict[str, Any]) -> Run:
    """The run `model` of a preset, with changes by the names of `RunParams` or of the model's coefficients.

    Raises:
        UserError: names what is not known, and what is accepted.
    """
    check_seed(seed)
    if not re.fullmatch(NAME, dataset):
        raise UserError(f"dataset {dataset!r}: accepted is a name of lower case letters, digits and _, which becomes part of paths")
    if preset not in PRESETS:
        raise UserError(f"preset {preset!r}: accepted are {', '.join(PRESETS)}")
    rows = load_experiment(EXPERIMENTS / f"{PRESETS[preset]}.yaml").datasets[preset].runs
    if model not in rows:
        raise UserError(f"model {model!r}: preset {preset} has {', '.join(rows)}")
    row = rows[model].model_dump(mode="json")
    if unknown := [name for name in changes if name not in row and name not in row["coefficients"]]:
        accepted = [name for name in row if name not in ("model", "coefficients", "samplings", "seeds")]
        raise UserError(f"{unknown[0]}: accepted are {', '.join([*row['coefficients'], *accepted])}")
    if "steps" in changes or "epochs" in changes:
        row["steps"] = row["epochs"] = None
    row["snapshots"] = 0
    for name, value in changes.items():
        if name in row["coefficients"]:
            row["coefficients"][name] = [value, Origin.OWN]
        else:
            row[name] = [value, Origin.OWN] if name in SOURCED and value is not None else value
    return validate(row, RunParams, "pga.fit").run(dataset, model, seed)
