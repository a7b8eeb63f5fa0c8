# Figures, tables and runs → one page.

TEMPLATES = sorted(str(path) for path in Path("pga/artifacts/report/templates").iterdir())


rule rule_graph:
    # Which rule reads what another writes, as Snakemake itself says it of this experiment: in an order of Python's sets, hence the hash seed.
    output: "{root}/rules.dot"
    params:
        targets=lambda wildcards: shown_in_report(wildcards.root),
        rules=digest([Path(file).read_text(encoding="utf-8") for file in RULE_FILES]),
        experiment=lambda wildcards: experiment_of(wildcards).model_dump(mode="json"),
        data=lambda wildcards: {name: DATASETS[name].model_dump(mode="json") for name in experiment_of(wildcards).datasets},
    log: "logs/rule_graph/{root}.log"
    benchmark: "logs/rule_graph/{root}.tsv"
    threads: 1
    resources: mem_mb=1000, runtime="10m"
    shell:
        "PYTHONHASHSEED=0 snakemake --quiet all --rulegraph dot -- {params.targets:q} > {wildcards.root:q}/.rules.dot.part 2> {log:q}"
        " && mv {wildcards.root:q}/.rules.dot.part {output:q}"


rule report:
    input:
        shown=lambda wildcards: shown_in_report(wildcards.root),
        runs=lambda wildcards: details_of_runs(wildcards.root),
        rules="{root}/rules.dot",
        templates=TEMPLATES,
    output:
        page=report("{root}/report.html", caption="../report/report.rst", category="Report", subcategory="{root}", labels={"page": "all of it"}),
        about="{root}/report.json",
    params:
        file=experiment_file,
        experiment=lambda wildcards: experiment_of(wildcards).model_dump(mode="json"),
        code=lambda wildcards: fingerprints.command_code("report"),
    log: "logs/report/{root}.log"
    benchmark: "logs/report/{root}.tsv"
    threads: 1
    resources: mem_mb=3000, runtime="1h"
    shell: "pga report --planned-code {params.code:q} --params {params.file:q} --rules {input.rules:q} --out {output.page:q} 2> {log:q}"
