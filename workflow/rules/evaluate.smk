# Samples → metrics, in the features of a classifier that this workflow trains, or of the Inception network that FID is defined by.


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


def foreign_of(wildcards) -> str:
    """The flag that vouches for statistics of other tools."""
    own = [path.startswith("data/reference/") for path in references_of(wildcards)]
    labels = [label for label, ours in zip(extractors_of(wildcards), own) if not ours]
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
    return [path.replace(".npz", ".json") for path in curve_input(wildcards).values() if path.startswith("data/reference/") and path.endswith(".npz")]


def samples_of(wildcards) -> str:
    """What is measured: a run's samples; for the pseudo model `real`, the images of the split that is not the reference."""
    if wildcards.model == REAL:
        return f"data/processed/{wildcards.dataset}{'-test' if sampling_of(wildcards).reference == 'train' else ''}.npy"
    return f"{wildcards.root}/{wildcards.dataset}/{wildcards.model}/seed{wildcards.seed}/{wildcards.sampling}/samples.npy"


def records_beside(wildcards) -> list[str]:
    """What samples and statistics of real images say of themselves; those of another tool say nothing."""
    own = [path for path in (samples_of(wildcards), *references_of(wildcards)) if path.startswith((wildcards.root, "data/reference/"))]
    return [f"{os.path.splitext(path)[0]}.json" for path in own]


def experiment_weights(wildcards) -> list[str]:
    """Weights of the experiment's feature space; none for pixels."""
    label = extractor_of(wildcards)
    return [] if label == PIXELS else [weights_file(label, wildcards.dataset)]


rule classifier:
    input:
        train="data/processed/{dataset}.npy",
        test="data/processed/{dataset}-test.npy",
        labels="data/processed/{dataset}-labels.npz",
        provenance=ancient("data/processed/{dataset}.json"),
    output:
        weights="data/reference/{dataset}/classifier.safetensors",
        about="data/reference/{dataset}/classifier.json",
    params:
        code=lambda wildcards: fingerprints.classifier_code(),
    log: "logs/classifier/{dataset}.log"
    benchmark: "logs/classifier/{dataset}.tsv"
    threads: 1
    resources: mem_mb=3000, runtime="1h"
    shell: "pga classifier --planned-code {params.code:q} {wildcards.dataset:q} --data data/processed --out {output.weights:q} 2> {log:q}"


rule reference:
    input:
        images=lambda wildcards: f"data/processed/{wildcards.dataset}{'' if wildcards.split == 'train' else '-test'}.npy",
        provenance=ancient("data/processed/{dataset}.json"),
        weights=lambda wildcards: weights_file(wildcards.extractor, wildcards.dataset),
    output:
        statistics="data/reference/{dataset}/{extractor}-{split}.npz",
        features="data/reference/{dataset}/{extractor}-{split}-features.npy",
        about="data/reference/{dataset}/{extractor}-{split}.json",
    wildcard_constraints:
        extractor=one_of(FEATURE_SPACES),
    params:
        pinned=lambda wildcards: pinned([wildcards.extractor]),
        code=lambda wildcards: fingerprints.reference_code(),
    log: "logs/reference/{dataset}-{extractor}-{split}.log"
    benchmark: "logs/reference/{dataset}-{extractor}-{split}.tsv"
    threads: 1
    resources:
        mem_mb=6000,
        runtime="4h",
        gpu=lambda wildcards: 0 if FEATURE_SPACES[wildcards.extractor].source is None else 1, # the classifier is small
    shell:
        "pga reference --planned-code {params.code:q} {wildcards.dataset:q} --split {wildcards.split:q} --extractor {wildcards.extractor:q} --weights {input.weights:q} {params.pinned}"
        " --data data/processed --out {output.statistics:q} 2> {log:q}"


rule evaluate:
    # In every feature space of the experiment at once: a job's start costs more than most of what it measures.
    input:
        samples=samples_of,
        references=references_of,
        about=records_beside,
        features=features_of,
        real=real_images_of,
        weights=lambda wildcards: [weights_file(extractor, wildcards.dataset) for extractor in extractors_of(wildcards)],
    output: metrics="{root}/{dataset}/{model}/seed{seed}/{sampling}/metrics.json"
    params:
        spaces=space_flags,
        metrics=metric_flags,
        foreign=foreign_of,
        few_samples=few_samples,
        at_most=lambda wildcards: f"--at-most {sampling_of(wildcards).n}" if wildcards.model == REAL else "",
        device=device_of,
        pinned=lambda wildcards: pinned(extractors_of(wildcards)),
        code=lambda wildcards: fingerprints.evaluation_code(),
    log: "logs/evaluate/{root}/{dataset}/{model}/seed{seed}-{sampling}.log"
    benchmark: "logs/evaluate/{root}/{dataset}/{model}/seed{seed}-{sampling}.tsv"
    threads: 1
    resources:
        mem_mb=6000,
        runtime="4h",
        gpu=gpu_of,
    shell:
        "pga evaluate --planned-code {params.code:q} --samples {input.samples:q} {params.at_most} {params.spaces:q} {params.pinned} {params.foreign} {params.metrics:q}"
        " {params.few_samples} --dataset {wildcards.dataset:q} --model {wildcards.model:q} --seed {wildcards.seed:q}"
        " --sampling {wildcards.sampling:q} --device {params.device:q} --out {output.metrics:q} 2> {log:q}"


