# Metrics and records of runs → tables.
# One environment serves all rules (requirements.lock, environment.yml): rules name none of their own.


rule collect:
    input: lambda wildcards: metrics_of(wildcards.root)
    output: metrics="{root}/metrics.csv"
    params:
        file=experiment_file,
        runs=lambda wildcards: metrics_of(wildcards.root),
        code=lambda wildcards: fingerprints.command_code("collect"),
    log: "logs/collect/{root}.log"
    benchmark: "logs/collect/{root}.tsv"
    threads: 1
    resources: mem_mb=1000, runtime="10m"
    shell: "pga collect --params {params.file:q} --out {output.metrics:q} 2> {log:q}"


rule collect_shown:
    input: lambda wildcards: metrics_of(wildcards.root, wildcards.artifact)
    output: metrics="{root}/metrics/{artifact}.csv"
    wildcard_constraints:
        artifact="table1|equivalence",
    params:
        file=experiment_file,
        runs=lambda wildcards: metrics_of(wildcards.root, wildcards.artifact),
        code=lambda wildcards: fingerprints.command_code("collect"),
    log: "logs/collect/{root}/{artifact}.log"
    benchmark: "logs/collect/{root}/{artifact}.tsv"
    threads: 1
    resources: mem_mb=1000, runtime="10m"
    shell: "pga collect --params {params.file:q} --artifact {wildcards.artifact:q} --out {output.metrics:q} 2> {log:q}"


rule table1:
    input:
        metrics="{root}/metrics/table1.csv",
        claims="params/claims.yaml",
        runs=lambda wildcards: records_of(wildcards.root, "table1"),
    output:
        csv=report("{root}/table1.csv", caption="../report/table1.rst", category="Tables", subcategory="{root}", labels={"table": "Table 1"}),
        markdown="{root}/table1.md",
        latex="{root}/table1.tex",
        about="{root}/table1.json",
    params:
        file=experiment_file,
        shows=lambda wildcards: experiment_of(wildcards).shows("table1"),
        code=lambda wildcards: fingerprints.table_code("table1"),
    log: "logs/table/{root}/table1.log"
    benchmark: "logs/table/{root}/table1.tsv"
    threads: 1
    resources: mem_mb=1000, runtime="10m"
    shell: "pga table table1 --params {params.file:q} --metrics {input.metrics:q} --claims {input.claims:q} --out-dir {wildcards.root:q} 2> {log:q}"


rule numbers:
    input:
        metrics="{root}/metrics/table1.csv",
        claims="params/claims.yaml",
        runs=lambda wildcards: records_of(wildcards.root, "table1"),
    output:
        latex="{root}/numbers.tex",
        about="{root}/numbers.json",
    params:
        file=experiment_file,
        shows=lambda wildcards: experiment_of(wildcards).shows("table1"),
        code=lambda wildcards: fingerprints.table_code("numbers"),
    log: "logs/table/{root}/numbers.log"
    benchmark: "logs/table/{root}/numbers.tsv"
    threads: 1
    resources: mem_mb=1000, runtime="10m"
    shell: "pga table numbers --params {params.file} --metrics {input.metrics} --claims {input.claims} --out-dir {wildcards.root} 2> {log}"


rule claims:
    input:
        metrics="{root}/metrics.csv",
        claims="params/claims.yaml",
        runs=lambda wildcards: records_of(wildcards.root),
        curves=lambda wildcards: [f"{wildcards.root}/{file}" for file in curves_read(experiment_of(wildcards), CLAIMS)],
    output:
        csv=report("{root}/claims.csv", caption="../report/claims.rst", category="Tables", subcategory="{root}", labels={"table": "claims"}),
        about="{root}/claims.json",
    params:
        file=experiment_file,
        shows=lambda wildcards: experiment_of(wildcards).shows("table1"),
        code=lambda wildcards: fingerprints.table_code("claims"),
    log: "logs/table/{root}/claims.log"
    benchmark: "logs/table/{root}/claims.tsv"
    threads: 1
    resources: mem_mb=1000, runtime="10m"
    shell: "pga table claims --params {params.file:q} --metrics {input.metrics:q} --claims {input.claims:q} --out-dir {wildcards.root:q} 2> {log:q}"


