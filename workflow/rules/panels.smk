# Trained runs → the images that figures show besides samples.


rule interpolate:
    input:
        model="{root}/{dataset}/{model}/seed{seed}/model.safetensors",
        data="data/processed/{dataset}-test.npy",
        provenance=ancient("data/processed/{dataset}.json"),
    output:
        images="{root}/{dataset}/{model}/seed{seed}/interpolations.npy",
        about="{root}/{dataset}/{model}/seed{seed}/interpolations.json",
    params:
        lines=lambda wildcards: experiment_of(wildcards).interpolation.flags(),
        device=device_of,
        code=lambda wildcards: fingerprints.interpolation_code(run_of(wildcards)),
    log: "logs/interpolate/{root}/{dataset}/{model}/seed{seed}.log"
    benchmark: "logs/interpolate/{root}/{dataset}/{model}/seed{seed}.tsv"
    threads: 1
    resources:
        mem_mb=4000,
        runtime="30m",
        gpu=gpu_of,
    shell: "pga interpolate --planned-code {params.code:q} --run {input.model:q} --out {output.images:q} {params.lines} --device {params.device:q} 2> {log:q}"
