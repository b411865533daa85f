# Needs: tokens and a model. Makes: results/activations, the statistics of every neuron.


rule measure_activations:
    """Record every statistic of every neuron in one streaming pass (section 3.1)."""
    input:
        model=model_to_load,
        tokens="results/tokens/{corpus}/{model}/{lang}.safetensors",
        manifest="results/tokens/{corpus}/{model}/{lang}.json",
    output:
        out="results/activations/{corpus}/{model}/{lang}/shard-{shard}-of-{shards}.safetensors",
    log:
        "logs/results/activations/{corpus}/{model}/{lang}/shard-{shard}-of-{shards}.log",
    benchmark:
        "benchmarks/results/activations/{corpus}/{model}/{lang}/shard-{shard}-of-{shards}.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: RESOURCES.threads
    resources:
        gpu=RESOURCES.gpu,
        nodes=1,  # several GPUs are never spread over nodes
        mem_mb=RESOURCES.measuring_memory,
        runtime=RESOURCES.measuring_runtime,
        micro_batch=RESOURCES.micro_batch,
    params:
        spec=SPECS.measure_activations,
        code=code_hash("measure_activations"),
    shell:
        run("measure_activations") + " --spec {params.spec:q} --code {params.code}"
        " --threads {threads} --gpus {resources.gpu} --micro-batch {resources.micro_batch}"
        " --model {input.model:q} --tokens {input.tokens:q} --out {output.out:q}"
        " > {log:q} 2>&1"


rule merge_activations:
    """Add up the shards of a language; the result does not depend on their number."""
    input:
        shards=measured_shards,
    output:
        out="results/activations/{corpus}/{model}/{lang}.safetensors",
    log:
        "logs/results/activations/{corpus}/{model}/{lang}.log",
    benchmark:
        "benchmarks/results/activations/{corpus}/{model}/{lang}.tsv"
    conda:
        "../../envs/gpu.yaml"
    resources:
        mem_mb=RESOURCES.statistics_memory,
        runtime=60,
    params:
        spec="{}",
        code=code_hash("merge_activations"),
    shell:
        run("merge_activations") + " --code {params.code} --shards {input.shards:q}"
        " --out {output.out:q} > {log:q} 2>&1"
