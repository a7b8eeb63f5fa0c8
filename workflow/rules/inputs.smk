# What the jobs of each stage read, and with which flags, by their wildcards.


# Data


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


def recipe_of(wildcards) -> str:
    return recipe(wildcards.dataset, DATASETS[wildcards.dataset], SOURCES, Path("data/processed"))


def known(job) -> bool:
    """Whether a job will only make again what is absent: the record of the same recipe is there."""
    try:
        return not all(map(os.path.exists, job.output)) and PreparedRecord.read(Path(job.output.provenance)).recipe == job.params.recipe
    except UserError:
        return False


# Training and sampling


def fitted_to(wildcards, sampling: str) -> list[str]:
    """The training images, where a density is fitted to their codes."""
    if experiment_of(wildcards).sampling(sampling).density == "normal":
        return []
    images = f"data/processed/{wildcards.dataset}"
    return [f"{images}.npy", ancient(f"{images}.json")]


# Measuring


def weights_file(extractor: str, dataset: str) -> str:
    """The weights behind a feature space."""
    source = FEATURE_SPACES[extractor].source
    if source is None:
        return f"data/reference/{dataset}/{extractor}.safetensors"
    return f"data/raw/{source}/{next(iter(SOURCES[source].files))}"


def extractor_of(wildcards) -> str:
    """The feature space of the headline."""
    return experiment_of(wildcards).evaluation.extractor_label


def extractors_of(wildcards) -> list[str]:
    """The feature spaces in which a data set's samples are measured, the headline's first."""
    return experiment_of(wildcards).evaluation.labels(wildcards.dataset in LABELLED)


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


def is_foreign(wildcards, path: str) -> bool:
    """Whether statistics of real images are another tool's, wherever they lie."""
    return path in experiment_of(wildcards).evaluation.foreign.values()


def foreign_of(wildcards) -> str:
    """The flag that vouches for statistics of other tools."""
    labels = [label for label, path in zip(extractors_of(wildcards), references_of(wildcards)) if is_foreign(wildcards, path)]
    return f"--foreign {' '.join(labels)}" if labels else ""


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


def flags(values: dict[str, list[str]]) -> list[str]:
    """Flags with their values, without those that have none."""
    return [word for flag, several in values.items() if several for word in (flag, *several)]


def space_flags(wildcards, input) -> list[str]:
    """The feature spaces in which `pga evaluate` measures, with their files."""
    return flags({"--extractor": extractors_of(wildcards), "--weights": input.weights, "--reference": input.references})


def metric_flags(wildcards, input) -> list[str]:
    """What `pga evaluate` measures beside the Fréchet distance, and what that needs."""
    metrics = experiment_of(wildcards).metrics_of(wildcards.sampling)
    return flags({"--metrics": metrics, "--reference-features": input.features, "--reference-images": input.real})


FLAGS_OF_CURVE = {"reference": "--reference", "weights": "--weights", "real": "--reference-images"}


def curve_input(wildcards) -> dict[str, str]:
    """What the headline metric over training needs beside the snapshots."""
    label = extractor_of(wildcards)
    if label == PIXELS:
        return {"real": reference_images(wildcards)}
    return {"reference": references_of(wildcards)[0], "weights": weights_file(label, wildcards.dataset)}


def record_of_curve(wildcards) -> list[str]:
    """What the statistics of real images say of themselves, where the curve is compared with any."""
    statistics = [path for name, path in curve_input(wildcards).items() if name == "reference" and not is_foreign(wildcards, path)]
    return [path.replace(".npz", ".json") for path in statistics]


def samples_of(wildcards) -> str:
    """What is measured: a run's samples; for the pseudo model `real`, the images of the split that is not the reference."""
    if wildcards.model == REAL:
        return f"data/processed/{wildcards.dataset}{'-test' if sampling_of(wildcards).reference == 'train' else ''}.npy"
    return f"{wildcards.root}/{wildcards.dataset}/{wildcards.model}/seed{wildcards.seed}/{wildcards.sampling}/samples.npy"


def records_beside(wildcards) -> list[str]:
    """What samples and statistics of real images say of themselves; those of another tool say nothing."""
    samples = [] if wildcards.model == REAL else [samples_of(wildcards)]
    statistics = [path for path in references_of(wildcards) if not is_foreign(wildcards, path)]
    return [f"{os.path.splitext(path)[0]}.json" for path in samples + statistics]


def experiment_weights(wildcards) -> list[str]:
    """Weights of the experiment's feature space; none for pixels."""
    label = extractor_of(wildcards)
    return [] if label == PIXELS else [weights_file(label, wildcards.dataset)]


# Tables and figures


OF_ALL_RUNS = [name for name, row in TABLES.items() if row.of_all_runs]
"""The tables of all runs."""


SHOWN = {"table1": "table1", "numbers": "table1", "equivalence": "equivalence", "claims": None, **dict.fromkeys(OF_ALL_RUNS)}
"""Table that shows runs → the artifact whose runs these are, for which `pga collect` gathers their metrics; None for all."""


def inputs_of_table(wildcards) -> dict[str, str | list[str]]:
    """What a table is made from, besides the experiment's file."""
    root, table = wildcards.root, wildcards.table
    found = {}
    if table in SHOWN:
        shown = SHOWN[table]
        found |= {"metrics": f"{root}/metrics/{shown}.csv" if shown else f"{root}/metrics.csv", "runs": records_of(root, shown)}
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
        return {**experiment.measures(), "datasets": experiment.model_dump(mode="json")["datasets"]}
    return experiment.measures() if table in OF_ALL_RUNS else experiment.shows("equivalence" if table == "equivalence" else "table1")


def files_of_figure(wildcards) -> list[str]:
    """What a figure is drawn from."""
    return [f"{wildcards.root}/{file}" for file in experiment_of(wildcards).files_of_figure(wildcards.figure)]
