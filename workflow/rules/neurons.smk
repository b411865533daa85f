# Needs: activation statistics. Makes: results/neurons, the neurons of each language.


def activations_of_set(wildcards):
    """The statistics of all languages that a method contrasts."""
    corpus = CONFIG.method_corpus(wildcards.method)
    languages = CONFIG.language_set(wildcards.langset).languages
    return [grid.activations(corpus, wildcards.model, lang) for lang in languages]


def matched_neurons(wildcards):
    """The selection whose counts random neurons match; none for other methods."""
    match = CONFIG.method(wildcards.method).match
    return [grid.neurons(wildcards.model, f"{match}.{wildcards.langset}")] if match else []


rule identify_neurons:
    """Select the neurons of each language of a set (sections 3.2 and 3.3)."""
    input:
        activations=activations_of_set,
        matched=matched_neurons,
    output:
        out="results/neurons/{model}/{method}.{langset}.json",
    log:
        "logs/results/neurons/{model}/{method}.{langset}.log",
    benchmark:
        "benchmarks/results/neurons/{model}/{method}.{langset}.tsv"
    resources:
        mem_mb=RESOURCES.measuring_memory,
        runtime=60,
    params:
        spec=SPECS.identify_neurons,
        code=SPECS.method_code,
    shell:
        "{SCRIPTS}/identify_neurons.py --spec {params.spec:q} --code {params.code}"
        " --activations {input.activations:q} --matched {input.matched:q}"
        " --out {output.out:q} > {log:q} 2>&1"
