"""Tokenise text that identification never sees, to measure perplexity on.

Chunks are taken from the other end of the order in which ``tokenise_corpus`` took
documents; text that repeats what was taken there is left out (methods.md 3.1).
The spec is that of ``packing.hold_out``; with ``unit: document``, whose sentences the
configuration names, of ``sentence_tokens.hold_out``.
"""

from langneurons.jobs import cli, manifests
from langneurons.nn.models import loading
from langneurons.text import sentence_tokens, token_files


def main(job: cli.Job) -> None:
    """Tokenise what is held out with the tokenizer of the model."""
    manifest = manifests.read_model(job.inputs["model"])
    tokenizer = loading.load_tokenizer(job.inputs["model"].parent)
    sentences = job.spec.get("unit") == "document"
    set_aside = sentence_tokens.hold_out if sentences else token_files.set_aside
    set_aside(
        job.inputs["text"],
        encode=loading.encoder(tokenizer),
        bos_id=tokenizer.bos_token_id,
        model={"model": manifest["model"], "model_revision": manifest["revision"]},
        spec=job.spec,
        identified=job.inputs["identified"],
        heldout=job.outputs["heldout"],
        manifest=job.outputs["manifest"],
    )


if __name__ == "__main__":
    cli.run(
        main,
        __doc__,
        inputs=["model", "text", "identified"],
        outputs=["heldout", "manifest"],
        many=["text"],
    )
