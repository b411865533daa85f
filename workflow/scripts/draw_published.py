"""Draw published neuron counts, overlaps and layers like our own (Figures 2 to 19).

The spec is {"model", "method", "langset"} as in config/published_results.json.
"""

from langneurons import figures
from langneurons.figures import neurons, selections
from langneurons.jobs import cli
from langneurons.published import numbers_file

DRAWN = {
    "counts": (selections.published_counts, neurons.draw_counts),
    "overlap": (selections.published_overlap, neurons.draw_overlap),
    "layers": (selections.published_layers, neurons.draw_layers),
}


def main(job: cli.Job) -> None:
    model, method, langset = (job.spec[k] for k in ("model", "method", "langset"))
    published = numbers_file.read(job.inputs["published"])
    entry = selections.published_entry(published, model, method, langset)
    for stem in figures.stems(job.outputs["figures"]):
        kind = figures.kind_of(stem)
        figures.only(kind, DRAWN, stem)
        describe, draw = DRAWN[kind]
        data = describe(entry)
        title = f"{model}, {method}.{langset} (published)"
        figures.save(draw(data, title), data, stem)


if __name__ == "__main__":
    cli.run(main, __doc__, inputs=["published"], outputs=["figures"], many=["figures"])
