# What the rules share: the experiments, checked when the workflow is read, and the names of files.

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
from pga.runtime.files import digest, read_json, read_record, sha256, write_json
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

if workflow.is_main_process:
    data = [reason for name, reason in wrong.items() for word in sys.argv[1:] if re.match(rf"data/\w+/{name}\b", word)]
    if reasons := dict.fromkeys([*data, *CATALOGUE.asked_and_left_out(sys.argv[1:])]):
        raise WorkflowError("\n".join(reasons))
    causes = [*wrong_sources.values(), *wrong.values()]
    left_out = {cause: [] for cause in wrong_sources.values()}
    for name, reason in [*wrong.items(), *CATALOGUE.left_out.items()]:
        left_out.setdefault(next((cause for cause in causes if cause in reason), reason), []).append(name)
    for cause, names in left_out.items():
        others = [name for name in names if name not in cause]
        logger.warning(f"left out: {cause}" + (f"; and with it {', '.join(others)}" if others else ""))


def results_of(name: str) -> str:
    """The folder of results of an experiment, by the name of its file."""
    if reason := CATALOGUE.left_out.get(f"params/{name}.yaml"):
        raise WorkflowError(reason)
    for root, (file, _) in EXPERIMENTS.items():
        if Path(file).stem == name:
            return root
    raise WorkflowError(f"params/{name}.yaml: there is no such file")


def experiments_with_targets() -> list[str]:
    """The names of all experiments, and of those left out, whose targets say why."""
    names = [Path(file).stem for file in [*(file for file, _ in EXPERIMENTS.values()), *CATALOGUE.left_out]]
    return [name for name in dict.fromkeys(names) if re.fullmatch(NAME, name) and name not in RULES]


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


def run_folder(root: str, run) -> str:
    return f"{root}/{run.dataset}/{run.name}/seed{run.seed}"


def of_runs(root: str, file: str) -> list[str]:
    """`file` of every run of an experiment."""
    return [f"{run_folder(root, run)}/{file}" for run in EXPERIMENTS[root][1].all_runs()]


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


def extractor_of(experiment: Experiment) -> str:
    return experiment.evaluation.extractor_label


def extractors_of(wildcards) -> list[str]:
    """The feature spaces in which a data set's samples are measured, the headline's first."""
    return experiment_of(wildcards).evaluation.labels(wildcards.dataset in LABELLED)


OF_ALL_RUNS = [name for name, row in TABLES.items() if row.of_all_runs]
"""The tables that the rule `table` makes."""


def artifacts(root: str) -> list[str]:
    """Everything that an experiment makes."""
    figures = [f"{root}/figures/{figure}.{kind}" for figure in EXPERIMENTS[root][1].figures for kind in ("png", "pdf", "tex", "json")]
    names = ["table1", "notation", "parameters", *OF_ALL_RUNS, *(["equivalence"] if EXPERIMENTS[root][1].equivalence else [])]
    tables = [f"{root}/{table}.{kind}" for table in names for kind in ("csv", "md", "tex", "json")]
    others = [f"{root}/{file}" for file in ("claims.csv", "claims.json", "numbers.tex", "numbers.json", "report.html", "report.json")]
    return [*tables, *figures, *others]


def shown_in_report(root: str) -> list[str]:
    """What the report shows of an experiment besides its runs."""
    left_out = (".md", ".tex", "numbers.json", "report.html", "report.json")
    return [file for file in artifacts(root) if not file.endswith(left_out)] + [f"{root}/metrics.csv"]


def details_of_runs(root: str) -> list[str]:
    """What the report reads of every run, as far as the workflow makes it for other reasons."""
    experiment = EXPERIMENTS[root][1]
    samples = [
        f"{root}/{dataset}/{model}/seed{seed}/{sampling}/samples.{kind}"
        for dataset, model, sampling in experiment.samplings_of_runs()
        for seed in experiment.seeds_of(dataset, model)
        for kind in ("npy", "json")
    ]
    drawn = [file for figure in experiment.figures for file in experiment.files_of_figure(figure) if Path(file).stem == "curve"]
    curves = {f"{root}/{file}" for file in [*drawn, *curves_read(experiment, CLAIMS)]}
    of_training = [file for name in ("run.json", "history.csv", "snapshots.safetensors") for file in of_runs(root, name)]
    return [*of_training, *metrics_of(root), *samples, *sorted(curves)]


def raw_of(wildcards) -> list[str]:
    """The downloads that a data set is made of."""
    row = DATASETS[wildcards.dataset]
    return [f"data/raw/{row.source}/{file}" for file in row.raw_files(SOURCES)]


