# Sources → data/raw → data/processed. The digits need no source: they come with scikit-learn.


rule fetch:
    output: "data/raw/{source}/{file}"
    wildcard_constraints:
        source="|".join(SOURCES),
    params:
        pinned=lambda wildcards: SOURCES[wildcards.source].files[wildcards.file].model_dump(mode="json"),
    log: "logs/fetch/{source}-{file}.log"
    benchmark: "logs/fetch/{source}-{file}.tsv"
    threads: 1
    retries: 1
    resources: mem_mb=500, runtime="6h"
    shell: "pga fetch {wildcards.source} --file {wildcards.file} --out data/raw 2> {log}"


rule prepare:
    input:
        raw=lambda wildcards: [
            f"data/raw/{DATASETS[wildcards.dataset].source}/{file}" for file in DATASETS[wildcards.dataset].raw_files(SOURCES)
        ],
    output:
        train="data/processed/{dataset}.npy",
        test="data/processed/{dataset}-test.npy",
        provenance="data/processed/{dataset}.json",
    wildcard_constraints:
        dataset="|".join(name for name in DATASETS if name not in LABELLED),
    params:
        dataset=lambda wildcards: DATASETS[wildcards.dataset].model_dump(mode="json"),
        code=fingerprints.command_code("prepare"),
    log: "logs/prepare/{dataset}.log"
    benchmark: "logs/prepare/{dataset}.tsv"
    threads: lambda wildcards: 1 if DATASETS[wildcards.dataset].kind in ("digits", "idx", "cifar10") else 16
    resources: mem_mb=1500, runtime="2h"
    shell: "pga prepare {wildcards.dataset} --raw data/raw --out data/processed 2> {log}"


use rule prepare as prepare_labelled with:
    output:
        train="data/processed/{dataset}.npy",
        test="data/processed/{dataset}-test.npy",
        labels="data/processed/{dataset}-labels.npz",
        provenance="data/processed/{dataset}.json",
    wildcard_constraints:
        dataset="|".join(LABELLED),
