"""Draw how well languages are aligned with the pivot, layer by layer.

The spec is {"model", "names"}: corpus, model and pair of each file, with its language.
"""

from langneurons import figures
from langneurons.figures import alignment
from langneurons.jobs import cli
from langneurons.tables.common import alignment_files


def main(job: cli.Job) -> None:
    model, names = job.spec["model"], job.spec["names"]
    keys = [tuple(name[:3]) for name in names]
    read = alignment_files.read_all(job.inputs["alignments"], keys)
    data = alignment.layers(
        {name[3]: read[key] for name, key in zip(names, keys, strict=True)}
    )
    for stem in figures.stems(job.outputs["figures"]):
        figures.only(figures.kind_of(stem), ("aligned",), stem)
        figure = alignment.draw_layers(data, f"{model}: alignment layer by layer")
        figures.save(figure, data, stem)


if __name__ == "__main__":
    both = ["alignments", "figures"]
    cli.run(main, __doc__, inputs=both[:1], outputs=both[1:], many=both)
