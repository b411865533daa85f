# Needs: models, adapters (but for tuning base), items, neurons, activations, directions,
# held-out tokens.
# Makes: results/evaluations and results/perplexity, an index per job; beside it lies a file
# per treatment, which Snakemake does not know, so that a rerun finds what is finished.
#
# A job loads a model once and works through a part of the treatments (costs/parts.py).
# What grows with the grid goes through a pipe: Linux takes no argument over 128 KiB.


rule evaluate_task:
    """Evaluate one language's test items under a part of the treatments."""
    input:
        model=model_to_load,
        adapter=evaluated_adapter,
        item_file="<study>/tasks/{task}/test.{lang}.jsonl",
        files=signed(
            lambda wildcards: local_files.of_parameters(CONFIG, wildcards.task)
        ),
        neurons=treated("neurons"),
        activations=treated("activations"),
        directions=treated("directions"),
    output:
        out="<study>/evaluations/{task}/{model}/{tuning}/seed{seed}/{lang}/part-{part}-of-{parts}.json",
    log:
        "logs/<study>/evaluations/{task}/{model}/{tuning}/seed{seed}/{lang}/part-{part}-of-{parts}.log",
    benchmark:
        "benchmarks/<study>/evaluations/{task}/{model}/{tuning}/seed{seed}/{lang}/part-{part}-of-{parts}.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: RESOURCES.threads
    resources:
        gpu=RESOURCES.gpu,
        nodes=1,  # several GPUs are never spread over nodes
        mem_mb=RESOURCES.memory,
        runtime=RESOURCES.runtime,
        micro_batch=RESOURCES.micro_batch,
    params:
        spec=SPECS.evaluate_task,
        code=SPECS.task_code("evaluate_task"),
    shell:
        run(
            "evaluate_task",
            "--neurons {input.neurons:q} --activations {input.activations:q}"
            " --directions {input.directions:q}",
        )
        + " --code {params.code}"
        " --threads {threads} --gpus {resources.gpu} --micro-batch {resources.micro_batch}"
        " --model {input.model:q} --adapter {input.adapter:q}"
        " --items {input.item_file:q} --files {input.files:q}"
        " --out {output.out:q} > {log:q} 2>&1"


rule measure_perplexity:
    """Measure perplexity of held-out text under a part of the treatments."""
    input:
        model=model_to_load,
        tokens="results/tokens/{corpus}/{model}/{lang}.heldout.safetensors",
        neurons=treated("neurons"),
        activations=treated("activations"),
        directions=treated("directions"),
    output:
        out="<study>/perplexity/{corpus}/{model}/{lang}/part-{part}-of-{parts}.json",
    log:
        "logs/<study>/perplexity/{corpus}/{model}/{lang}/part-{part}-of-{parts}.log",
    benchmark:
        "benchmarks/<study>/perplexity/{corpus}/{model}/{lang}/part-{part}-of-{parts}.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: RESOURCES.threads
    resources:
        gpu=RESOURCES.gpu,
        nodes=1,  # several GPUs are never spread over nodes
        mem_mb=RESOURCES.memory,
        runtime=RESOURCES.runtime,
        micro_batch=RESOURCES.micro_batch,
    params:
        spec=SPECS.measure_perplexity,
        code=code_hash("measure_perplexity"),
    shell:
        run(
            "measure_perplexity",
            "--neurons {input.neurons:q} --activations {input.activations:q}"
            " --directions {input.directions:q}",
        )
        + " --code {params.code}"
        " --threads {threads} --gpus {resources.gpu} --micro-batch {resources.micro_batch}"
        " --model {input.model:q} --tokens {input.tokens:q} --out {output.out:q}"
        " > {log:q} 2>&1"
