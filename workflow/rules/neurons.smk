# Needs: activation statistics. Makes: results/neurons, the neurons of each language, and
# results/directions, what tells the languages of a set apart in the residual stream.


rule identify_neurons:
    """Select the neurons of each language of a set (sections 3.2 and 3.3)."""
    input:
        activations=activations_of_set,
        reads=read_neurons,
        files=method_files,
    output:
        out="results/neurons/{model}/{method}.{langset}.json",
    log:
        "logs/results/neurons/{model}/{method}.{langset}.log",
    benchmark:
        "benchmarks/results/neurons/{model}/{method}.{langset}.tsv"
    conda:
        "../../envs/gpu.yaml"
    resources:
        mem_mb=RESOURCES.statistics_memory,
        runtime=60,
    params:
        spec=SPECS.identify_neurons,
        code=SPECS.method_code,
    shell:
        run("identify_neurons") + " --spec {params.spec:q} --code {params.code}"
        " --activations {input.activations:q} --reads {input.reads:q}"
        " --out {output.out:q} > {log:q} 2>&1"


rule find_directions:
    """Mean difference of each language of a set from the others, to steer with."""
    input:
        activations=activations_to_contrast,
    output:
        out="results/directions/{model}/diffmean.{langset}.safetensors",
    log:
        "logs/results/directions/{model}/diffmean.{langset}.log",
    benchmark:
        "benchmarks/results/directions/{model}/diffmean.{langset}.tsv"
    conda:
        "../../envs/gpu.yaml"
    resources:
        mem_mb=RESOURCES.statistics_memory,
        runtime=60,
    params:
        spec=SPECS.find_directions,
        code=code_hash("find_directions"),
    shell:
        run("find_directions") + " --spec {params.spec:q} --code {params.code}"
        " --activations {input.activations:q} --out {output.out:q} > {log:q} 2>&1"


rule export_neurons:
    """Write a selection in the format of the published neuron files (Tang et al. 2024)."""
    input:
        neurons="results/neurons/{model}/{method}.{langset}.json",
    output:
        out="results/neurons/{model}/{method}.{langset}.pth",
    log:
        "logs/results/neurons/{model}/{method}.{langset}.pth.log",
    benchmark:
        "benchmarks/results/neurons/{model}/{method}.{langset}.pth.tsv"
    localrule: True
    conda:
        "../../envs/gpu.yaml"
    params:
        spec="{}",
        code=code_hash("export_neurons"),
    shell:
        run("export_neurons") + " --code {params.code}"
        " --neurons {input.neurons:q} --out {output.out:q} > {log:q} 2>&1"
