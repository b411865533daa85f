# Needs: models, adapters, items, neurons, activations, held-out tokens.
# Makes: results/evaluations and results/perplexity, one file a treatment.
#
# A job loads a model once and works through a bundle of treatments. Each bundle is a
# rule of its own, because Snakemake cannot compute outputs from wildcards.

for bundle in grid.task_bundles(CONFIG):
    axes = dict(bundle.axes)
    needs = grid.bundle_inputs(CONFIG, bundle)
    name = bundle.name
    label = f"{bundle.folder}/bundle-{bundle.number}"

    rule:
        name:
            f"evaluate_task_{name}"
        input:
            model=grid.model_manifest(CONFIG, axes["model"]),
            adapter=grid.adapter(
                axes["task"], axes["model"], axes["tuning"], axes["seed"]
            ),
            item_file=grid.items(axes["task"], "test", axes["lang"]),
            neurons=needs["neurons"],
            activations=needs["activations"],
        output:
            out=bundle.outputs,
        log:
            f"logs/{label}.log",
        benchmark:
            f"benchmarks/{label}.tsv"
        conda:
            "../../envs/gpu.yaml"
        threads: RESOURCES.threads_of(axes["model"])
        resources:
            gpu=RESOURCES.gpu_of(axes["model"]),
            mem_mb=RESOURCES.of("memory", axes["model"]),
            runtime=RESOURCES.of("runtime", axes["model"]),
            micro_batch=RESOURCES.of("micro_batch", axes["model"]),
        params:
            spec=SPECS.of_bundle("evaluate_task", bundle),
            code=SPECS.bundle_code("evaluate_task", axes["task"]),
        shell:
            "python workflow/scripts/evaluate_task.py --spec {params.spec:q} --code {params.code}"
            " --threads {threads} --micro-batch {resources.micro_batch}"
            " --model {input.model:q} --adapter {input.adapter:q}"
            " --items {input.item_file:q} --neurons {input.neurons:q}"
            " --activations {input.activations:q} --out {output.out:q}"
            " > {log:q} 2>&1"


for bundle in grid.perplexity_bundles(CONFIG):
    axes = dict(bundle.axes)
    needs = grid.bundle_inputs(CONFIG, bundle)
    name = bundle.name
    label = f"{bundle.folder}/bundle-{bundle.number}"

    rule:
        name:
            f"measure_{name}"
        input:
            model=grid.model_manifest(CONFIG, axes["model"]),
            tokens=grid.tokens(axes["corpus"], axes["model"], axes["lang"]),
            neurons=needs["neurons"],
            activations=needs["activations"],
        output:
            out=bundle.outputs,
        log:
            f"logs/{label}.log",
        benchmark:
            f"benchmarks/{label}.tsv"
        conda:
            "../../envs/gpu.yaml"
        threads: RESOURCES.threads_of(axes["model"])
        resources:
            gpu=RESOURCES.gpu_of(axes["model"]),
            mem_mb=RESOURCES.of("memory", axes["model"]),
            runtime=RESOURCES.of("runtime", axes["model"]),
            micro_batch=RESOURCES.of("micro_batch", axes["model"]),
        params:
            spec=SPECS.of_bundle("measure_perplexity", bundle),
            code=code_hash("measure_perplexity"),
        shell:
            "python workflow/scripts/measure_perplexity.py --spec {params.spec:q}"
            " --code {params.code} --threads {threads}"
            " --micro-batch {resources.micro_batch} --model {input.model:q}"
            " --tokens {input.tokens:q} --neurons {input.neurons:q}"
            " --activations {input.activations:q} --out {output.out:q}"
            " > {log:q} 2>&1"
