# Needs: pinned models (their tokenizers), text from the hub or a local folder, task data.
# Makes: results/tokens (chunks and a held-out slice) and results/tasks (items).


def corpus_text(wildcards):
    """The text of a language: a local file, or what was fetched from the hub."""
    entry = CONFIG.corpus(wildcards.corpus)
    if entry.folder is not None:
        return f"{entry.folder}/{wildcards.lang}.txt"
    return f"results/text/{wildcards.corpus}/{wildcards.lang}.jsonl"


def task_files(wildcards):
    """The local files of a task's split; none when it comes from the hub."""
    data = CONFIG.task(wildcards.task).data
    given = data.train if wildcards.split == "train" else data.test
    return [given.format(lang=wildcards.lang)] if given else []


rule fetch_text:
    """Stream shuffled articles of a hub corpus until there is enough (section 3)."""
    output:
        text="results/text/{corpus}/{lang}.jsonl",
    log:
        "logs/results/text/{corpus}/{lang}.log",
    benchmark:
        "benchmarks/results/text/{corpus}/{lang}.tsv"
    params:
        spec=SPECS.fetch_text,
        code=code_hash("fetch_text"),
    shell:
        "{SCRIPTS}/fetch_text.py --spec {params.spec:q} --code {params.code}"
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
    resources:
        mem_mb=8000,
        runtime=240,
    params:
        spec=SPECS.tokenise_corpus,
        code=code_hash("tokenise_corpus"),
    shell:
        "{SCRIPTS}/tokenise_corpus.py --spec {params.spec:q} --code {params.code}"
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
    params:
        spec=SPECS.prepare_task,
        code=SPECS.task_code("prepare_task"),
    shell:
        "{SCRIPTS}/prepare_task.py --spec {params.spec:q} --code {params.code}"
        " --file {input.file:q} --out {output.out:q} > {log:q} 2>&1"
