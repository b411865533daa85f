"""Measure the perplexity of held-out text of one language under many treatments.

The spec is {"shared": {"model", "family", "architecture", "attn_implementation",
"corpus", "language", "chunks"}, "statistics" and "treatments": as for evaluate_task}.
"""

from langneurons.jobs import cli, manifests
from langneurons.nn.evaluation import bundles


def main(job: cli.Job) -> None:
    shared = job.spec["shared"]
    left = bundles.begin(job, ("model", "tokens"), table=False)
    if not left:
        return
    manifest = manifests.read_model(job.inputs["model"])

    from langneurons.nn.evaluation import overwriting, perplexity
    from langneurons.nn.evaluation.language_model import LanguageModel

    treatments = overwriting.read(left, manifest, generates=False)
    where = f"corpora.{shared['corpus']}.heldout_tokens"
    chunks = perplexity.read_heldout(job.inputs["tokens"], shared["chunks"], where)
    lm = LanguageModel.open(
        job.inputs["model"],
        job.device,
        attention=shared["attn_implementation"],
        family=shared["family"],
    ).in_batches(job.batches)
    for cell in left:
        treatment, lang = treatments[cell.name], shared["language"]
        treated = lm.under(treatment, f"perplexity {lang} {cell.name}")
        nll = perplexity.chunk_nll(treated, chunks)
        axes = {k: shared[k] for k in ("corpus", "model")}
        record = {"format": "langneurons/perplexity/1", **axes}
        record |= {"lang": lang, "treatment": cell.name}
        record |= perplexity.summary(nll, chunks.shape[1])
        record["n_neurons"] = treatment.n_neurons if treatment else 0
        bundles.write(cell, record)


if __name__ == "__main__":
    read = ["model", "tokens", "neurons", "activations"]
    cli.run(main, __doc__, inputs=read, many=["neurons", "activations", "out"])
