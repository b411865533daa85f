# Needs: evaluations, perplexities, activations and neurons. Makes: results/tables.
#
# What grows with the grid goes through a pipe: Linux takes no argument over 128 KiB.


rule build_task_table:
    """Set every evaluation against its reference (Tables 1, 3 to 5, 7 and 8)."""
    input:
        evaluations=TABLES.evaluations_of_table,
    output:
        tsv=report(
            "results/tables/{table}.tsv",
            caption="../report/task_table.rst",
            category="Tables",
        ),
        markdown="results/tables/{table}.md",
    log:
        "logs/results/tables/{table}.log",
    benchmark:
        "benchmarks/results/tables/{table}.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    params:
        spec=TABLES.task_table,
        code=TABLES.task_table_code,
    shell:
        run("build_task_table", "--evaluations {input.evaluations:q}")
        + " --code {params.code}"
        " --tsv {output.tsv:q} --markdown {output.markdown:q} > {log:q} 2>&1"


rule build_perplexity_table:
    """Change of perplexity, language by language (Figures 1 and 20-24)."""
    input:
        perplexities=TABLES.perplexities,
    output:
        tsv=report(
            "results/tables/perplexity.tsv",
            caption="../report/perplexity_table.rst",
            category="Tables",
        ),
        markdown="results/tables/perplexity.md",
    log:
        "logs/results/tables/perplexity.log",
    benchmark:
        "benchmarks/results/tables/perplexity.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    params:
        spec=TABLES.perplexity_table,
        code=code_hash("build_perplexity_table"),
    shell:
        run("build_perplexity_table", "--perplexities {input.perplexities:q}")
        + " --code {params.code}"
        " --tsv {output.tsv:q} --markdown {output.markdown:q} > {log:q} 2>&1"


rule build_activation_table:
    """Mean of each activation statistic over all neurons (Table 6)."""
    input:
        activations=TABLES.measured_activations,
    output:
        tsv=report(
            "results/tables/activation_statistics.tsv",
            caption="../report/activation_table.rst",
            category="Tables",
        ),
        markdown="results/tables/activation_statistics.md",
    log:
        "logs/results/tables/activation_statistics.log",
    benchmark:
        "benchmarks/results/tables/activation_statistics.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        spec=TABLES.activation_table,
        code=code_hash("build_activation_table"),
    shell:
        run("build_activation_table", "--activations {input.activations:q}")
        + " --code {params.code}"
        " --tsv {output.tsv:q} --markdown {output.markdown:q} > {log:q} 2>&1"


rule compare_profiles:
    """The paper's procedure and the consistent one on the same items."""
    input:
        evaluations=TABLES.paired_evaluations,
    output:
        tsv=report(
            "results/tables/profiles.tsv",
            caption="../report/profiles_table.rst",
            category="Tables",
        ),
        markdown="results/tables/profiles.md",
    log:
        "logs/results/tables/profiles.log",
    benchmark:
        "benchmarks/results/tables/profiles.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    params:
        spec=TABLES.profiles,
        code=TABLES.profiles_code,
    shell:
        run("compare_profiles", "--evaluations {input.evaluations:q}")
        + " --code {params.code}"
        " --tsv {output.tsv:q} --markdown {output.markdown:q} > {log:q} 2>&1"


rule build_reproduction_table:
    """Every published number beside ours."""
    input:
        published=PUBLISHED,
        tables=TABLES.reproduced_tables,
        neurons=TABLES.reproduced_neurons,
    output:
        tsv=report(
            "results/tables/reproduction.tsv",
            caption="../report/reproduction_table.rst",
            category="Tables",
        ),
        markdown="results/tables/reproduction.md",
    log:
        "logs/results/tables/reproduction.log",
    benchmark:
        "benchmarks/results/tables/reproduction.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    params:
        spec=TABLES.reproduction,
        code=code_hash("build_reproduction_table"),
    shell:
        run(
            "build_reproduction_table",
            "--tables {input.tables:q}" " --neurons {input.neurons:q}",
        )
        + " --code {params.code}"
        " --published {input.published:q} --tsv {output.tsv:q}"
        " --markdown {output.markdown:q} > {log:q} 2>&1"
