# Needs: pinned models (their tokenizers), text from the hub or a local folder, task data.
# Makes: results/tokens (to record, and held-out ones apart), results/dictionaries (words
# of pairs of languages) and results/tasks (items).


rule fetch_text:
    """Stream articles of a hub corpus until there is enough, or all its sentences."""
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
        run("fetch_text") + " --spec {params.spec:q} --code {params.code}"
        " --out {output.text:q} > {log:q} 2>&1"


rule tokenise_corpus:
    """Pack a language's text into chunks, or tokenise its sentences (section 3)."""
    input:
        model="results/models/{model}/pinned/manifest.json",
        text=corpus_text("recorded"),
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
        run("tokenise_corpus") + " --spec {params.spec:q} --code {params.code}"
        " --model {input.model:q} --text {input.text:q} --tokens {output.tokens:q}"
        " --manifest {output.manifest:q} > {log:q} 2>&1"


rule hold_out_text:
    """Tokenise text that identification does not see, for perplexity (Figure 1)."""
    input:
        model="results/models/{model}/pinned/manifest.json",
        text=corpus_text("held_out"),
        identified="results/tokens/{corpus}/{model}/{lang}.json",
    output:
        heldout="results/tokens/{corpus}/{model}/{lang}.heldout.safetensors",
        manifest="results/tokens/{corpus}/{model}/{lang}.heldout.json",
    log:
        "logs/results/tokens/{corpus}/{model}/{lang}.heldout.log",
    benchmark:
        "benchmarks/results/tokens/{corpus}/{model}/{lang}.heldout.tsv"
    conda:
        "../../envs/gpu.yaml"
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        spec=SPECS.hold_out_text,
        code=code_hash("hold_out_text"),
    shell:
        run("hold_out_text") + " --spec {params.spec:q} --code {params.code}"
        " --model {input.model:q} --text {input.text:q} --identified {input.identified:q}"
        " --heldout {output.heldout:q} --manifest {output.manifest:q} > {log:q} 2>&1"


rule prepare_dictionary:
    """Translate the words of a pair of languages, and part those of tests."""
    input:
        file=dictionary_files,
    output:
        out="results/dictionaries/{dictionary}/{pair}.json",
    log:
        "logs/results/dictionaries/{dictionary}/{pair}.log",
    benchmark:
        "benchmarks/results/dictionaries/{dictionary}/{pair}.tsv"
    localrule: True
    conda:
        "../../envs/gpu.yaml"
    params:
        spec=SPECS.prepare_dictionary,
        code=code_hash("prepare_dictionary"),
    shell:
        run("prepare_dictionary") + " --spec {params.spec:q} --code {params.code}"
        " --file {input.file:q} --out {output.out:q} > {log:q} 2>&1"


rule prepare_task:
    """Check the items of one split and language, and sample them (section 4)."""
    input:
        file=task_files,
    output:
        out="<study>/tasks/{task}/{split}.{lang}.jsonl",
    log:
        "logs/<study>/tasks/{task}/{split}.{lang}.log",
    benchmark:
        "benchmarks/<study>/tasks/{task}/{split}.{lang}.tsv"
    localrule: True
    conda:
        "../../envs/gpu.yaml"
    params:
        spec=SPECS.prepare_task,
        code=SPECS.task_code("prepare_task"),
    shell:
        run("prepare_task") + " --spec {params.spec:q} --code {params.code}"
        " --file {input.file:q} --out {output.out:q} > {log:q} 2>&1"
