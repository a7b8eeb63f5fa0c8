# Sources → data/raw → data/processed. The digits need no source: they come with scikit-learn.


rule fetch:
    output: "data/raw/{source}/{file}"
    wildcard_constraints:
        source=one_of(SOURCES),
    params:
        pinned=lambda wildcards: source_file(wildcards).checksum.model_dump(mode="json"), # where it comes from does not matter
    log: "logs/fetch/{source}-{file}.log"
    benchmark: "logs/fetch/{source}-{file}.tsv"
    threads: 1
    retries: 1
    resources: mem_mb=500, runtime="6h"
    shell: "pga fetch {wildcards.source:q} --file {wildcards.file:q} --out data/raw 2> {log:q}"


rule prepare:
    input: raw=raw_of
    output:
        train="data/processed/{dataset}.npy",
        test="data/processed/{dataset}-test.npy",
        provenance="data/processed/{dataset}.json",
    wildcard_constraints:
        dataset=one_of(name for name in DATASETS if name not in LABELLED),
    params:
        recipe=recipe_of,
    log: "logs/prepare/{dataset}.log"
    benchmark: "logs/prepare/{dataset}.tsv"
    threads: 16
    resources: mem_mb=1500, runtime="2h"
    shell: "pga prepare {wildcards.dataset:q} --raw data/raw --out data/processed --processes {threads} 2> {log:q}"


use rule prepare as prepare_labelled with:
    output:
        train="data/processed/{dataset}.npy",
        test="data/processed/{dataset}-test.npy",
        labels="data/processed/{dataset}-labels.npz",
        provenance="data/processed/{dataset}.json",
    wildcard_constraints:
        dataset=one_of(LABELLED),
    threads: lambda wildcards: 1 if DATASETS[wildcards.dataset].own_files() is None else 16


# What depends on prepared data depends on their bytes: preparing again, for whatever reason, makes nothing else again unless they differ.
PREPARING = ("prepare", "prepare_labelled")
engine.keep_outputs(PREPARING)
engine.plan_nothing_behind(PREPARING, known)
engine.judge_again_after(PREPARING, Path("data/processed"))
