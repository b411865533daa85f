# Needs: evaluations, perplexities, activations and neurons. Makes: results/tables.
#
# What grows with the grid goes through a pipe: Linux takes no argument over 128 KiB.


rule build_table:
    """A table of results, of any kind (workflow/scripts/langneurons/tables)."""
    input:
        evaluations=TABLES.files("evaluations"),
        perplexities=TABLES.files("perplexities"),
        activations=TABLES.files("activations"),
        neurons=TABLES.files("neurons"),
        similarities=TABLES.files("similarities"),
        alignments=TABLES.files("alignments"),
        tables=TABLES.files("tables"),
        published=published_numbers,
    output:
        tsv=report(
            "<study>/tables/{table}.tsv",
            caption="../report/table.rst",
            category="Tables",
        ),
        markdown="<study>/tables/{table}.md",
        latex="<study>/tables/{table}.tex",
    log:
        "logs/<study>/tables/{table}.log",
    benchmark:
        "benchmarks/<study>/tables/{table}.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=TABLES.memory,
        runtime=TABLES.minutes,
    params:
        spec=TABLES.table,
        code=TABLES.table_code,
    shell:
        run(
            "build_table",
            "--evaluations {input.evaluations:q} --perplexities {input.perplexities:q}"
            " --activations {input.activations:q} --neurons {input.neurons:q}"
            " --similarities {input.similarities:q} --alignments {input.alignments:q}"
            " --tables {input.tables:q} --published {input.published:q}",
        )
        + " --code {params.code}"
        " --tsv {output.tsv:q} --markdown {output.markdown:q} --latex {output.latex:q}"
        " > {log:q} 2>&1"
