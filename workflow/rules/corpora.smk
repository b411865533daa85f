# Needs: pinned models (their tokenizers), text from the hub or a local folder, task data.
# Makes: results/tokens (chunks and a held-out slice) and results/tasks (items).


rule fetch_text:
    """Stream shuffled articles of a hub corpus until there is enough (section 3)."""
    output:
        text="results/text/{corpus}/{lang}.jsonl",
    log:
        "logs/results/text/{corpus}/{lang}.log",
    benchmark:
        "benchmarks/results/text/{corpus}/{lang}.tsv"
    localrule: True
    conda:
        "../../envs/gpu.yaml"
    params:
        spec=SPECS.fetch_text,
        code=code_hash("fetch_text"),
    shell:
        "python workflow/scripts/fetch_text.py --spec {params.spec:q} --code {params.code}"
        " --out {output.text:q} > {log:q} 2>&1"


rule tokenise_corpus:
    """Pack a language's text into chunks, and keep a held-out slice aside (section 3)."""
    input:
        model="results/models/{model}/pinned/manifest.json",
        text=corpus_text,
    output:
        tokens="results/tokens/{corpus}/{model}/{lang}.safetensors",
        manifest="results/tokens/{corpus}/{model}/{lang}.json",
    log:
        "logs/results/tokens/{corpus}/{model}/{lang}.log",
    benchmark:
        "benchmarks/results/tokens/{corpus}/{model}/{lang}.tsv"
    conda:
        "../../envs/gpu.yaml"
    resources:
        mem_mb=8000,
        runtime=240,
    params:
        spec=SPECS.tokenise_corpus,
        code=code_hash("tokenise_corpus"),
    shell:
        "python workflow/scripts/tokenise_corpus.py --spec {params.spec:q} --code {params.code}"
        " --model {input.model:q} --text {input.text:q} --tokens {output.tokens:q}"
        " --manifest {output.manifest:q} > {log:q} 2>&1"


rule prepare_task:
    """Check the items of one split and language, and sample them (section 4)."""
    input:
        file=task_files,
    output:
        out="results/tasks/{task}/{split}.{lang}.jsonl",
    log:
        "logs/results/tasks/{task}/{split}.{lang}.log",
    benchmark:
        "benchmarks/results/tasks/{task}/{split}.{lang}.tsv"
    localrule: True
    conda:
        "../../envs/gpu.yaml"
    params:
        spec=SPECS.prepare_task,
        code=SPECS.task_code("prepare_task"),
    shell:
        "python workflow/scripts/prepare_task.py --spec {params.spec:q} --code {params.code}"
        " --file {input.file:q} --out {output.out:q} > {log:q} 2>&1"
