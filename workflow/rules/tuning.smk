# Needs: a model, the training items and perhaps neurons; or somebody else's adapter.
# Makes: results/adapters, stock PEFT adapters, and the curves of their training.


UNTRAINED = {name for name in CONFIG.tunings if not CONFIG.is_trained(name)}


rule tune_model:
    """Fine-tune on the source language, all of it or chosen neurons (section 4)."""
    input:
        model=model_to_load,
        item_file=training_items,
        neurons=tuned_neurons,
    output:
        adapter="<study>/adapters/{task}/{model}/{tuning}/seed{seed}/adapter_model.safetensors",
        config="<study>/adapters/{task}/{model}/{tuning}/seed{seed}/adapter_config.json",
        summary="<study>/adapters/{task}/{model}/{tuning}/seed{seed}/training.json",
    log:
        "logs/<study>/adapters/{task}/{model}/{tuning}/seed{seed}.log",
    benchmark:
        "benchmarks/<study>/adapters/{task}/{model}/{tuning}/seed{seed}.tsv"
    wildcard_constraints:
        tuning=rf"(?!(?:{either(UNTRAINED)})/)(?:{TUNING})",
    conda:
        "../../envs/gpu.yaml"
    threads: RESOURCES.threads
    resources:
        gpu=RESOURCES.gpu,
        nodes=1,  # several GPUs are never spread over nodes
        mem_mb=RESOURCES.memory,
        runtime=RESOURCES.training_runtime,
        micro_batch=RESOURCES.micro_batch,
        checkpoint_every=RESOURCES.checkpoint_every,
    params:
        spec=SPECS.tune_model,
        code=SPECS.task_code("tune_model"),
    shell:
        run("tune_model") + " --spec {params.spec:q} --code {params.code}"
        " --threads {threads} --gpus {resources.gpu} --micro-batch {resources.micro_batch}"
        " --checkpoint-every {resources.checkpoint_every}"
        " --model {input.model:q} --items {input.item_file:q}"
        " --neurons {input.neurons:q}"
        " --adapter {output.adapter:q} --config {output.config:q}"
        " --log {output.summary:q} > {log:q} 2>&1"


rule fetch_adapter:
    """Download or copy an adapter that somebody else trained, and check that it fits."""
    input:
        model="results/models/{model}/pinned/manifest.json",
        files=signed(lambda wildcards: local_files.of_adapter(CONFIG, wildcards.tuning)),
    output:
        adapter="<study>/adapters/{task}/{model}/{tuning}/seed{seed}/adapter_model.safetensors",
        config="<study>/adapters/{task}/{model}/{tuning}/seed{seed}/adapter_config.json",
        source="<study>/adapters/{task}/{model}/{tuning}/seed{seed}/source.json",
    log:
        "logs/<study>/adapters/{task}/{model}/{tuning}/seed{seed}.log",
    benchmark:
        "benchmarks/<study>/adapters/{task}/{model}/{tuning}/seed{seed}.tsv"
    wildcard_constraints:
        tuning=either(UNTRAINED - {BASE}),
        seed="0",
    localrule: True
    conda:
        "../../envs/gpu.yaml"
    params:
        spec=SPECS.fetch_adapter,
        code=code_hash("fetch_adapter"),
    shell:
        run("fetch_adapter") + " --spec {params.spec:q} --code {params.code}"
        " --model {input.model:q} --files {input.files:q}"
        " --adapter {output.adapter:q} --config {output.config:q}"
        " --record {output.source:q} > {log:q} 2>&1"


rule draw_training:
    """The losses of a model's adapters while they were trained."""
    input:
        records=TABLES.trainings,
    output:
        svg=report(
            drawn("{{model}}/{kind}.{{task}}", ["training_curves"], "svg"),
            caption="../report/training_figure.rst",
            category="Figures",
        ),
        others=drawn("{{model}}/{kind}.{{task}}", ["training_curves"], "png tsv"),
    log:
        "logs/<study>/figures/{model}/training_curves.{task}.log",
    benchmark:
        "benchmarks/<study>/figures/{model}/training_curves.{task}.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    params:
        spec=TABLES.draw_training,
        code=code_hash("draw_training"),
    shell:
        run("draw_training", "--records {input.records:q}") + " --code {params.code}"
        " --figures {output:q} > {log:q} 2>&1"