rule table_of_parameters:
    # Of the experiment's file, and of the code for `notation`: no run is needed.
    output:
        csv=report("{root}/{table}.csv", caption="../report/table.rst", category="Tables", subcategory="{root}", labels={"table": "{table}"}),
        markdown="{root}/{table}.md",
        latex="{root}/{table}.tex",
        about="{root}/{table}.json",
    wildcard_constraints:
        table="notation|parameters",
    params:
        file=experiment_file,
        shows=lambda wildcards: None if wildcards.table == "notation" else experiment_of(wildcards).model_dump(mode="json")["datasets"],
        code=lambda wildcards: fingerprints.table_code(wildcards.table),
    log: "logs/table/{root}/{table}.log"
    benchmark: "logs/table/{root}/{table}.tsv"
    threads: 1
    resources: mem_mb=1000, runtime="10m"
    shell: "pga table {wildcards.table:q} --params {params.file:q} --out-dir {wildcards.root:q} 2> {log:q}"


rule costs:
    input:
        runs=lambda wildcards: records_of(wildcards.root),
        after=lambda wildcards: metrics_of(wildcards.root), # so that their costs have been measured
    output:
        csv=report("{root}/costs.csv", caption="../report/table.rst", category="Tables", subcategory="{root}", labels={"table": "costs"}),
        markdown="{root}/costs.md",
        latex="{root}/costs.tex",
        about="{root}/costs.json",
    params:
        file=experiment_file,
        runs=lambda wildcards: records_of(wildcards.root),
        code=lambda wildcards: fingerprints.table_code("costs"),
    log: "logs/table/{root}/costs.log"
    benchmark: "logs/table/{root}/costs.tsv"
    threads: 1
    resources: mem_mb=1000, runtime="10m"
    shell: "pga table costs --params {params.file:q} --out-dir {wildcards.root:q} 2> {log:q}"


rule table_of_evaluation:
    input:
        metrics="{root}/metrics.csv",
        runs=lambda wildcards: records_of(wildcards.root),
    output:
        csv=report("{root}/evaluation.csv", caption="../report/table.rst", category="Tables", subcategory="{root}", labels={"table": "evaluation"}),
        markdown="{root}/evaluation.md",
        latex="{root}/evaluation.tex",
        about="{root}/evaluation.json",
    params:
        file=experiment_file,
        shows=lambda wildcards: experiment_of(wildcards).measures(),
        code=lambda wildcards: fingerprints.table_code("evaluation"),
    log: "logs/table/{root}/evaluation.log"
    benchmark: "logs/table/{root}/evaluation.tsv"
    threads: 1
    resources: mem_mb=1000, runtime="10m"
    shell: "pga table evaluation --params {params.file:q} --metrics {input.metrics:q} --out-dir {wildcards.root:q} 2> {log:q}"


rule equivalence:
    input:
        metrics="{root}/metrics/equivalence.csv",
        runs=lambda wildcards: records_of(wildcards.root, "equivalence"),
    output:
        csv=report("{root}/equivalence.csv", caption="../report/table.rst", category="Tables", subcategory="{root}", labels={"table": "equivalence"}),
        markdown="{root}/equivalence.md",
        latex="{root}/equivalence.tex",
        about="{root}/equivalence.json",
    wildcard_constraints:
        root=one_of(root for root, (_, experiment) in EXPERIMENTS.items() if experiment.equivalence),
    params:
        file=experiment_file,
        shows=lambda wildcards: experiment_of(wildcards).shows("equivalence"),
        code=lambda wildcards: fingerprints.table_code("equivalence"),
    log: "logs/table/{root}/equivalence.log"
    benchmark: "logs/table/{root}/equivalence.tsv"
    threads: 1
    resources: mem_mb=1000, runtime="10m"
    shell: "pga table equivalence --params {params.file:q} --metrics {input.metrics:q} --out-dir {wildcards.root:q} 2> {log:q}"
