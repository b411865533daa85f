# Needs: tables and similarities of bridges. Makes: their figures, each with its data.


rule draw_bridges:
    """What choices of bridges get pair by pair, and similarity against gain."""
    input:
        choices="<study>/tables/bridges.tsv",
        candidates="<study>/tables/bridge_candidates.tsv",
    output:
        svg=report(
            drawn("{{model}}/{kind}.{{task}}", targets.BRIDGE_KINDS, "svg"),
            caption="../report/bridges_figure.rst",
            category="Figures",
        ),
        others=drawn("{{model}}/{kind}.{{task}}", targets.BRIDGE_KINDS, "png tsv"),
    log:
        "logs/<study>/figures/{model}/bridges.{task}.log",
    benchmark:
        "benchmarks/<study>/figures/{model}/bridges.{task}.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    params:
        spec=TABLES.draw_bridges,
        code=code_hash("draw_bridges"),
    shell:
        run("draw_bridges") + " --spec {params.spec:q} --code {params.code}"
        " --choices {input.choices:q} --candidates {input.candidates:q}"
        " --figures {output:q} > {log:q} 2>&1"


rule draw_similarity:
    """Similarity of each candidate for a bridge, layer by layer."""
    input:
        similarities=TABLES.similarities,
    output:
        svg=report(
            drawn("{{model}}/{kind}.{{similarity}}", ["by_layer"], "svg"),
            caption="../report/bridges_figure.rst",
            category="Figures",
        ),
        others=drawn("{{model}}/{kind}.{{similarity}}", ["by_layer"], "png tsv"),
    log:
        "logs/<study>/figures/{model}/by_layer.{similarity}.log",
    benchmark:
        "benchmarks/<study>/figures/{model}/by_layer.{similarity}.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    params:
        spec=TABLES.draw_similarity,
        code=code_hash("draw_similarity"),
    shell:
        run("draw_similarity") + " --spec {params.spec:q} --code {params.code}"
        " --similarities {input.similarities:q} --figures {output:q} > {log:q} 2>&1"
