"""The experiments of `params/`: one file each, and each stands alone, so that a broken one stops nobody else's work."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from pga.params.base import NAME
from pga.params.dataset import Dataset
from pga.params.dataset_checks import misfits
from pga.params.experiment import Experiment, load_experiment
from pga.runtime.errors import UserError

TABLES = ("sources", "datasets", "claims")
"""Files of `params/` that are no experiments."""


class Catalogue(NamedTuple):
    """What `params/` holds.

    Attributes:
        experiments: folder of results → (file, content).
        left_out: file → what is wrong with it.
    """

    experiments: dict[str, tuple[str, Experiment]]
    left_out: dict[str, str]

    def asked_and_left_out(self, words: Collection[str]) -> list[str]:
        """What is wrong with those left-out experiments whose name or results are among `words` (targets, as they are typed)."""
        roots = sorted(self.experiments, key=len, reverse=True)

        def belongs(word: str, name: str) -> bool:
            folder = "results" if name == "paper" else f"results/{name}"
            of_another = next((root for root in roots if f"{word}/".startswith(f"{root}/")), "")
            return word == name or (f"{word}/".startswith(f"{folder}/") and len(of_another) < len(folder))

        return [reason for file, reason in self.left_out.items() if any(belongs(word, Path(file).stem) for word in words)]


def read_catalogue(folder: Path, taken: Collection[str], datasets: Mapping[str, Dataset], wrong: Mapping[str, str]) -> Catalogue:
    """Read every experiment of a folder; what cannot be used is left out, with the reason.

    Args:
        folder: `params/`.
        taken: names that no experiment may have, because rules have them.
        datasets: the table of data sets.
        wrong: data set that is not in it → what is wrong with it.
    """
    found = Catalogue({}, {})
    paths = [path for path in folder.glob("*.y*ml") if path.suffix in (".yaml", ".yml") and not path.name.startswith((".", "#"))]
    for path in sorted(paths, key=lambda path: (path.stem != "paper", path.name)):
        if path.name in {f"{table}.yaml" for table in TABLES}:
            continue
        try:
            experiment = load_experiment(checked_name(path, taken))
            if unfit := [wrong[name] for name in experiment.datasets if name in wrong] or misfits(experiment, datasets):
                raise UserError("\n".join(f"{path}: {line}" for line in dict.fromkeys(unfit)))
            if experiment.results in found.experiments:
                raise UserError(
                    f"{path}: results: {experiment.results} is the folder of {found.experiments[experiment.results][0]} already"
                )
            _, paper = found.experiments.get("results", ("", None))
            if paper and experiment.results.removeprefix("results/") in paper.datasets:
                raise UserError(f"{path}: results: {experiment.results} is the folder of the paper's runs on that data set")
            found.experiments[experiment.results] = (str(path), experiment)
        except UserError as error:
            found.left_out[str(path)] = str(error)
    return found


def checked_name(path: Path, taken: Collection[str]) -> Path:
    """The path of an experiment's file, if its name can be that of a target; raises UserError if not, which says what is accepted."""
    if path.suffix != ".yaml":
        raise UserError(f"{path}: an experiment's file ends in .yaml")
    if not re.fullmatch(NAME, path.stem):
        raise UserError(f"{path}: the name of an experiment's file is lower case letters, digits and _, beginning with a letter")
    if path.stem in taken:
        raise UserError(f"{path}: {path.stem} is the name of a rule of the workflow; call the file otherwise")
    return path
