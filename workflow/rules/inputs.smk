# Needs: the names of common.smk. Makes: the functions that say which files a rule reads.


def corpus_text(part):
    """Make the function to a language's text: local files, or what was fetched."""

    def paths(wildcards):
        return result_paths.text(CONFIG, wildcards.corpus, wildcards.lang, part)

    return signed(paths)


def dictionary_files(wildcards):
    """The user's files that the words of a pair are read from."""
    legs = CONFIG.dictionary(wildcards.dictionary).legs(Pair.parse(wildcards.pair))
    return [path for leg in legs for path in leg.files]


def task_files(wildcards):
    """The files of a task's split; none when it comes from the hub."""
    return local_files.of_task(CONFIG, wildcards.task, wildcards.split, wildcards.lang)


def model_source(wildcards):
    """The local files that a model is copied or converted from; none from elsewhere."""
    entry = CONFIG.model(wildcards.model)
    if entry.gguf and entry.gguf.path:
        return [entry.gguf.path]
    return fetching.local_files(entry.folder) if entry.folder else []


def continued_model(wildcards):
    """The demo model that another continues; none for a new one."""
    base = CONFIG.demo_model(wildcards.model).continued_from
    return f"results/models/{base}/pinned/manifest.json" if base else []


@signed
def model_to_load(wildcards):
    """The weights that jobs load: 4-bit where the catalogue says so."""
    return result_paths.model_manifest(CONFIG, wildcards.model)


def measured_shards(wildcards):
    """All shards of one corpus, model and language."""
    return RECORDS.shards(wildcards.corpus, wildcards.model, wildcards.lang)


def activations_of_set(wildcards):
    """The statistics of all languages that a method contrasts."""
    corpus = CONFIG.method_corpus(wildcards.method)
    languages = CONFIG.language_set(wildcards.langset).languages
    return [
        result_paths.activations(corpus, wildcards.model, lang) for lang in languages
    ]


def activations_to_contrast(wildcards):
    """The statistics of all languages whose mean differences are found."""
    corpus = steering.means(CONFIG).corpus
    languages = CONFIG.language_set(wildcards.langset).languages
    return [
        result_paths.activations(corpus, wildcards.model, lang) for lang in languages
    ]


def read_neurons(wildcards):
    """The selections that a selection is made from; none for most methods."""
    selection = Selection(wildcards.method, wildcards.langset)
    return [
        result_paths.neurons(wildcards.model, read)
        for read in CONFIG.made_from(selection)
    ]


def method_files(wildcards):
    """The user's files that a method reads; none for most methods."""
    entry = CONFIG.method(wildcards.method)
    return list(methods.files_of(entry.kind, entry.parameters).values())


@signed
def training_items(wildcards):
    """The training items of a task, in its source language."""
    source = CONFIG.task(wildcards.task).source_language
    return result_paths.items(CONFIG, wildcards.task, "train", source)


@signed
def tuned_neurons(wildcards):
    """The neurons that a tuning changes; none for tunings without neurons."""
    return result_paths.tuned_neurons(
        wildcards.model, TuningName.parse(wildcards.tuning)
    )


@signed
def evaluated_adapter(wildcards):
    """The adapter that an evaluated model carries; none for the model as it is."""
    return subjects.adapter(CONFIG, PARTS.of_job(wildcards).subject)


def treated(role):
    """Make the function to the files of a role that a job's treatments read."""

    def paths(wildcards):
        # Here, as Snakemake knows what is forced once it plans, and not before.
        forced.tell(workflow)
        return PARTS.reads(wildcards, role)

    return signed(paths)


def published_numbers(wildcards):
    """The file of published numbers, for a table that reads it."""
    return PUBLISHED if TABLES.reads(wildcards.table).published else []


def reported(listed):
    """Those that the report shows: all, or with report: existing what fits it."""

    def paths(wildcards):
        found = listed()
        return found if CONFIG.report == "complete" else RECORDS.shown(found)[0]

    return paths


def report_spec(wildcards):
    """The report's spec; it also says what it leaves out of what is there."""
    left_out = {}
    if CONFIG.report == "existing":
        left_out = RECORDS.shown([*all_tables(), *all_figures()])[1]
    given = workflow.overwrite_configfiles, workflow.config_settings.config_args
    options = targets.options(*given, workflow.main_snakefile)
    return TABLES.report(left_out, benchmarks(), options)


def benchmarks():
    """Where Snakemake writes the times of jobs, by rule, wildcards in braces."""
    return {
        each.name: strip_wildcard_constraints(str(each.benchmark))
        for each in workflow.rules
        if each.benchmark
    }


def costs_spec(wildcards):
    """The spec of the table of costs."""
    return TABLES.costs(benchmarks())
