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
