# What the rules share: the tables and experiments of params/, checked when the workflow is read, and what a job's wildcards stand for.

import os
import re
import shlex
import sys
from pathlib import Path

from snakemake.logging import logger

from pga.fingerprints import steps as fingerprints
from pga.data.prepare import recipe
from pga.data.prepared import PreparedRecord
from pga.runtime.errors import UserError
from pga.runtime.files import digest, read_json, sha256, write_json
from pga.params.artifacts import TABLES
from pga.params.base import NAME
from pga.params.catalogue import read_catalogue
from pga.params.claims import curves_read, load_claims
from pga.data.datasets import read_datasets
from pga.params.experiment import REAL, Experiment
from pga.metrics.metric_registry import METRICS
from pga.params.feature_spaces import FEATURE_SPACES, PIXELS
from pga.params.sampling import RECONSTRUCTION
from pga.params.sources import read_sources
from pga.training.run_record import RunRecord

# The code of this folder runs, the same whose meaning the rules' params hold, whatever is installed. One thread for linear algebra,
# whatever the machine has: sums depend on it (training sets its own number, which is part of the run).
programs = "".join(f"{name}() ( exec {shlex.quote(sys.executable)} -m {name} \"$@\" ); " for name in ("pga", "snakemake"))
# PGA_GPUS: a job that finds no GPU where some were asked for says so.
gpus = workflow.resource_settings.resources.get("gpu")
gpus = getattr(gpus, "value", gpus) or 0 # a number or an object, by Snakemake's version
modules = os.pathsep.join(filter(None, [str(workflow.basedir), os.environ.get("PYTHONPATH")]))
shell.prefix(f"export PYTHONPATH={shlex.quote(modules)} OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 PGA_GPUS={shlex.quote(str(gpus))}; {programs}")

try:
    SOURCES, wrong_sources = read_sources("params/sources.yaml")
    DATASETS, wrong = read_datasets("params/datasets.yaml")
    CLAIMS = load_claims("params/claims.yaml")
except UserError as error:
    raise WorkflowError(str(error)) from None


def lacking(source: str | None) -> str:
    """What is wrong with a row of the table of sources; nothing if it is right, or none is needed."""
    return "" if source is None or source in SOURCES else wrong_sources.get(source, f"params/sources.yaml: there is no source {source!r}")


for name in [name for name, row in DATASETS.items() if lacking(row.source)]:
    wrong[name] = lacking(DATASETS.pop(name).source)

RULE_FILES = ["Snakefile", *sorted(str(path) for path in Path("workflow/rules").glob("*.smk"))]
RULES = {name for file in RULE_FILES for name in re.findall(r"^(?:rule|use rule \w+ as) (\w+)", Path(file).read_text(encoding="utf-8"), re.M)}
CATALOGUE = read_catalogue(Path("params"), RULES, DATASETS, wrong)
EXPERIMENTS = CATALOGUE.experiments
"""Folder of results → (file of the experiment, its content)."""

for root, (file, experiment) in list(EXPERIMENTS.items()):
    spaces = [FEATURE_SPACES[label] for label in experiment.evaluation.labels(labelled=True) if label in FEATURE_SPACES]
    if reasons := [reason for space in spaces if (reason := lacking(space.source))]:
        del EXPERIMENTS[root]
        CATALOGUE.left_out[file] = f"{file}: evaluation: {reasons[0]}"


def tell_what_is_left_out(words: list[str]) -> None:
    """Refuse what the command line asks for and is left out; warn of all else that is, once for each cause."""
    data = [reason for name, reason in wrong.items() for word in words if re.match(rf"data/\w+/{name}\b", word)]
    if reasons := dict.fromkeys([*data, *CATALOGUE.asked_and_left_out(words)]):
        raise WorkflowError("\n".join(reasons))
    causes = [*wrong_sources.values(), *wrong.values()]
    left_out = {cause: [] for cause in wrong_sources.values()}
    for name, reason in [*wrong.items(), *CATALOGUE.left_out.items()]:
        left_out.setdefault(next((cause for cause in causes if cause in reason), reason), []).append(name)
    for cause, names in left_out.items():
        others = [name for name in names if name not in cause]
        logger.warning(f"left out: {cause}" + (f"; and with it {', '.join(others)}" if others else ""))


