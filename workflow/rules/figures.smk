# Needs: neurons and tables. Makes: results/figures, each as SVG and PNG with its data.


rule draw_neurons:
    """Neurons per language, overlaps and layers (Figures 2-19)."""
    input:
        neurons="results/neurons/{model}/{method}.{langset}.json",
    output:
        svg=report(
            drawn(
                "{{model}}/{{method}}.{{langset}}/{kind}", targets.NEURON_KINDS, "svg"
            ),
            caption="../report/neurons_figure.rst",
            category="Figures",
        ),
        others=drawn(
            "{{model}}/{{method}}.{{langset}}/{kind}", targets.NEURON_KINDS, "png tsv"
        ),
    log:
        "logs/<study>/figures/{model}/{method}.{langset}.log",
    benchmark:
        "benchmarks/<study>/figures/{model}/{method}.{langset}.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    params:
        spec=TABLES.draw_neurons,
        code=code_hash("draw_neurons"),
    shell:
        run("draw_neurons") + " --spec {params.spec:q} --code {params.code}"
        " --neurons {input.neurons:q} --figures {output:q} > {log:q} 2>&1"


rule draw_shared:
    """Neurons that two methods have in common."""
    input:
        neurons=[
            "results/neurons/{model}/{method}.{langset}.json",
            "results/neurons/{model}/{other}.json",
        ],
    output:
        svg=report(
            drawn(
                "{{model}}/{{method}}.{{langset}}/{kind}.{{other}}",
                ["shared_with"],
                "svg",
            ),
            caption="../report/neurons_figure.rst",
            category="Figures",
        ),
        others=drawn(
            "{{model}}/{{method}}.{{langset}}/{kind}.{{other}}",
            ["shared_with"],
            "png tsv",
        ),
    log:
        "logs/<study>/figures/{model}/{method}.{langset}.shared_with.{other}.log",
    benchmark:
        "benchmarks/<study>/figures/{model}/{method}.{langset}.shared_with.{other}.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    params:
        spec=TABLES.draw_shared,
        code=code_hash("draw_shared"),
    shell:
        run("draw_shared") + " --spec {params.spec:q} --code {params.code}"
        " --neurons {input.neurons:q} --figures {output:q} > {log:q} 2>&1"


rule draw_perplexity:
    """Change of perplexity as heat maps (Figures 1 and 20-24)."""
    input:
        table="<study>/tables/perplexity.tsv",
    output:
        svg=report(
            drawn(
                "{{model}}/{kind}.{{method}}.{{langset}}.{{statistic}}",
                targets.PERPLEXITY_KINDS,
                "svg",
            ),
            caption="../report/perplexity_figure.rst",
            category="Figures",
        ),
        others=drawn(
            "{{model}}/{kind}.{{method}}.{{langset}}.{{statistic}}",
            targets.PERPLEXITY_KINDS,
            "png tsv",
        ),
    log:
        "logs/<study>/figures/{model}/perplexity.{method}.{langset}.{statistic}.log",
    benchmark:
        "benchmarks/<study>/figures/{model}/perplexity.{method}.{langset}.{statistic}.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    params:
        spec=TABLES.draw_perplexity,
        code=code_hash("draw_perplexity"),
    shell:
        run("draw_perplexity") + " --spec {params.spec:q} --code {params.code}"
        " --table {input.table:q} --figures {output:q} > {log:q} 2>&1"


rule draw_effects:
    """Every intervention with its interval and random neurons."""
    input:
        table="<study>/tables/{table}.tsv",
    output:
        svg=report(
            drawn("{{table}}/{kind}.{{metric}}", targets.EFFECT_KINDS, "svg"),
            caption="../report/effects_figure.rst",
            category="Figures",
        ),
        others=drawn("{{table}}/{kind}.{{metric}}", targets.EFFECT_KINDS, "png tsv"),
    log:
        "logs/<study>/figures/{table}.{metric}.log",
    benchmark:
        "benchmarks/<study>/figures/{table}.{metric}.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    params:
        spec=TABLES.draw_effects,
        code=code_hash("draw_effects"),
    shell:
        run("draw_effects") + " --spec {params.spec:q} --code {params.code}"
        " --table {input.table:q} --figures {output:q} > {log:q} 2>&1"
