"""Which code the results of each step of the workflow depend on, as fingerprints of its meaning (`pga.fingerprints.closure`).

All are of the same moment, that at which this module was imported, so that a workflow keeps the code with which it was planned, whatever is
edited while it runs. Each is made when a job needs it, and cached: otherwise every start of Snakemake would pay for all.
"""

from __future__ import annotations

from functools import cache, partial

from pga.fingerprints import closure as of_code
from pga.fingerprints.package import Sources
from pga.method.terms import MODELS, TERMS
from pga.networks.architectures import NETWORKS
from pga.params.run import Run

SOURCES = Sources(of_code.ROOT)
meaning = partial(of_code.meaning, sources=SOURCES)

Rows = tuple[tuple[str, tuple[str, ...]], ...]
"""Registry → the rows of it that count."""


def network_rows(run: Run) -> Rows:
    """The registries of networks, narrowed to the run's own rows."""
    return (
        ("pga.networks.architectures.NETWORKS", (run.network,)),
        ("pga.networks.build.LAYERS", (type(NETWORKS[run.network]).__name__,)),
    )


@cache
def _training(model: str, optimiser: str, delta: str, rows: Rows) -> str:
    terms = list(MODELS[model])
    return meaning(
        "pga.training.trainer.Trainer",
        only={
            "pga.method.terms.MODELS": [model],
            "pga.method.terms.TERMS": terms,
            "pga.method.losses": sorted({str(TERMS[term].loss) for term in terms} | {"PERTURBATIONS", "root_mean_square"}),
            "pga.training.optimisers.OPTIMISERS": [optimiser],
            "pga.method.losses.PERTURBATIONS": [delta],
            "pga.method.values.EXPRESSIONS": sorted({expression for term in terms for expression in TERMS[term].reads} | {"x̂"}),
            **{name: list(keys) for name, keys in rows},
        },
    )


def training_code(run: Run) -> str:
    """The code that trains `run`: the step, the run's own terms and network, and not those of other models."""
    return _training(run.model, run.optimiser, run.delta, network_rows(run))


@cache
def _of_run(roots: tuple[str, ...], model: str, rows: Rows) -> str:
    return meaning(*roots, only={**{name: list(keys) for name, keys in rows}, "pga.method.terms.MODELS": [model]})


SAMPLING = ("pga.sampling.sample.sample", "pga.sampling.sample.load_networks", "pga.sampling.density.encode", "pga.sampling.density.fitted")
MADE = ("pga.sampling.generated.maker", "pga.sampling.generated.save_made")
EVALUATION = (
    "pga.evaluation.protocol.evaluate",
    "pga.evaluation.features.load_extractor.load_extractor",
    "pga.evaluation.statistics.load_statistics",
    "pga.evaluation.statistics.load_features",
)


def sampling_code(run: Run) -> str:
    """The code that samples from `run`."""
    return _of_run((*SAMPLING, "pga.sampling.standing_statistics.standing", *MADE), run.model, network_rows(run))


def interpolation_code(run: Run) -> str:
    """The code that interpolates between test images with `run`."""
    return _of_run(("pga.sampling.interpolation.interpolate", "pga.sampling.sample.load_networks", *MADE), run.model, network_rows(run))


def reconstruction_code(run: Run) -> str:
    """The code that reconstructs test images with `run`."""
    return _of_run(
        ("pga.sampling.reconstruction.reconstruct", "pga.sampling.sample.load_networks", "pga.commands.reconstruct.write"),
        run.model,
        network_rows(run),
    )


def curve_code(run: Run) -> str:
    """The code that measures the snapshots of `run`."""
    return _of_run((*SAMPLING, *EVALUATION, "pga.sampling.sample.load_snapshots", "pga.commands.curve.run"), run.model, network_rows(run))


@cache
def evaluation_code() -> str:
    """The code that measures samples."""
    return meaning(*EVALUATION, "pga.evaluation.protocol.chosen", "pga.commands.evaluate.run")


@cache
def neighbours_code() -> str:
    """The code that finds the images nearest to samples."""
    return meaning(
        "pga.evaluation.nearest.nearest_images",
        "pga.evaluation.features.load_extractor.load_extractor",
        "pga.sampling.generated.load_made",
        *MADE,
    )


@cache
def reference_code() -> str:
    """The code that makes statistics of real images."""
    return meaning(
        "pga.evaluation.statistics.statistics",
        "pga.evaluation.statistics.Keep",
        "pga.evaluation.statistics.save_statistics",
        "pga.evaluation.features.load_extractor.load_extractor",
        "pga.evaluation.features.extractor.stream",
    )


@cache
def classifier_code() -> str:
    """The code that trains the small classifier."""
    return meaning("pga.evaluation.features.classifier.train_classifier")


@cache
def preparing_code(kind: str) -> str:
    """The code that prepares data sets of one kind: new prepared data retrains everything, so nothing else may count."""
    return meaning("pga.data.prepare.prepare", only={"pga.data.prepare.KINDS": [kind]})


@cache
def command_code(verb: str) -> str:
    """Everything that one verb of the command line runs, for tables and figures, which cost little."""
    return meaning(f"pga.commands.{verb}.run")


@cache
def table_code(name: str) -> str:
    """The code that writes one table."""
    return meaning("pga.commands.table.run", only={"pga.artifacts.tables.table_registry.TABLES": [name]})


@cache
def figure_code(kind: str) -> str:
    """The code that draws figures of one kind."""
    return meaning("pga.commands.figure.run", only={"pga.artifacts.figures.figure_registry.FIGURES": [kind]})
