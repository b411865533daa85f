# Needs: tables of amplification. Makes: its figures, each as SVG and PNG with its data.


rule draw_steering:
    """How often facts shift to the language whose neurons are amplified."""
    input:
        table="<study>/tables/steering.tsv",
    output:
        svg=report(
            drawn(
                "{{model}}/{kind}.{{task}}.{{method}}.{{langset}}.{{statistic}}",
                targets.SHIFT_KINDS,
                "svg",
            ),
            caption="../report/steering_figure.rst",
            category="Figures",
        ),
        others=drawn(
            "{{model}}/{kind}.{{task}}.{{method}}.{{langset}}.{{statistic}}",
            targets.SHIFT_KINDS,
            "png tsv",
        ),
    log:
        "logs/<study>/figures/{model}/lss.{task}.{method}.{langset}.{statistic}.log",
    benchmark:
        "benchmarks/<study>/figures/{model}/lss.{task}.{method}.{langset}.{statistic}.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    params:
        spec=TABLES.draw_steering,
        code=code_hash("draw_steering"),
    shell:
        run("draw_steering") + " --spec {params.spec:q} --code {params.code}"
        " --table {input.table:q} --figures {output:q} > {log:q} 2>&1"


rule draw_task_changes:
    """A task's change, language of its items by language of the neurons."""
    input:
        table="<study>/tables/{task}.tsv",
    output:
        svg=report(
            drawn(
                "{{model}}/{kind}.{{task}}.{{method}}.{{langset}}.{{statistic}}",
                ["change"],
                "svg",
            ),
            caption="../report/steering_figure.rst",
            category="Figures",
        ),
        others=drawn(
            "{{model}}/{kind}.{{task}}.{{method}}.{{langset}}.{{statistic}}",
            ["change"],
            "png tsv",
        ),
    log:
        "logs/<study>/figures/{model}/change.{task}.{method}.{langset}.{statistic}.log",
    benchmark:
        "benchmarks/<study>/figures/{model}/change.{task}.{method}.{langset}.{statistic}.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    params:
        spec=TABLES.draw_task_changes,
        code=code_hash("draw_task_changes"),
    shell:
        run("draw_task_changes") + " --spec {params.spec:q} --code {params.code}"
        " --table {input.table:q} --figures {output:q} > {log:q} 2>&1"


rule draw_amplification:
    """Factors and controls side by side, and steering against damage."""
    input:
        table="<study>/tables/amplification.tsv",
    output:
        svg=report(
            drawn("{{model}}/{kind}.{{task}}", targets.STEERING_KINDS, "svg"),
            caption="../report/amplification_figure.rst",
            category="Figures",
        ),
        others=drawn("{{model}}/{kind}.{{task}}", targets.STEERING_KINDS, "png tsv"),
    log:
        "logs/<study>/figures/{model}/amplification.{task}.log",
    benchmark:
        "benchmarks/<study>/figures/{model}/amplification.{task}.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    params:
        spec=TABLES.draw_amplification,
        code=code_hash("draw_amplification"),
    shell:
        run("draw_amplification") + " --spec {params.spec:q} --code {params.code}"
        " --table {input.table:q} --figures {output:q} > {log:q} 2>&1"
