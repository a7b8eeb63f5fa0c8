"""Which code each step of the workflow runs, as fingerprints (`pga.fingerprints.closure`): the step's verb and all that it reaches.

A fingerprint names its step before the digest, e.g. `table:TABLES=costs:9f86…`, so that whoever reads it in a record can compare it with
the code that is there (`refuse_other_code`), and the workflow can hand it to a job (`refuse_unplanned`).

All are of the same moment, that at which this module was imported, so that a workflow keeps the code with which it was planned, whatever is
edited while it runs. Each is made when a job needs it, and cached: otherwise every start of Snakemake would pay for all.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import NamedTuple

from pga.fingerprints.closure import ROOT, Sources, Statement, closure, fingerprint
from pga.method.terms import MODELS
from pga.params.artifacts import FIGURES, TABLES
from pga.params.run import Run
from pga.runtime.errors import UserError
from pga.runtime.files import read_record

SOURCES = Sources()

LEFT_OUT = {
    "pga.runtime.progress": "what a terminal shows while a job runs",
    "pga.runtime.environment": "commit and versions, which a record names and no result depends on",
    "pga.runtime.gpu_locks": "which of several equal GPUs a job takes",
    "pga.fingerprints": "fingerprints themselves: a better one changes no result",
}
"""Modules that no fingerprint follows, each with the reason."""

READING = {
    "pga.params.experiment": "how a run's values are read from a file: the values themselves are compared, by their digest",
    "pga.data.datasets": "the same for the entry of a data set",
    "pga.params.sources": "the same for files to download, which are compared by checksum",
}
"""Not followed by steps whose parameters are compared by value: a new kind of table in `params/` must not retrain."""

BY_NAME = {
    "TABLES": {name: row.make for name, row in TABLES.items()},
    "FIGURES": {name: row.draw for name, row in FIGURES.items()},
}
"""Registries whose rows name a function that the verb calls; it is a root of the step."""

READS_EXPERIMENT = ("collect", "summary", "table", "figure", "report")
"""The verbs that show what the file of an experiment says."""


class Step(NamedTuple):
    """A verb of the command line, and the keys of each registry that its parameters choose."""

    verb: str
    chosen: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __str__(self) -> str:
        return ":".join([self.verb, *(f"{registry}={','.join(keys)}" for registry, keys in self.chosen)])

    def arguments(self) -> tuple[list[str], dict[str, tuple[str, ...]], frozenset[str]]:
        """Roots, chosen rows and what is left out of the step's closure.

        Raises:
            ValueError: a chosen table or kind of figure is none.
        """
        left_out = LEFT_OUT if self.verb in READS_EXPERIMENT else LEFT_OUT | READING
        roots = [f"pga.commands.{self.verb}.{name}" for name in ("add_arguments", "run")]
        for registry, keys in self.chosen:
            if unknown := [key for key in keys if registry in BY_NAME and key not in BY_NAME[registry]]:
                raise ValueError(f"{registry}: no {unknown[0]!r}")
            roots += [BY_NAME[registry][key] for key in keys if registry in BY_NAME]
        return roots, dict(self.chosen), frozenset(left_out)

    def closure(self, sources: Sources = SOURCES) -> dict[str, list[Statement]]:
        """The statements that the step may run, by module."""
        return closure(*self.arguments(), sources)


@cache
def step_code(step: Step, sources: Sources = SOURCES) -> str:
    """The fingerprint of a step."""
    return f"{step}:{fingerprint(*step.arguments(), sources)}"


def code_now(code: object, sources: Sources = SOURCES) -> str | None:
    """The fingerprint of now of the step that a fingerprint names; None where there is no such step."""
    verb, *chosen = str(code).split(":")[:-1] or [""]
    pairs = [part.partition("=") for part in chosen]
    try:
        return step_code(Step(verb, tuple((registry, tuple(keys.split(","))) for registry, _, keys in pairs)), sources)
    except ValueError:
        return None


def is_current(code: object, sources: Sources = SOURCES) -> bool:
    """Whether a fingerprint is that of its step's code now; False for what is no fingerprint."""
    return code is not None and code_now(code, sources) == code


