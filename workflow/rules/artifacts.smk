# Results of runs → figures.
# One environment serves all rules (requirements.lock, environment.yml): rules name none of their own.


rule figure:
    input: files_of_figure
    output:
        png=report("{root}/figures/{figure}.png", caption="../report/figure.rst", category="Figures", subcategory="{root}", labels={"figure": "{figure}"}),
        pdf="{root}/figures/{figure}.pdf",
        latex="{root}/figures/{figure}.tex",
    params:
        file=scale_file,
        shows=lambda wildcards: scale_of(wildcards).shows(wildcards.figure),
        code=lambda wildcards: fingerprints.figure_code(scale_of(wildcards).figures[wildcards.figure].kind),
    log: "logs/figure/{root}/{figure}.log"
    benchmark: "logs/figure/{root}/{figure}.tsv"
    threads: 1
    resources: mem_mb=2000, runtime="10m"
    shell: "pga figure {wildcards.figure:q} --params {params.file:q} --out-dir {wildcards.root:q}/figures 2> {log:q}"


rule partial_figure:
    # Of what is there now, whatever else is planned: beside the complete one, never in its place. Its caption names what is missing.
    output:
        png="{root}/partial/{figure}.png",
        pdf="{root}/partial/{figure}.pdf",
        latex="{root}/partial/{figure}.tex",
    params:
        file=scale_file,
        shows=lambda wildcards: scale_of(wildcards).shows(wildcards.figure),
        found=lambda wildcards: {file: os.path.getmtime(file) for file in files_of_figure(wildcards) if os.path.exists(file)},
        code=lambda wildcards: fingerprints.figure_code(scale_of(wildcards).figures[wildcards.figure].kind),
    log: "logs/partial/{root}/{figure}.log"
    benchmark: "logs/partial/{root}/{figure}.tsv"
    threads: 1
    resources: mem_mb=2000, runtime="10m"
    shell: "pga figure {wildcards.figure:q} --params {params.file:q} --allow-missing --out-dir {wildcards.root:q}/partial 2> {log:q}"
