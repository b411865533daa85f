"""Draw how similar each candidate for a bridge is to a pair, layer by layer.

The spec is {"model", "similarity", "pairs"}, the pairs in the order of the files.
"""

from langneurons import figures
from langneurons.figures import by_layer
from langneurons.jobs import cli
from langneurons.tables.common import similarity_files


def main(job: cli.Job) -> None:
    model, name = job.spec["model"], job.spec["similarity"]
    names = [(model, name, pair) for pair in job.spec["pairs"]]
    read = similarity_files.read_all(job.inputs["similarities"], names)
    data = by_layer.layers({pair: one for (_, _, pair), one in read.items()})
    title = f"{model}: {name} layer by layer"
    for stem in figures.stems(job.outputs["figures"]):
        figures.only(figures.kind_of(stem), ("by_layer",), stem)
        if data.empty:
            text = f"{name} has no scores of layers: each pair is left out."
            figure = figures.message(title, text)
        else:
            figure = by_layer.draw_layers(data, title)
        figures.save(figure, data, stem)


if __name__ == "__main__":
    both = ["similarities", "figures"]
    cli.run(main, __doc__, inputs=both[:1], outputs=both[1:], many=both)
