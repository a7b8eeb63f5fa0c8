# Metrics and records of runs → tables.


rule collect:
    input:
        metrics=lambda wildcards: metrics_of(wildcards.root),
        runs=lambda wildcards: records_of(wildcards.root),
    output: metrics="{root}/metrics.csv"
    params:
        file=experiment_file,
        runs=lambda wildcards: metrics_of(wildcards.root),
        code=lambda wildcards: fingerprints.command_code("collect"),
    log: "logs/collect/{root}.log"
    benchmark: "logs/collect/{root}.tsv"
    threads: 1
    resources: mem_mb=1000, runtime="10m"
    shell: "pga collect --planned-code {params.code:q} --params {params.file:q} --out {output.metrics:q} 2> {log:q}"


rule collect_shown:
    input:
        metrics=lambda wildcards: metrics_of(wildcards.root, wildcards.artifact),
        runs=lambda wildcards: records_of(wildcards.root, wildcards.artifact),
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
    shell: "pga collect --planned-code {params.code:q} --params {params.file:q} --artifact {wildcards.artifact:q} --out {output.metrics:q} 2> {log:q}"


rule table:
    input: unpack(inputs_of_table)
    output:
        csv=report("{root}/{table}.csv", caption="../report/table.rst", category="Tables", subcategory="{root}", labels={"table": "{table}"}),
        markdown="{root}/{table}.md",
        latex="{root}/{table}.tex",
        about="{root}/{table}.json",
    wildcard_constraints:
        table=one_of([*OF_ALL_RUNS, "parameters", "notation"]),
    params:
        file=experiment_file,
        shows=shown_by_table,
        flags=lambda wildcards, input: [word for flag in ("metrics", "claims") if flag in input.keys() for word in (f"--{flag}", input[flag])],
        code=lambda wildcards: fingerprints.table_code(wildcards.table),
    log: "logs/table/{root}/{table}.log"
    benchmark: "logs/table/{root}/{table}.tsv"
    threads: 1
    resources: mem_mb=1000, runtime="10m"
    shell: "pga table --planned-code {params.code:q} {wildcards.table:q} --params {params.file:q} {params.flags:q} --out-dir {wildcards.root:q} 2> {log:q}"


use rule table as table1 with:
    output:
        csv=report("{root}/{table}.csv", caption="../report/table1.rst", category="Tables", subcategory="{root}", labels={"table": "Table 1"}),
        markdown="{root}/{table}.md",
        latex="{root}/{table}.tex",
        about="{root}/{table}.json",
    wildcard_constraints:
        table="table1",


use rule table as equivalence with:
    wildcard_constraints:
        table="equivalence",
        root=one_of(root for root, (_, experiment) in EXPERIMENTS.items() if experiment.equivalence),


use rule table as claims with:
    output:
        csv=report("{root}/{table}.csv", caption="../report/claims.rst", category="Tables", subcategory="{root}", labels={"table": "claims"}),
        about="{root}/{table}.json",
    wildcard_constraints:
        table="claims",


use rule table as numbers with:
    output:
        latex="{root}/{table}.tex",
        about="{root}/{table}.json",
    wildcard_constraints:
        table="numbers",