rule neighbours:
    input:
        samples="{root}/{dataset}/{model}/seed{seed}/{sampling}/samples.npy",
        about="{root}/{dataset}/{model}/seed{seed}/{sampling}/samples.json",
        images="data/processed/{dataset}.npy",
        provenance=ancient("data/processed/{dataset}.json"),
        weights=experiment_weights,
    output:
        neighbours="{root}/{dataset}/{model}/seed{seed}/{sampling}/neighbours.npy",
        about="{root}/{dataset}/{model}/seed{seed}/{sampling}/neighbours.json",
    params:
        extractor=extractor_of,
        weights=lambda wildcards, input: ["--weights", *input.weights] if input.weights else [],
        device=device_of,
        pinned=lambda wildcards: pinned([extractor_of(wildcards)]),
        code=lambda wildcards: fingerprints.neighbours_code(),
    log: "logs/neighbours/{root}/{dataset}/{model}/seed{seed}-{sampling}.log"
    benchmark: "logs/neighbours/{root}/{dataset}/{model}/seed{seed}-{sampling}.tsv"
    threads: 1
    resources:
        mem_mb=4000,
        runtime="2h",
        gpu=gpu_of,
    shell:
        "pga neighbours --planned-code {params.code:q} {wildcards.dataset:q} --samples {input.samples:q} --extractor {params.extractor:q} {params.weights:q} {params.pinned}"
        " --data data/processed --device {params.device:q} --out {output.neighbours:q} 2> {log:q}"


rule curve:
    input:
        unpack(curve_input),
        about=record_of_curve,
        snapshots="{root}/{dataset}/{model}/seed{seed}/snapshots.safetensors",
    output:
        curve="{root}/{dataset}/{model}/seed{seed}/curve.csv",
        about="{root}/{dataset}/{model}/seed{seed}/curve.json",
    params:
        extractor=extractor_of,
        space=lambda wildcards: [word for flag, file in curve_input(wildcards).items() for word in (FLAGS_OF_CURVE[flag], file)],
        prior=lambda wildcards: sampling_of(wildcards).size_flags(),
        foreign=lambda wildcards: "--foreign" if foreign_of(wildcards).startswith(f"--foreign {extractor_of(wildcards)}") else "",
        few_samples=few_samples,
        device=device_of,
        pinned=lambda wildcards: pinned([extractor_of(wildcards)]),
        code=lambda wildcards: fingerprints.curve_code(run_of(wildcards)),
    log: "logs/curve/{root}/{dataset}/{model}/seed{seed}.log"
    benchmark: "logs/curve/{root}/{dataset}/{model}/seed{seed}.tsv"
    threads: 1
    resources:
        mem_mb=6000,
        runtime="4h",
        gpu=gpu_of,
    shell:
        "pga curve --planned-code {params.code:q} --run {input.snapshots:q} --extractor {params.extractor:q} {params.space:q} {params.pinned}"
        " {params.foreign} {params.few_samples} {params.prior} --device {params.device:q} --out {output.curve:q} 2> {log:q}"


rule summary:
    input:
        metrics=lambda wildcards: of_dataset(metrics_of(wildcards.root), wildcards.root, wildcards.dataset),
        runs=lambda wildcards: of_dataset(records_of(wildcards.root), wildcards.root, wildcards.dataset),
    output:
        means="{root}/{dataset}/summary.json",
        headline="{root}/{dataset}/summary.csv",
    params:
        file=experiment_file,
        runs=lambda wildcards: of_dataset(metrics_of(wildcards.root), wildcards.root, wildcards.dataset),
        out=subpath(output.means, parent=True),
        code=lambda wildcards: fingerprints.command_code("summary"),
    log: "logs/summary/{root}/{dataset}.log"
    benchmark: "logs/summary/{root}/{dataset}.tsv"
    threads: 1
    resources: mem_mb=1000, runtime="10m"
    shell: "pga summary --planned-code {params.code:q} {wildcards.dataset:q} --params {params.file:q} --out {params.out:q} 2> {log:q}"
