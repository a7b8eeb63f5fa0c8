# Results of runs → figures.


rule figure:
    input: files_of_figure
    output:
        png=report("{root}/figures/{figure}.png", caption="../report/figure.rst", category="Figures", subcategory="{root}", labels={"figure": "{figure}"}),
        pdf="{root}/figures/{figure}.pdf",
        latex="{root}/figures/{figure}.tex",
        about="{root}/figures/{figure}.json",
    params:
        file=experiment_file,
        shows=lambda wildcards: experiment_of(wildcards).shows(wildcards.figure),
        code=lambda wildcards: fingerprints.figure_code(experiment_of(wildcards).figures[wildcards.figure].kind),
    log: "logs/figure/{root}/{figure}.log"
    benchmark: "logs/figure/{root}/{figure}.tsv"
    threads: 1
    resources: mem_mb=2000, runtime="10m"
    shell: "pga figure --planned-code {params.code:q} {wildcards.figure:q} --params {params.file:q} --out-dir {wildcards.root:q}/figures 2> {log:q}"


rule partial_figure:
    # Of what is there now, whatever else is planned: beside the complete one, never in its place. Its caption names what is missing.
    output:
        png="{root}/partial/{figure}.png",
        pdf="{root}/partial/{figure}.pdf",
        latex="{root}/partial/{figure}.tex",
        about="{root}/partial/{figure}.json",
    params:
        file=experiment_file,
        shows=lambda wildcards: experiment_of(wildcards).shows(wildcards.figure),
        found=lambda wildcards: {file: os.path.getmtime(file) for file in files_of_figure(wildcards) if os.path.exists(file)},
        code=lambda wildcards: fingerprints.figure_code(experiment_of(wildcards).figures[wildcards.figure].kind),
    log: "logs/partial/{root}/{figure}.log"
    benchmark: "logs/partial/{root}/{figure}.tsv"
    threads: 1
    resources: mem_mb=2000, runtime="10m"
    shell: "pga figure --planned-code {params.code:q} {wildcards.figure:q} --params {params.file:q} --allow-missing --out-dir {wildcards.root:q}/partial 2> {log:q}"


rule partial_table:
    output:
        csv="{root}/partial/table1.csv",
        markdown="{root}/partial/table1.md",
        latex="{root}/partial/table1.tex",
        about="{root}/partial/table1.json",
    params:
        file=experiment_file,
        shows=lambda wildcards: experiment_of(wildcards).shows("table1"),
        found=lambda wildcards: {file: os.path.getmtime(file) for file in metrics_of(wildcards.root, "table1") if os.path.exists(file)},
        code=lambda wildcards: fingerprints.table_code("table1"),
    log: "logs/partial/{root}/table1.log"
    benchmark: "logs/partial/{root}/table1.tsv"
    threads: 1
    resources: mem_mb=1000, runtime="10m"
    shell:
        "{{ pga collect --params {params.file:q} --artifact table1 --allow-missing --out {wildcards.root:q}/partial/metrics.csv"
        " && pga table table1 --planned-code {params.code:q} --params {params.file:q} --metrics {wildcards.root:q}/partial/metrics.csv --claims params/claims.yaml"
        " --allow-missing --out-dir {wildcards.root:q}/partial; }} 2> {log:q}"


ruleorder: partial_table > partial_figure
