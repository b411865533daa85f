# Needs: the hub, a local folder, a GGUF file or the demo world.
# Makes: results/models/{model}/pinned and, quantised once, results/models/{model}/nf4.


if CONFIG.demo_world is not None:

    rule generate_demo_world:
        """Write text, inference and question data of artificial languages."""
        output:
            world=f"{DEMO}/world.json",
            files=result_paths.demo_files(CONFIG),
        log:
            f"logs/{DEMO}/world.log",
        benchmark:
            f"benchmarks/{DEMO}/world.tsv"
        conda:
            "../../envs/gpu.yaml"
        params:
            spec=SPECS.demo_world,
            code=code_hash("generate_demo_world"),
        shell:
            run("generate_demo_world") + " --spec {params.spec:q}"
            " --code {params.code} --world {output.world:q} > {log:q} 2>&1"


rule pretrain_demo_model:
    """Train a tiny decoder on the demo world, a new one or on from another."""
    input:
        base=continued_model,
        world=f"{DEMO}/world.json",
        text=f"{DEMO}/pretraining.txt",
        tokenizer=f"{DEMO}/tokenizer.json",
    output:
        model="results/models/{model}/pinned/manifest.json",
    log:
        "logs/results/models/{model}/pinned.pretraining.log",
    benchmark:
        "benchmarks/results/models/{model}/pinned.pretraining.tsv"
    wildcard_constraints:
        model=either(built_models()),
    conda:
        "../../envs/gpu.yaml"
    threads: RESOURCES.threads
    resources:
        mem_mb=RESOURCES.memory,
        runtime=RESOURCES.building_runtime,
    params:
        spec=SPECS.demo_model,
        code=code_hash("pretrain_demo_model"),
    shell:
        run("pretrain_demo_model") + " --spec {params.spec:q} --code {params.code}"
        " --threads {threads} --world {input.world:q} --base {input.base:q}"
        " --model {output.model:q} > {log:q} 2>&1"


rule fetch_model:
    """Download, copy or convert a model, and pin it by the hashes of its files."""
    input:
        files=model_source,
    output:
        model="results/models/{model}/pinned/manifest.json",
    log:
        "logs/results/models/{model}/pinned.log",
    benchmark:
        "benchmarks/results/models/{model}/pinned.tsv"
    wildcard_constraints:
        model=either(set(CONFIG.models) - set(built_models())),
    localrule: True
    conda:
        "../../envs/gpu.yaml"
    params:
        spec=SPECS.fetch_model,
        code=code_hash("fetch_model"),
    shell:
        run("fetch_model") + " --spec {params.spec:q} --code {params.code}"
        " --out {output.model:q} > {log:q} 2>&1"


rule pin_models:
    """Print the newest commit of every model and data set whose revision is null."""
    log:
        "logs/pins.log",
    localrule: True
    conda:
        "../../envs/gpu.yaml"
    params:
        spec=SPECS.pin_models,
        code=code_hash("pin_models"),
    shell:
        run("pin_models") + " --spec {params.spec:q} --code {params.code} 2> {log:q}"


rule quantise_model:
    """Quantise a model to nf4 once, so that later jobs load it in seconds (section 4)."""
    input:
        model="results/models/{model}/pinned/manifest.json",
    output:
        quantised="results/models/{model}/nf4/manifest.json",
    log:
        "logs/results/models/{model}/nf4.log",
    benchmark:
        "benchmarks/results/models/{model}/nf4.tsv"
    conda:
        "../../envs/gpu.yaml"
    resources:
        gpu=RESOURCES.gpu,
        nodes=1,  # several GPUs are never spread over nodes
        mem_mb=RESOURCES.memory,
        runtime=RESOURCES.building_runtime,
    params:
        spec=SPECS.quantise_model,
        code=code_hash("quantise_model"),
    shell:
        run("quantise_model") + " --spec {params.spec:q} --code {params.code}"
        " --gpus {resources.gpu} --model {input.model:q} --out {output.quantised:q} > {log:q} 2>&1"