if workflow.is_main_process:
    tell_what_is_left_out(sys.argv[1:])

PINNED = "" if lacking("inception") else next(iter(SOURCES["inception"].files.values())).checksum.value
"""SHA-256 of Inception's weights, or its first digits."""

LABELLED = [name for name, dataset in DATASETS.items() if dataset.labelled]


def refuse_links_under_dvc() -> None:
    """DVC versions what lies in the repository, and says so of a folder that is a link only after everything in it was made."""
    folders = [Path("data"), *Path("data").glob("*"), Path("results"), *Path("results").glob("*")]
    links = [str(folder) for folder in folders if folder.is_symlink() and folder.name != "raw"]
    if links and "DVC_STAGE" in os.environ:
        raise WorkflowError(
            f"{', '.join(links)}: a link out of the repository, which DVC does not follow; docs/sharing.md says how results lie on another disk"
        )


refuse_links_under_dvc()


def one_of(names) -> str:
    """A pattern that matches just these names, and nothing if there are none."""
    return "|".join(names) or "(?!)"


def rows_with(sampling: str) -> str:
    """A pattern that matches the folder of an experiment where one of its rows follows that wants the sampling."""
    rows = [(root, dataset, model) for root, (_, experiment) in EXPERIMENTS.items() for dataset, model, wanted in experiment.samplings_of_runs() if wanted == sampling]
    return one_of(f"{root}(?=/{dataset}/{model}/)" for root, dataset, model in rows)


wildcard_constraints:
    root=one_of(sorted(EXPERIMENTS, reverse=True)),
    dataset=one_of(sorted(DATASETS)),
    model="[a-z][a-z0-9_]*",
    seed="[0-9]+",
    sampling=f"(?!{RECONSTRUCTION}/)[a-z][a-z0-9_]*", # test images are reconstructed, not sampled
    figure="[a-z][a-z0-9_]*",
    split="train|test",


def experiment_of(wildcards) -> Experiment:
    return EXPERIMENTS[wildcards.root][1]


def experiment_file(wildcards) -> str:
    return EXPERIMENTS[wildcards.root][0]


def device_of(wildcards) -> str:
    return experiment_of(wildcards).device


def gpu_of(wildcards) -> int:
    """GPUs of a job: the resource that `--resources gpu=N` limits."""
    return 0 if device_of(wildcards) == "cpu" else 1


def run_of(wildcards):
    """The run of a path results[/EXPERIMENT]/DATASET/MODEL/seedK/…"""
    return experiment_of(wildcards).run(wildcards.dataset, wildcards.model, int(wildcards.seed))


def sampling_of(wildcards):
    return experiment_of(wildcards).sampling(wildcards.get("sampling", "prior"))


def of_runs(root: str, file: str) -> list[str]:
    """`file` of every run of an experiment."""
    return [f"{root}/{run.dataset}/{run.name}/seed{run.seed}/{file}" for run in EXPERIMENTS[root][1].all_runs()]


def metrics_of(root: str, artifact: str | None = None) -> list[str]:
    """metrics.json of everything that an experiment measures, or of what one of its tables or figures shows."""
    experiment = EXPERIMENTS[root][1]
    cells = experiment.samplings_shown(artifact) if artifact else experiment.measurements()
    return [
        f"{root}/{dataset}/{model}/seed{seed}/{sampling}/metrics.json"
        for dataset, model, sampling in cells
        for seed in experiment.seeds_of(dataset, model)
    ]


def records_of(root: str, artifact: str | None = None) -> list[str]:
    """run.json of the same runs; real images are no run."""
    folders = dict.fromkeys(file.rsplit("/", 2)[0] for file in metrics_of(root, artifact))
    return [f"{folder}/run.json" for folder in folders if REAL not in folder.split("/")]
