# Needs: models, dictionaries, neurons, activation statistics.
# Makes: results/probes, words that a model knows and neurons recorded on them, and
# results/similarities, how similar candidates for a bridge are to a pair of languages.


rule ask_probes:
    """Let a model translate words of a pair, and keep those that it knows."""
    input:
        model=model_to_load,
        dictionary=probing.words(CONFIG),
    output:
        out="results/probes/{model}/{pair}.json",
    log:
        "logs/results/probes/{model}/{pair}.log",
    benchmark:
        "benchmarks/results/probes/{model}/{pair}.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: RESOURCES.threads
    resources:
        gpu=RESOURCES.asking_gpu,
        nodes=1,  # several GPUs are never spread over nodes
        mem_mb=RESOURCES.asking_memory,
        runtime=RESOURCES.asking_runtime,
        micro_batch=RESOURCES.micro_batch,
    params:
        spec=SPECS.ask_probes,
        code=code_hash("ask_probes"),
    shell:
        run("ask_probes") + " --spec {params.spec:q} --code {params.code}"
        " --threads {threads} --gpus {resources.gpu} --micro-batch {resources.micro_batch}"
        " --model {input.model:q} --dictionary {input.dictionary:q} --out {output.out:q}"
        " > {log:q} 2>&1"


rule record_probes:
    """Record the neurons of a selection on the words of a pair that a model knows."""
    input:
        model=model_to_load,
        neurons="results/neurons/{model}/{method}.{langset}.json",
        asked="results/probes/{model}/{pair}.json",
    output:
        out="results/probes/{model}/{method}.{langset}/{pair}.safetensors",
    log:
        "logs/results/probes/{model}/{method}.{langset}/{pair}.log",
    benchmark:
        "benchmarks/results/probes/{model}/{method}.{langset}/{pair}.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: RESOURCES.threads
    resources:
        gpu=RESOURCES.gpu,
        nodes=1,
        mem_mb=RESOURCES.memory,
        runtime=RESOURCES.probing_runtime,
        micro_batch=RESOURCES.micro_batch,
    params:
        spec=SPECS.record_probes,
        code=code_hash("record_probes"),
    shell:
        run("record_probes") + " --spec {params.spec:q} --code {params.code}"
        " --threads {threads} --gpus {resources.gpu} --micro-batch {resources.micro_batch}"
        " --model {input.model:q} --neurons {input.neurons:q} --asked {input.asked:q}"
        " --out {output.out:q} > {log:q} 2>&1"


rule compare_languages:
    """Say how similar each candidate for a bridge is to a pair of languages."""
    input:
        neurons=probing.reader(CONFIG, "neurons"),
        activations=probing.reader(CONFIG, "activations"),
        probes=probing.reader(CONFIG, "probes"),
        asked=probing.reader(CONFIG, "asked"),
        dictionary=probing.reader(CONFIG, "dictionary"),
    output:
        out="<study>/similarities/{model}/{similarity}/{pair}.json",
    log:
        "logs/<study>/similarities/{model}/{similarity}/{pair}.log",
    benchmark:
        "benchmarks/<study>/similarities/{model}/{similarity}/{pair}.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: RESOURCES.threads
    resources:
        mem_mb=RESOURCES.statistics_memory,
        runtime=RESOURCES.comparing_runtime,
    params:
        spec=SPECS.compare_languages,
        code=SPECS.similarity_code,
    shell:
        run("compare_languages") + " --spec {params.spec:q} --code {params.code}"
        " --neurons {input.neurons:q} --activations {input.activations:q}"
        " --probes {input.probes:q} --asked {input.asked:q}"
        " --dictionary {input.dictionary:q} --out {output.out:q} > {log:q} 2>&1"
