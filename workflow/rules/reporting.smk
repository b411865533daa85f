# Needs: tables and figures. Makes: results/report.html, and figures of comparison.


rule draw_profiles:
    """The paper's procedure against the consistent one."""
    input:
        table="<study>/tables/profiles.tsv",
    output:
        svg=report(
            drawn("profiles/{kind}.{{task}}.{{metric}}", ["sites"], "svg"),
            caption="../report/profiles_figure.rst",
            category="Figures",
        ),
        others=drawn("profiles/{kind}.{{task}}.{{metric}}", ["sites"], "png tsv"),
    log:
        "logs/<study>/figures/profiles.{task}.{metric}.log",
    benchmark:
        "benchmarks/<study>/figures/profiles.{task}.{metric}.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    params:
        spec=TABLES.draw_profiles,
        code=code_hash("draw_profiles"),
    shell:
        run("draw_profiles") + " --spec {params.spec:q} --code {params.code}"
        " --table {input.table:q} --figures {output:q} > {log:q} 2>&1"


rule draw_published:
    """The published neuron sets, drawn by the same code."""
    input:
        published=PUBLISHED,
    output:
        svg=report(
            drawn("published/{{published}}/{kind}", targets.PUBLISHED_KINDS, "svg"),
            caption="../report/published_figure.rst",
            category="Figures",
        ),
        others=drawn(
            "published/{{published}}/{kind}", targets.PUBLISHED_KINDS, "png tsv"
        ),
    log:
        "logs/<study>/figures/published.{published}.log",
    benchmark:
        "benchmarks/<study>/figures/published.{published}.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    params:
        spec=TABLES.draw_published,
        code=code_hash("draw_published"),
    shell:
        run("draw_published") + " --spec {params.spec:q} --code {params.code}"
        " --published {input.published:q} --figures {output:q} > {log:q} 2>&1"


rule build_report:
    """One page with verdicts, tables, figures, configuration and cost."""
    input:
        tables=reported(all_tables),
        figures=reported(all_figures),
        layout=expand(
            "{scripts}/langneurons/report/{file}",
            scripts=SCRIPTS,
            file=["page.html", "style.css"],
        ),
    output:
        out=report(
            "<study>/report.html", caption="../report/report.rst", category="Report"
        ),
    log:
        "logs/<study>/report.log",
    benchmark:
        "benchmarks/<study>/report.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    params:
        spec=report_spec,
        code=code_hash("build_report", TABLES.layouts),
    shell:
        run("build_report", "--tables {input.tables:q} --figures {input.figures:q}")
        + " --code {params.code}"
        " --out {output.out:q} > {log:q} 2>&1"


rule build_cost_table:
    """What the jobs cost, stage by stage, from their benchmark files."""
    input:
        report="<study>/report.html",
    output:
        tsv=report(
            "<study>/tables/cost.tsv",
            caption="../report/cost_table.rst",
            category="Tables",
        ),
    log:
        "logs/<study>/tables/cost.log",
    localrule: True
    conda:
        "../../envs/report.yaml"
    params:
        spec=costs_spec,
        code=code_hash("build_cost_table"),
    shell:
        run("build_cost_table", "--report {input.report:q}") + " --code {params.code}"
        " --tsv {output.tsv:q} > {log:q} 2>&1"


rule plan_costs:
    """Print what the whole grid will cost (make plan); it runs whenever it is asked."""
    log:
        "logs/plan.log",
    localrule: True
    conda:
        "../../envs/head.yaml"  # it starts Snakemake
    params:
        spec=TABLES.plan,
        snakefile=os.path.normpath(f"{CHECKOUT}/Snakefile"),  # not that of a module's user
        code=code_hash("plan_costs"),
    shell:
        run("plan_costs") + " --spec {params.spec:q} --code {params.code}"
        " --snakefile {params.snakefile:q} 2> {log:q}"
