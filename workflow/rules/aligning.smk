# Needs: activation statistics of parallel sentences, and their text; tables of tasks.
# Makes: results/alignment, how well neuron states of two languages match, and figures.


rule measure_alignment:
    """Say how well states of sentences match those of their translations."""
    input:
        activations=alignment_specs.activations,
        first=alignment_specs.sentences_of(CONFIG, 0),
        second=alignment_specs.sentences_of(CONFIG, 1),
    output:
        out="<study>/alignment/{corpus}/{model}/{pair}.json",
    log:
        "logs/<study>/alignment/{corpus}/{model}/{pair}.log",
    benchmark:
        "benchmarks/<study>/alignment/{corpus}/{model}/{pair}.tsv"
    conda:
        "../../envs/gpu.yaml"
    resources:
        mem_mb=RESOURCES.statistics_memory,
        runtime=RESOURCES.aligning_runtime,
    params:
        spec=SPECS.measure_alignment,
        code=code_hash("measure_alignment"),
    shell:
        run("measure_alignment") + " --spec {params.spec:q} --code {params.code}"
        " --activations {input.activations:q} --first {input.first:q}"
        " --second {input.second:q} --out {output.out:q} > {log:q} 2>&1"


rule draw_alignment:
    """How well languages are aligned with the pivot, layer by layer."""
    input:
        alignments=TABLES.aligned,
    output:
        svg=report(
            drawn("{{model}}/{kind}.{{corpus}}", ["aligned"], "svg"),
            caption="../report/alignment_figure.rst",
            category="Figures",
        ),
        others=drawn("{{model}}/{kind}.{{corpus}}", ["aligned"], "png tsv"),
    log:
        "logs/<study>/figures/{model}/aligned.{corpus}.log",
    benchmark:
        "benchmarks/<study>/figures/{model}/aligned.{corpus}.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    params:
        spec=TABLES.draw_alignment,
        code=code_hash("draw_alignment"),
    shell:
        run("draw_alignment") + " --spec {params.spec:q} --code {params.code}"
        " --alignments {input.alignments:q} --figures {output:q} > {log:q} 2>&1"


rule draw_transfer:
    """Alignment of languages against their scores on a task."""
    input:
        aligned="<study>/tables/alignment.tsv",
        scores="<study>/tables/{task}.tsv",
    output:
        svg=report(
            drawn("{{model}}/{kind}.{{task}}", ["transfer"], "svg"),
            caption="../report/alignment_figure.rst",
            category="Figures",
        ),
        others=drawn("{{model}}/{kind}.{{task}}", ["transfer"], "png tsv"),
    log:
        "logs/<study>/figures/{model}/transfer.{task}.log",
    benchmark:
        "benchmarks/<study>/figures/{model}/transfer.{task}.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    params:
        spec=TABLES.draw_transfer,
        code=code_hash("draw_transfer"),
    shell:
        run("draw_transfer") + " --spec {params.spec:q} --code {params.code}"
        " --aligned {input.aligned:q} --scores {input.scores:q}"
        " --figures {output:q} > {log:q} 2>&1"
