"""Draw how many neurons two selections have in common.

The spec is {"model", "selections": [two names, in the order of the files]}.
"""

from langneurons import figures
from langneurons.figures import neurons, selections
from langneurons.jobs import cli


def main(job: cli.Job) -> None:
    model, (first, second) = job.spec["model"], job.spec["selections"]
    sets = figures.neuron_sets(job.inputs["neurons"], model, [first, second])
    for stem in figures.stems(job.outputs["figures"]):
        figures.only(figures.kind_of(stem), ["shared_with"], stem)
        data = selections.shared(*sets)
        figures.save(neurons.draw_shared(data, model, (first, second)), data, stem)


if __name__ == "__main__":
    cli.run(
        main,
        __doc__,
        inputs=["neurons"],
        outputs=["figures"],
        many=["neurons", "figures"],
    )
