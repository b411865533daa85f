"""Measure the perplexity of held-out text of one language under many treatments.

The spec is {"shared": {"model", "family", "architecture", "attn_implementation",
"corpus", "language", "chunks"; of sentences also "unit", "skip_tokens"}, "statistics"
and "treatments": as for evaluate_task}.
Beside the output, an index, is a file per treatment.
"""

from typing import Any

from langneurons.grid import subjects
from langneurons.jobs import cli, manifests
from langneurons.nn.evaluation import treatments


def main(job: cli.Job) -> None:
    found, left = treatments.begin(job, ("model", "tokens"))
    axes = treatments.axes(job, ("corpus", "model"))
    if left:
        measure(job, left, axes)
    kind = "langneurons/perplexities/1"
    treatments.write_index(job.outputs["out"], kind, axes, found)


def measure(job: cli.Job, left: list[treatments.Run], axes: dict[str, Any]) -> None:
    """Write the file of each treatment."""
    shared = job.spec["shared"]
    manifest = manifests.read_model(job.inputs["model"])

    from langneurons.nn.evaluation import overwriting, perplexity
    from langneurons.nn.evaluation.language_model import LanguageModel

    written = overwriting.read(left, manifest, generates=False)
    held_out = perplexity.read(job.inputs["tokens"], shared)
    lm = LanguageModel.open(
        job.inputs["model"],
        job.device,
        attention=shared["attn_implementation"],
        family=shared["family"],
    ).in_batches(job.batches)
    for run in left:
        treated = lm.under(written[run.name], f"perplexity {axes['lang']} {run.name}")
        nll = perplexity.text_nll(treated, held_out)
        result = perplexity.summary(nll, held_out.tokens)
        result |= {"n_neurons": overwriting.count(written[run.name])}
        table = perplexity.table(nll, held_out.tokens)
        treatments.write(run, axes, result, table)


if __name__ == "__main__":
    cli.run(main, __doc__, ["model", "tokens", *subjects.READ], many=subjects.READ)
