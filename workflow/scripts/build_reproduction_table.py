"""Set every published number beside ours, where it was run by the same procedure.

The spec is what stands for which published number and, where a field is not the
published one, which ("evaluations", "activations", "neurons"; see ``our_numbers``), and
names the neuron files ("files", ``model method.language_set``, one per file).
"""

from langneurons.config.errors import DataError
from langneurons.jobs import cli
from langneurons.neurons.neuron_sets import NeuronSets
from langneurons.published import numbers_file
from langneurons.tables import (
    reproduction,
    reproduction_ours,
    reproduction_text,
    table_files,
    write_markdown,
)


def main(job: cli.Job) -> None:
    figures, spec = numbers_file.read(job.inputs["published"]), job.spec
    names, paths = spec["files"], job.inputs["neurons"]
    if len(names) != len(paths):
        raise DataError(f"{len(paths)} neuron files for {len(names)} selections")
    ours = reproduction_ours.our_numbers(
        figures,
        {path.stem: table_files.read(path) for path in job.inputs["tables"]},
        {name: NeuronSets.read(path) for name, path in zip(names, paths, strict=True)},
        spec,
    )
    table = reproduction.table(figures, *ours)
    text = reproduction_text.render(table, figures["sources"])
    write_markdown(job.outputs["markdown"], text)
    reproduction.write_tsv(job.outputs["tsv"], table)


if __name__ == "__main__":
    cli.run(
        main,
        __doc__,
        inputs=["published", "tables", "neurons"],
        outputs=["tsv", "markdown"],
        many=["tables", "neurons"],
    )
