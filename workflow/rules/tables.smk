# Metrics and records of runs → tables.


OF_ALL_RUNS = [name for name, row in TABLES.items() if row.of_all_runs]
"""The tables that the rule `table` makes."""


SHOWN = {"table1": "table1", "numbers": "table1", "equivalence": "equivalence", "claims": None, **dict.fromkeys(OF_ALL_RUNS)}
"""Table that shows runs → the artifact whose runs these are, for which `pga collect` gathers their metrics; None for all."""


def inputs_of_table(wildcards) -> dict[str, str | list[str]]:
    """What a table is made from, besides the experiment's file."""
    root, table = wildcards.root, wildcards.table
    found = {}
    if table in SHOWN:
        shown = SHOWN[table]
        found |= {"metrics": f"{root}/metrics/{shown}.csv" if shown else f"{root}/metrics.csv", "runs": records_of(root, shown)}
    if table in ("table1", "numbers", "claims"):
        found["claims"] = "params/claims.yaml"
    if table == "claims":
        found["curves"] = [f"{root}/{file}" for file in curves_read(experiment_of(wildcards), CLAIMS)]
    return found


def shown_by_table(wildcards):
    """The values of the experiment's file that a table shows besides the runs."""
    experiment, table = experiment_of(wildcards), wildcards.table
    if table == "notation":
        return None
    if table == "parameters":
        return experiment.model_dump(mode="json")["datasets"]
    return experiment.measures() if table in OF_ALL_RUNS else experiment.shows("equivalence" if table == "equivalence" else "table1")


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
