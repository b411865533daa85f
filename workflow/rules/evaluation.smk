# Needs: models, adapters (but for tuning base), items, neurons, activations, held-out tokens.
# Makes: results/evaluations and results/perplexity, one file per treatment.
#
# A job loads a model once and works through a bundle of treatments. Bundles with the
# same treatments are jobs of one rule; Snakemake cannot compute the number of outputs
# from wildcards, so there is a rule for each list of treatments and each language.
#
# What grows with the grid goes through a pipe: Linux takes no argument over 128 KiB.

for family in result_paths.families(result_paths.task_bundles(CONFIG)):
    axes = dict(family.fixed)

    rule:
        """Evaluate one language's test items under the treatments of a bundle."""
        name:
            f"evaluate_task_{family.name}"
        input:
            model=model_to_load,
            adapter=SPECS.adapter(family),
            item_file=result_paths.items(axes["task"], "test", axes["lang"]),
            neurons=SPECS.inputs(family, "neurons"),
            activations=SPECS.inputs(family, "activations"),
        output:
            out=family.outputs,
        log:
            f"logs/{family.label}.log",
        benchmark:
            f"benchmarks/{family.label}.tsv"
        wildcard_constraints:
            tuning=either(map(re.escape, family.tunings)),
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
            spec=SPECS.of_family("evaluate_task", family),
            code=SPECS.bundle_code("evaluate_task", axes["task"]),
        shell:
            run(
                "evaluate_task",
                "--neurons {input.neurons:q}"
                " --activations {input.activations:q} --out {output.out:q}",
            )
            + " --code {params.code}"
            " --threads {threads} --gpus {resources.gpu} --micro-batch {resources.micro_batch}"
            " --model {input.model:q} --adapter {input.adapter:q}"
            " --items {input.item_file:q} > {log:q} 2>&1"


for family in result_paths.families(result_paths.perplexity_bundles(CONFIG)):
    axes = dict(family.fixed)

    rule:
        """Measure perplexity of held-out text under the treatments of a bundle."""
        name:
            f"measure_perplexity_{family.name}"
        input:
            model=model_to_load,
            tokens=result_paths.held_out(axes["corpus"], "{model}", axes["lang"]),
            neurons=SPECS.inputs(family, "neurons"),
            activations=SPECS.inputs(family, "activations"),
        output:
            out=family.outputs,
        log:
            f"logs/{family.label}.log",
        benchmark:
            f"benchmarks/{family.label}.tsv"
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
            spec=SPECS.of_family("measure_perplexity", family),
            code=code_hash("measure_perplexity"),
        shell:
            run(
                "measure_perplexity",
                "--neurons {input.neurons:q}"
                " --activations {input.activations:q} --out {output.out:q}",
            )
            + " --code {params.code}"
            " --threads {threads} --gpus {resources.gpu} --micro-batch {resources.micro_batch}"
            " --model {input.model:q} --tokens {input.tokens:q} > {log:q} 2>&1"