def names_other_code(record: Path) -> bool:
    """Whether a record (.json) counts as made by no code of now, so that what it is of is to be made again; raises UserError if damaged."""
    content = read_record(record)
    return not any(map(is_current, [content.get("code"), *(each["code"] for each in content.get("accepted", ()))]))


def refuse_other_code(path: Path, *codes: str) -> None:
    """Refuse what was made by other code than there is now, unless that was accepted.

    Args:
        path: of the record, for the message.
        codes: the fingerprint that it names, and those which were accepted as the same (`pga accept`).

    Raises:
        UserError: names the file and the verb whose code is another.
    """
    if not any(map(is_current, codes)):
        verb = codes[0].partition(":")[0]
        raise UserError(
            f"{path}: made by other code: what `pga {verb}` runs has changed since. Make it again, which the workflow does by itself; put "
            "the code back; or, where the change means nothing to the numbers, keep it by `pga accept`"
        )


def refuse_unplanned(planned: str) -> None:
    """Refuse to start where the code is another than the workflow was planned with; raises UserError.

    Where the environment has the digest of the planned files in PGA_PLANNED_SOURCES, and they are the same to the byte, no fingerprint is
    computed, which takes a third of a second.
    """
    if os.environ.get("PGA_PLANNED_SOURCES") != SOURCES.digest and not is_current(planned):
        raise UserError(f"{ROOT}: the code of `pga {planned.partition(':')[0]}` is not that of the plan: start the workflow again")


def refuse_edited(code: str) -> None:
    """Refuse to write where files of the package have changed since this process read them; raises UserError."""
    now = Sources()
    if now.digest != SOURCES.digest and not is_current(code, now):
        raise UserError(
            f"{ROOT}: the code of `pga {code.partition(':')[0]}` was changed while it ran, so nothing is written. A training has kept its "
            "state: put the code back and the same command writes the results at once, or start the workflow again with the new code"
        )


def of_run(verb: str, run: Run) -> Step:
    """A step that reads the networks of `run`."""
    return Step(verb, (("MODELS", (run.model,)), ("TERMS", tuple(MODELS[run.model])), ("NETWORKS", (run.network,))))


def training(run: Run) -> Step:
    """The step that trains `run`: its own terms, network, optimiser and law of δ."""
    verb, chosen = of_run("train", run)
    return Step(verb, (*chosen, ("OPTIMISERS", (run.optimiser,)), ("PERTURBATIONS", (run.delta,))))


def training_code(run: Run) -> str:
    """The code that trains `run`."""
    return step_code(training(run))


def sampling_code(run: Run) -> str:
    """The code that samples from `run`, and reconstructs test images."""
    return step_code(of_run("sample", run))


def interpolation_code(run: Run) -> str:
    """The code that interpolates between test images with `run`."""
    return step_code(of_run("interpolate", run))


def reconstruction_code(run: Run) -> str:
    """The code that reconstructs test images with `run`."""
    return step_code(of_run("reconstruct", run))


def curve_code(run: Run) -> str:
    """The code that measures the snapshots of `run`."""
    return step_code(of_run("curve", run))


def evaluation_code() -> str:
    """The code that measures samples."""
    return step_code(Step("evaluate"))


def neighbours_code() -> str:
    """The code that finds the images nearest to samples."""
    return step_code(Step("neighbours"))


def reference_code() -> str:
    """The code that makes statistics of real images."""
    return step_code(Step("reference"))


def classifier_code() -> str:
    """The code that trains the small classifier."""
    return step_code(Step("classifier"))


def preparing_code(kind: str) -> str:
    """The code that prepares data sets of one kind."""
    return step_code(Step("prepare", (("KINDS", (kind,)),)))


def command_code(verb: str) -> str:
    """The code of a verb that needs no narrowing: what it makes costs little."""
    return step_code(Step(verb))


def table_code(name: str) -> str:
    """The code that writes one table."""
    return step_code(Step("table", (("TABLES", (name,)),)))


def figure_code(kind: str) -> str:
    """The code that draws figures of one kind."""
    return step_code(Step("figure", (("FIGURES", (kind,)),)))
