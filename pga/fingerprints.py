"""Which code the results of each step of the workflow depend on, as fingerprints of its meaning (`pga.meaning`)."""

from __future__ import annotations

from functools import cache

from pga.meaning import meaning
from pga.networks.table import NETWORKS
from pga.run import Run
from pga.terms import MODELS, TERMS


def network_rows(run: Run) -> dict[str, list[str]]:
    """The registries of networks, narrowed to the run's own rows."""
    return {"pga.networks.table.NETWORKS": [run.network], "pga.networks.build.LAYERS": [type(NETWORKS[run.network]).__name__]}


@cache
def _training(model: str, optimiser: str, delta: str, rows: tuple[tuple[str, tuple[str, ...]], ...]) -> str:
    terms = list(MODELS[model])
    return meaning(
        "pga.training.Trainer",
        only={
            "pga.terms.MODELS": [model],
            "pga.terms.TERMS": terms,
            "pga.losses": sorted({TERMS[term].loss for term in terms} | {"PERTURBATIONS", "root_mean_square"}),
            "pga.training.OPTIMISERS": [optimiser],
            "pga.losses.PERTURBATIONS": [delta],
            "pga.models.EXPRESSIONS": sorted({expression for term in terms for expression in TERMS[term].reads} | {"x̂"}),
            **{name: list(keys) for name, keys in rows},
        },
    )


def training_code(run: Run) -> str:
    """The code that trains `run`: the step, the run's own terms and network, and not those of other models."""
    rows = tuple((name, tuple(keys)) for name, keys in network_rows(run).items())
    return _training(run.model, run.optimiser, run.delta, rows)


def sampling_code(run: Run) -> str:
    """The code that samples from `run`."""
    return meaning("pga.commands.sample.run", only={**network_rows(run), "pga.terms.MODELS": [run.model]})


def curve_code(run: Run) -> str:
    """The code that measures the snapshots of `run`."""
    return meaning("pga.commands.curve.run", only={**network_rows(run), "pga.terms.MODELS": [run.model]})


@cache
def command_code(verb: str) -> str:
    """Everything that one verb of the command line runs."""
    return meaning(f"pga.commands.{verb}.run")
