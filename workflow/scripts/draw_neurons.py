"""Draw the neurons of a selection (Figures 2 to 19).

The spec is {"model", "selections": [its name]}.
"""

from langneurons import figures
from langneurons.figures import neurons, selections
from langneurons.jobs import cli

KINDS = {
    "counts": (selections.counts, neurons.draw_counts),
    "overlap": (selections.overlap, neurons.draw_overlap),
    "jaccard": (selections.jaccard, neurons.draw_jaccard),
    "layers": (selections.layers, neurons.draw_layers),
    "multiplicity": (selections.multiplicity, neurons.draw_multiplicity),
}


def main(job: cli.Job) -> None:
    model, (name,) = job.spec["model"], job.spec["selections"]
    sets = figures.neuron_sets(job.inputs["neurons"], model, [name])[0]
    for stem in figures.stems(job.outputs["figures"]):
        kind = figures.kind_of(stem)
        figures.only(kind, KINDS, stem)
        describe, draw = KINDS[kind]
        data = describe(sets)
        figures.save(draw(data, f"{model}, {name}"), data, stem)


if __name__ == "__main__":
    cli.run(
        main,
        __doc__,
        inputs=["neurons"],
        outputs=["figures"],
        many=["neurons", "figures"],
    )
