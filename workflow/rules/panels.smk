# Trained runs → the images that figures show besides samples.
# One environment serves all rules (requirements.lock, environment.yml): rules name none of their own.


rule interpolate:
    input:
        model="{root}/{dataset}/{model}/seed{seed}/model.safetensors",
        data="data/processed/{dataset}-test.npy",
        provenance=ancient("data/processed/{dataset}.json"),
    output: images="{root}/{dataset}/{model}/seed{seed}/interpolations.npy"
    params:
        lines=lambda wildcards: experiment_of(wildcards).interpolation.flags(),
        device=lambda wildcards: experiment_of(wildcards).device,
        code=lambda wildcards: fingerprints.interpolation_code(run_of(wildcards)),
    log: "logs/interpolate/{root}/{dataset}/{model}/seed{seed}.log"
    benchmark: "logs/interpolate/{root}/{dataset}/{model}/seed{seed}.tsv"
    threads: 1
    resources:
        mem_mb=4000,
        runtime="30m",
        gpu=lambda wildcards: 0 if experiment_of(wildcards).device == "cpu" else 1,
    shell: "pga interpolate --run {input.model:q} --out {output.images:q} {params.lines} --device {params.device:q} 2> {log:q}"
