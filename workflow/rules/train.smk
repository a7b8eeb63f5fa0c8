# data/processed → trained runs. A run reruns when its own parameters, its data or the meaning of its code change, and only then.
# Checkpoints lie in .pga/, outside of the declared outputs: what is killed continues.


rule train:
    input:
        data="data/processed/{dataset}.npy",
        provenance=ancient("data/processed/{dataset}.json"),
    output:
        model="{root}/{dataset}/{model}/seed{seed}/model.safetensors",
        snapshots="{root}/{dataset}/{model}/seed{seed}/snapshots.safetensors",
        history="{root}/{dataset}/{model}/seed{seed}/history.csv",
        record="{root}/{dataset}/{model}/seed{seed}/run.json",
    params:
        file=experiment_file,
        out=subpath(output.model, parent=True),
        device=device_of,
        digest=lambda wildcards: run_of(wildcards).digest,
        code=lambda wildcards: fingerprints.training_code(run_of(wildcards)),
    log: "logs/train/{root}/{dataset}/{model}/seed{seed}.log"
    benchmark: "logs/train/{root}/{dataset}/{model}/seed{seed}.tsv"
    threads: lambda wildcards: run_of(wildcards).threads
    resources:
        scratch=".pga/checkpoints", # of checkpoints; no param: wherever they lie, nothing is to be made again
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: f"{12 * attempt}h",
        gpu=gpu_of,
    shell:
        "pga train --planned-code {params.code:q} --params {params.file:q} --dataset {wildcards.dataset:q} --model {wildcards.model:q} --seed {wildcards.seed:q}"
        " --device {params.device:q} --expect {params.digest:q} --out {params.out:q} --scratch {resources.scratch:q} 2> {log:q}"


rule sample:
    # From the prior, with the reconstructions of the test images: loading torch and the run takes longer than either.
    input:
        model="{root}/{dataset}/{model}/seed{seed}/model.safetensors",
        images="data/processed/{dataset}-test.npy",
        fitted_to=lambda wildcards: fitted_to(wildcards, "prior"),
        provenance=ancient("data/processed/{dataset}.json"),
    output:
        samples="{root}/{dataset}/{model}/seed{seed}/prior/samples.npy",
        about="{root}/{dataset}/{model}/seed{seed}/prior/samples.json",
        images="{root}/{dataset}/{model}/seed{seed}/reconstruction/reconstructions.npy",
        about_images="{root}/{dataset}/{model}/seed{seed}/reconstruction/reconstructions.json",
        metrics="{root}/{dataset}/{model}/seed{seed}/reconstruction/metrics.json",
    wildcard_constraints:
        root=rows_with("prior"),
    params:
        sampling=lambda wildcards: sampling_of(wildcards).flags(),
        out=subpath(output.images, parent=True),
        device=device_of,
        code=lambda wildcards: fingerprints.sampling_code(run_of(wildcards)),
    log: "logs/sample/{root}/{dataset}/{model}/seed{seed}-prior.log"
    benchmark: "logs/sample/{root}/{dataset}/{model}/seed{seed}-prior.tsv"
    threads: 1
    resources:
        mem_mb=4000,
        runtime="30m",
        gpu=gpu_of,
    shell:
        "pga sample --planned-code {params.code:q} --run {input.model:q} --out {output.samples:q} {params.sampling} --reconstructions {params.out:q} --data data/processed"
        " --device {params.device:q} 2> {log:q}"


rule sample_otherwise:
    input:
        model="{root}/{dataset}/{model}/seed{seed}/model.safetensors",
        fitted_to=lambda wildcards: fitted_to(wildcards, wildcards.sampling),
    output:
        samples="{root}/{dataset}/{model}/seed{seed}/{sampling}/samples.npy",
        about="{root}/{dataset}/{model}/seed{seed}/{sampling}/samples.json",
    params:
        sampling=lambda wildcards: sampling_of(wildcards).flags(),
        device=device_of,
        code=lambda wildcards: fingerprints.sampling_code(run_of(wildcards)),
    log: "logs/sample/{root}/{dataset}/{model}/seed{seed}-{sampling}.log"
    benchmark: "logs/sample/{root}/{dataset}/{model}/seed{seed}-{sampling}.tsv"
    threads: 1
    resources:
        mem_mb=4000,
        runtime="30m",
        gpu=gpu_of,
    shell:
        "pga sample --planned-code {params.code:q} --run {input.model:q} --out {output.samples:q} {params.sampling} --data data/processed"
        " --device {params.device:q} 2> {log:q}"


rule reconstruct:
    # For the rows that nobody samples from the prior; `sample` makes the same two files for all others.
    input:
        model="{root}/{dataset}/{model}/seed{seed}/model.safetensors",
        images="data/processed/{dataset}-test.npy",
        provenance=ancient("data/processed/{dataset}.json"),
    output:
        images="{root}/{dataset}/{model}/seed{seed}/reconstruction/reconstructions.npy",
        about="{root}/{dataset}/{model}/seed{seed}/reconstruction/reconstructions.json",
        metrics="{root}/{dataset}/{model}/seed{seed}/reconstruction/metrics.json",
    params:
        out=subpath(output.images, parent=True),
        device=device_of,
        code=lambda wildcards: fingerprints.reconstruction_code(run_of(wildcards)),
    log: "logs/reconstruct/{root}/{dataset}/{model}/seed{seed}.log"
    benchmark: "logs/reconstruct/{root}/{dataset}/{model}/seed{seed}.tsv"
    threads: 1
    resources:
        mem_mb=4000,
        runtime="30m",
        gpu=gpu_of,
    shell: "pga reconstruct --planned-code {params.code:q} --run {input.model:q} --data data/processed --out-dir {params.out:q} --device {params.device:q} 2> {log:q}"


ruleorder: sample > sample_otherwise
ruleorder: sample > reconstruct
