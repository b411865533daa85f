# Needs: tables of tasks. Makes: the figures of sweeps, each with its data.


rule draw_sweep:
    """What each value of a parameter does, beside random neurons."""
    input:
        table="<study>/tables/{table}.tsv",
    output:
        svg=report(
            drawn("{{table}}/{kind}.{{sweep}}.{{metric}}", ["sweep"], "svg"),
            caption="../report/sweep_figure.rst",
            category="Figures",
        ),
        others=drawn("{{table}}/{kind}.{{sweep}}.{{metric}}", ["sweep"], "png tsv"),
    log:
        "logs/<study>/figures/{table}.sweep.{sweep}.{metric}.log",
    benchmark:
        "benchmarks/<study>/figures/{table}.sweep.{sweep}.{metric}.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    params:
        spec=TABLES.draw_sweep,
        code=code_hash("draw_sweep"),
    shell:
        run("draw_sweep") + " --spec {params.spec:q} --code {params.code}"
        " --table {input.table:q} --figures {output:q} > {log:q} 2>&1"
