# Samples → metrics, in the features of a classifier that this workflow trains, or of the Inception network that FID is defined by.


rule classifier:
    input:
        train="data/processed/{dataset}.npy",
        test="data/processed/{dataset}-test.npy",
        labels="data/processed/{dataset}-labels.npz",
    output:
        weights="data/reference/{dataset}/classifier.safetensors",
        record="data/reference/{dataset}/classifier.json",
    params:
        code=fingerprints.command_code("classifier"),
    log: "logs/classifier/{dataset}.log"
    benchmark: "logs/classifier/{dataset}.tsv"
    threads: 1
    resources: mem_mb=3000, runtime="1h"
    shell: "pga classifier {wildcards.dataset} --data data/processed --out {output.weights} 2> {log}"


def weights_of(wildcards) -> str:
    """The weights file behind an extractor."""
    if wildcards.extractor == "classifier":
        return f"data/reference/{wildcards.dataset}/classifier.safetensors"
    return f"data/raw/inception/{next(iter(SOURCES['inception'].files))}"


rule reference:
    input:
        images=lambda wildcards: f"data/processed/{wildcards.dataset}{'' if wildcards.split == 'train' else '-test'}.npy",
        weights=weights_of,
    output: statistics="data/reference/{dataset}/{extractor}-{split}.npz"
    wildcard_constraints:
        extractor="classifier|inception-(tf1|pytorch_fid)",
    params:
        code=fingerprints.command_code("reference"),
    log: "logs/reference/{dataset}-{extractor}-{split}.log"
    benchmark: "logs/reference/{dataset}-{extractor}-{split}.tsv"
    threads: 1
    resources:
        mem_mb=6000,
        runtime="4h",
        gpu=lambda wildcards: 0 if wildcards.extractor == "classifier" else 1,
    shell:
        "pga reference {wildcards.dataset} --split {wildcards.split} --extractor {wildcards.extractor} --weights {input.weights}"
        " --data data/processed --out {output.statistics} 2> {log}"


def reference_of(wildcards) -> str:
    """Statistics of the real images in the scale's feature space: the training images unless the sampling says otherwise."""
    scale = scale_of(wildcards)
    split = scale.samplings[wildcards.get("sampling", "prior")].reference
    return f"data/reference/{wildcards.dataset}/{extractor_of(scale)}-{split}.npz"


def scale_weights(wildcards) -> str:
    """Weights of the scale's feature network."""
    if scale_of(wildcards).evaluation.extractor == "classifier":
        return f"data/reference/{wildcards.dataset}/classifier.safetensors"
    return f"data/raw/inception/{next(iter(SOURCES['inception'].files))}"


rule evaluate:
    input:
        samples="{root}/{dataset}/{model}/seed{seed}/{sampling}/samples.npy",
        reference=reference_of,
        weights=scale_weights,
    output: metrics="{root}/{dataset}/{model}/seed{seed}/{sampling}/metrics.json"
    params:
        extractor=lambda wildcards: extractor_of(scale_of(wildcards)),
        device=lambda wildcards: scale_of(wildcards).device,
        code=fingerprints.command_code("evaluate"),
    log: "logs/evaluate/{root}/{dataset}/{model}/seed{seed}-{sampling}.log"
    benchmark: "logs/evaluate/{root}/{dataset}/{model}/seed{seed}-{sampling}.tsv"
    threads: 1
    resources:
        mem_mb=4000,
        runtime="2h",
        gpu=lambda wildcards: 0 if scale_of(wildcards).device == "cpu" else 1,
    shell:
        "pga evaluate --samples {input.samples} --reference {input.reference} --weights {input.weights} --extractor {params.extractor}"
        " --dataset {wildcards.dataset} --model {wildcards.model} --seed {wildcards.seed} --sampling {wildcards.sampling}"
        " --device {params.device} --out {output.metrics} 2> {log}"


rule curve:
    input:
        snapshots="{root}/{dataset}/{model}/seed{seed}/snapshots.safetensors",
        reference=reference_of,
        weights=scale_weights,
    output: curve="{root}/{dataset}/{model}/seed{seed}/curve.csv"
    params:
        extractor=lambda wildcards: extractor_of(scale_of(wildcards)),
        sampling=lambda wildcards: scale_of(wildcards).samplings["prior"].flags(),
        device=lambda wildcards: scale_of(wildcards).device,
        code=lambda wildcards: fingerprints.curve_code(run_of(wildcards)),
    log: "logs/curve/{root}/{dataset}/{model}/seed{seed}.log"
    benchmark: "logs/curve/{root}/{dataset}/{model}/seed{seed}.tsv"
    threads: 1
    resources:
        mem_mb=6000,
        runtime="4h",
        gpu=lambda wildcards: 0 if scale_of(wildcards).device == "cpu" else 1,
    shell:
        "pga curve --run {input.snapshots} --reference {input.reference} --weights {input.weights} --extractor {params.extractor}"
        " {params.sampling} --device {params.device} --out {output.curve} 2> {log}"