def source_file(wildcards):
    """A row of the table of sources."""
    files = SOURCES[wildcards.source].files
    if wildcards.file not in files:
        raise UserError(f"no file {wildcards.file!r} of {wildcards.source} in params/sources.yaml; there are {', '.join(files)}")
    return files[wildcards.file]


def weights_file(extractor: str, dataset: str) -> str:
    """The weights behind a feature space."""
    source = FEATURE_SPACES[extractor].source
    if source is None:
        return f"data/reference/{dataset}/{extractor}.safetensors"
    return f"data/raw/{source}/{next(iter(SOURCES[source].files))}"


def pinned(extractors: list[str]) -> str:
    """The flag with the checksum of Inception's weights, for those who read them."""
    return f"--weights-sha256 {PINNED}" if any(extractor.startswith("inception") for extractor in extractors) else ""


def references_of(wildcards) -> list[str]:
    """Statistics of the real images in each feature space: the training images unless the sampling says otherwise."""
    split = sampling_of(wildcards).reference
    foreign = experiment_of(wildcards).evaluation.foreign
    return [
        foreign.get(f"{wildcards.dataset}/{extractor}-{split}", f"data/reference/{wildcards.dataset}/{extractor}-{split}.npz")
        for extractor in extractors_of(wildcards)
    ]


def foreign_of(wildcards) -> str:
    """The flag that vouches for statistics of other tools."""
    own = [path.startswith("data/reference/") for path in references_of(wildcards)]
    labels = [label for label, ours in zip(extractors_of(wildcards), own) if not ours]
    return f"--foreign {' '.join(labels)}" if labels else ""


def fitted_to(wildcards, sampling: str) -> list[str]:
    """The training images, where a density is fitted to their codes."""
    if experiment_of(wildcards).sampling(sampling).density == "normal":
        return []
    images = f"data/processed/{wildcards.dataset}"
    return [f"{images}.npy", ancient(f"{images}.json")]


def few_samples(wildcards) -> str:
    """The flag that accepts fewer samples than feature dimensions."""
    return "--few-samples" if experiment_of(wildcards).evaluation.few_samples else ""


def features_of(wildcards) -> list[str]:
    """Features of the real images, where what is measured needs them."""
    needed = any(METRICS[metric].of_single_images for metric in experiment_of(wildcards).metrics_of(wildcards.sampling))
    return [path.replace(".npz", "-features.npy") for path in references_of(wildcards)] if needed else []


def reference_images(wildcards) -> str:
    """The real images that samples are compared with."""
    split = sampling_of(wildcards).reference
    return f"data/processed/{wildcards.dataset}{'' if split == 'train' else '-test'}.npy"


def real_images_of(wildcards) -> list[str]:
    """The real images, where a metric compares pixels."""
    metrics = experiment_of(wildcards).metrics_of(wildcards.sampling)
    return [reference_images(wildcards)] if any("real_images" in METRICS[metric].needs for metric in metrics) else []


def space_flags(wildcards, input) -> list[str]:
    """The feature spaces in which `pga evaluate` measures, with their files."""
    flags = {"--extractor": extractors_of(wildcards), "--weights": input.weights, "--reference": input.references}
    return [word for flag, files in flags.items() if files for word in (flag, *files)]


def metric_flags(wildcards, input) -> list[str]:
    """What `pga evaluate` measures beside the Fréchet distance, and what that needs."""
    flags = {"--metrics": experiment_of(wildcards).metrics_of(wildcards.sampling), "--reference-features": input.features, "--reference-images": input.real}
    return [word for flag, values in flags.items() if values for word in (flag, *values)]


FLAGS_OF_CURVE = {"reference": "--reference", "weights": "--weights", "real": "--reference-images"}


def curve_input(wildcards) -> dict[str, str]:
    """What the headline metric over training needs beside the snapshots."""
    label = extractor_of(experiment_of(wildcards))
    if label == PIXELS:
        return {"real": reference_images(wildcards)}
    return {"reference": references_of(wildcards)[0], "weights": weights_file(label, wildcards.dataset)}


def record_of_curve(wildcards) -> list[str]:
    """What the statistics of real images say of themselves, where the curve is compared with any."""
    return [path.replace(".npz", ".json") for path in curve_input(wildcards).values() if path.startswith("data/reference/") and path.endswith(".npz")]


def samples_of(wildcards) -> str:
    """What is measured: a run's samples; for the pseudo model `real`, the images of the split that is not the reference."""
    if wildcards.model == REAL:
        return f"data/processed/{wildcards.dataset}{'-test' if sampling_of(wildcards).reference == 'train' else ''}.npy"
    return f"{run_path(wildcards)}/{wildcards.sampling}/samples.npy"


