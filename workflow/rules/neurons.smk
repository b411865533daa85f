# Needs: activation statistics. Makes: results/neurons, the neurons of each language.


rule identify_neurons:
    """Select the neurons of each language of a set (sections 3.2 and 3.3)."""
    input:
        activations=activations_of_set,
        matched=matched_neurons,
        published=published_neurons,
    output:
        out="results/neurons/{model}/{method}.{langset}.json",
    log:
        "logs/results/neurons/{model}/{method}.{langset}.log",
    benchmark:
        "benchmarks/results/neurons/{model}/{method}.{langset}.tsv"
    conda:
        "../../envs/gpu.yaml"
    resources:
        mem_mb=RESOURCES.measuring_memory,
        runtime=60,
    params:
        spec=SPECS.identify_neurons,
        code=SPECS.method_code,
    shell:
        "python workflow/scripts/identify_neurons.py --spec {params.spec:q} --code {params.code}"
        " --activations {input.activations:q} --matched {input.matched:q}"
        " --out {output.out:q} > {log:q} 2>&1"
