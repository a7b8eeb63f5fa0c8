# Samples → metrics, in the features of a classifier that this workflow trains, or of the Inception network that FID is defined by.


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
