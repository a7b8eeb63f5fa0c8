# Metrics → tables and figures.
# One environment serves all rules (requirements.lock, environment.yml): rules name none of their own.


rule collect:
    input: lambda wildcards: metrics_of(wildcards.root)
    output: metrics="{root}/metrics.csv"
    params:
        file=scale_file,
        runs=lambda wildcards: metrics_of(wildcards.root),
        code=fingerprints.command_code("collect"),
    log: "logs/collect/{root}.log"
    benchmark: "logs/collect/{root}.tsv"
    threads: 1
    resources: mem_mb=1000, runtime="10m"
    shell: "pga collect --params {params.file} --out {output.metrics} 2> {log}"


rule collect_shown:
    input: lambda wildcards: metrics_of(wildcards.root, wildcards.artifact)
    output: metrics="{root}/metrics/{artifact}.csv"
    wildcard_constraints:
        artifact="table1",
    params:
        file=scale_file,
        runs=lambda wildcards: metrics_of(wildcards.root, wildcards.artifact),
        code=fingerprints.command_code("collect"),
    log: "logs/collect/{root}/{artifact}.log"
    benchmark: "logs/collect/{root}/{artifact}.tsv"
    threads: 1
    resources: mem_mb=1000, runtime="10m"
    shell: "pga collect --params {params.file} --artifact {wildcards.artifact} --out {output.metrics} 2> {log}"


rule table1:
    input:
        metrics="{root}/metrics/table1.csv",
        claims="params/claims.yaml",
    output:
        csv="{root}/table1.csv",
        markdown="{root}/table1.md",
        latex="{root}/table1.tex",
    params:
        file=scale_file,
        shows=lambda wildcards: scale_of(wildcards).shows("table1"),
        code=fingerprints.command_code("table"),
    log: "logs/table1/{root}.log"
    benchmark: "logs/table1/{root}.tsv"
    threads: 1
    resources: mem_mb=1000, runtime="10m"
    shell: "pga table table1 --params {params.file} --metrics {input.metrics} --claims {input.claims} --out-dir {wildcards.root} 2> {log}"


rule claims:
    input:
        metrics="{root}/metrics.csv",
        claims="params/claims.yaml",
    output: "{root}/claims.csv"
    params:
        file=scale_file,
        shows=lambda wildcards: scale_of(wildcards).shows("table1"),
        code=fingerprints.command_code("table"),
    log: "logs/claims/{root}.log"
    benchmark: "logs/claims/{root}.tsv"
    threads: 1
    resources: mem_mb=1000, runtime="10m"
    shell: "pga table claims --params {params.file} --metrics {input.metrics} --claims {input.claims} --out-dir {wildcards.root} 2> {log}"


rule figure:
    input: files_of_figure
    output:
        png="{root}/figures/{figure}.png",
        pdf="{root}/figures/{figure}.pdf",
    params:
        file=scale_file,
        shows=lambda wildcards: scale_of(wildcards).shows(wildcards.figure),
        code=lambda wildcards: fingerprints.figure_code(scale_of(wildcards).figures[wildcards.figure].kind),
    log: "logs/figure/{root}/{figure}.log"
    benchmark: "logs/figure/{root}/{figure}.tsv"
    threads: 1
    resources: mem_mb=2000, runtime="10m"
    shell: "pga figure {wildcards.figure} --params {params.file} --out-dir {wildcards.root}/figures 2> {log}"


rule partial_figure:
    # Of what is there now, whatever else is planned: beside the complete one, never in its place. Its caption names what is missing.
    output:
        png="{root}/partial/{figure}.png",
        pdf="{root}/partial/{figure}.pdf",
    params:
        file=scale_file,
        shows=lambda wildcards: scale_of(wildcards).shows(wildcards.figure),
        found=lambda wildcards: {file: os.path.getmtime(file) for file in files_of_figure(wildcards) if os.path.exists(file)},
        code=lambda wildcards: fingerprints.figure_code(scale_of(wildcards).figures[wildcards.figure].kind),
    log: "logs/partial/{root}/{figure}.log"
    benchmark: "logs/partial/{root}/{figure}.tsv"
    threads: 1
    resources: mem_mb=2000, runtime="10m"
    shell: "pga figure {wildcards.figure} --params {params.file} --allow-missing --out-dir {wildcards.root}/partial 2> {log}"
