"""Measure the perplexity of held-out text of one language under many treatments.

The spec is {"shared": {"model", "family", "attn_implementation", "corpus", "language",
"chunks"}, "statistics" and "treatments": as for evaluate_task}.
"""

from langneurons.jobs import cli, manifests
from langneurons.nn.evaluation import bundles


def main(job: cli.Job) -> None:
    shared, names = job.spec["shared"], ("model", "tokens")
    common = {name: job.inputs[name] for name in names}
    cells = bundles.cells(
        job.spec,
        job.code,
        job.outputs["out"],
        common,
        job.inputs["neurons"],
        job.inputs["activations"],
    )
    job.own.update(bundles.own(job.spec, cells, common))
    left = bundles.pending(cells, table=False)
    if not left:
        return
    manifest = manifests.read_model(job.inputs["model"])

    from langneurons.nn.evaluation import perplexity
    from langneurons.nn.models import loading

    treatments = bundles.treatments(left, manifest, generates=False)
    where = f"corpora.{shared['corpus']}.heldout_tokens"
    chunks = perplexity.read_heldout(job.inputs["tokens"], shared["chunks"], where)
    kernels = shared["attn_implementation"]
    folder = job.inputs["model"].parent
    model = loading.load_causal(folder, job.device, attention=kernels)
    for cell in left:
        treatment = treatments[cell.name]
        label = f"perplexity {shared['language']} {cell.name}"
        nll = perplexity.chunk_nll(
            model, chunks, job.batches, treatment, shared["family"], label
        )
        axes = {k: shared[k] for k in ("corpus", "model")}
        record = {"format": "langneurons/perplexity/1", **axes}
        record |= {"lang": shared["language"], "treatment": cell.name}
        record |= perplexity.summary(nll, chunks.shape[1])
        record["n_neurons"] = treatment.n_neurons if treatment else 0
        bundles.write(cell, record)


if __name__ == "__main__":
    read = ["model", "tokens", "neurons", "activations"]
    cli.run(main, __doc__, inputs=read, many=["neurons", "activations", "out"])