def records_beside(wildcards) -> list[str]:
    """What samples and statistics of real images say of themselves; those of another tool say nothing."""
    own = [path for path in (samples_of(wildcards), *references_of(wildcards)) if path.startswith((wildcards.root, "data/reference/"))]
    return [f"{os.path.splitext(path)[0]}.json" for path in own]


def run_path(wildcards) -> str:
    return f"{wildcards.root}/{wildcards.dataset}/{wildcards.model}/seed{wildcards.seed}"


def experiment_weights(wildcards) -> list[str]:
    """Weights of the experiment's feature space; none for pixels."""
    label = extractor_of(experiment_of(wildcards))
    return [] if label == PIXELS else [weights_file(label, wildcards.dataset)]


def files_of_figure(wildcards) -> list[str]:
    """What a figure is drawn from."""
    return [f"{wildcards.root}/{file}" for file in experiment_of(wildcards).files_of_figure(wildcards.figure)]


def everything(root: str) -> list[str]:
    """All files that an experiment makes: of its runs too, so that one which is missing is noticed though all tables are there."""
    experiment = EXPERIMENTS[root][1]
    drawn = [f"{root}/{file}" for figure in experiment.figures for file in experiment.files_of_figure(figure)]
    summaries = [f"{root}/{dataset}/summary.{kind}" for dataset in experiment.datasets for kind in ("json", "csv")]
    models = of_runs(root, "model.safetensors")
    return list(dict.fromkeys([*artifacts(root), *shown_in_report(root), *details_of_runs(root), *models, *drawn, *summaries]))


def of_dataset(files: list[str], root: str, dataset: str) -> list[str]:
    """Those of the files that belong to one data set of an experiment."""
    return [file for file in files if file.startswith(f"{root}/{dataset}/")]


def recipe_of(wildcards) -> str:
    return recipe(wildcards.dataset, DATASETS[wildcards.dataset], SOURCES, Path("data/processed"))


def known(job) -> bool:
    """Whether a job will only make again what is absent: the record of the same recipe is there."""
    try:
        return not all(map(os.path.exists, job.output)) and PreparedRecord.read(Path(job.output.provenance)).recipe == job.params.recipe
    except UserError:
        return False


def overview() -> str:
    """What can be asked for, as text that Snakemake formats: braces are doubled."""
    experiments = []
    for root, (file, experiment) in EXPERIMENTS.items():
        trainings = len(experiment.all_runs())
        experiments.append(f"  {Path(file).stem:<16} {experiment.description} ({trainings} training{'s' * (trainings != 1)}, in {root}/)")
    lines = [
        "no target was named, so nothing is made. An experiment is a target that makes everything of it:",
        *experiments,
        "Each of its tables, figures and files is a target, too. With -n behind it, a command only shows the plan:",
        "  snakemake --cores 2 results/quick/table1.csv",
        "  snakemake --cores 4 --resources gpu=1 results/figures/figure2.png",
    ]
    return "\n".join(lines).replace("{", "{{").replace("}", "}}")


METRICS_OF = {"table1": "metrics/table1", "numbers": "metrics/table1", "claims": "metrics", "equivalence": "metrics/equivalence", **dict.fromkeys(OF_ALL_RUNS, "metrics")}
"""Table → what `pga collect` gathers for it."""
RUNS_OF = {"table1": "table1", "numbers": "table1", "equivalence": "equivalence", "claims": None, **dict.fromkeys(OF_ALL_RUNS)}
"""Table that shows runs → the artifact whose runs these are; None for all."""


def inputs_of_table(wildcards) -> dict[str, str | list[str]]:
    """What a table is made from, besides the experiment's file."""
    root, table = wildcards.root, wildcards.table
    found = {"metrics": f"{root}/{METRICS_OF[table]}.csv"} if table in METRICS_OF else {}
    if table in RUNS_OF:
        found["runs"] = records_of(root, RUNS_OF[table])
    if table in ("table1", "numbers", "claims"):
        found["claims"] = "params/claims.yaml"
    if table == "claims":
        found["curves"] = [f"{root}/{file}" for file in curves_read(experiment_of(wildcards), CLAIMS)]
    return found


def shown_by_table(wildcards):
    """The values of the experiment's file that a table shows besides the runs."""
    experiment, table = experiment_of(wildcards), wildcards.table
    if table == "notation":
        return None
    if table == "parameters":
        return experiment.model_dump(mode="json")["datasets"]
    return experiment.measures() if table in OF_ALL_RUNS else experiment.shows("equivalence" if table == "equivalence" else "table1")
