# Needs: activation statistics of parallel sentences, and their text. Makes:
# results/alignment, how well neuron states of two languages match.


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
