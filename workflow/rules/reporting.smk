# Needs: evaluations and perplexities. Makes: results/tables.


rule build_task_table:
    """Set every intervention against none, with interval and test (Tables 1 and 4)."""
    input:
        evaluations=evaluations_of_task,
    output:
        tsv="results/tables/{task}.tsv",
        markdown="results/tables/{task}.md",
    log:
        "logs/results/tables/{task}.log",
    benchmark:
        "benchmarks/results/tables/{task}.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    params:
        spec=SPECS.task_table,
        code=SPECS.task_code("build_task_table"),
    shell:
        "python workflow/scripts/build_task_table.py --spec {params.spec:q} --code {params.code}"
        " --evaluations {input.evaluations:q} --tsv {output.tsv:q}"
        " --markdown {output.markdown:q} > {log:q} 2>&1"


if CONFIG.perplexity is not None:

    rule build_perplexity_table:
        """Change of perplexity, language by language (Figures 1 and 20-24)."""
        input:
            perplexities=[b for x in grid.perplexity_bundles(CONFIG) for b in x.outputs],
        output:
            tsv="results/tables/perplexity.tsv",
            markdown="results/tables/perplexity.md",
        log:
            "logs/results/tables/perplexity.log",
        benchmark:
            "benchmarks/results/tables/perplexity.tsv"
        localrule: True
        conda:
            "../../envs/report.yaml"
        params:
            spec=SPECS.perplexity_table,
            code=code_hash("build_perplexity_table"),
        shell:
            "python workflow/scripts/build_perplexity_table.py --spec {params.spec:q}"
            " --code {params.code} --perplexities {input.perplexities:q}"
            " --tsv {output.tsv:q} --markdown {output.markdown:q} > {log:q} 2>&1"
