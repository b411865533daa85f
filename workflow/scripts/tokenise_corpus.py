"""Tokenise the text of one language and pack it into chunks, with a held-out slice.

Mondal et al. 2025 use chunks of 512 tokens with BOS at every article (methods.md 1.2).
The text has one document a line (.txt, or .jsonl with key "text"). Writes the tokens as
safetensors and a manifest with counts and hashes.
"""

from langneurons import cli, manifests, packing
from langneurons.nn import models


def main(job: cli.Job) -> None:
    """Pack the text with the tokenizer of the model."""
    folder = job.inputs["model"].parent
    manifest = manifests.read_model(job.inputs["model"])
    tokenizer = models.load_tokenizer(folder)
    packing.tokenise(
        job.inputs["text"],
        encode=models.encoder(tokenizer),
        bos_id=tokenizer.bos_token_id,
        model={"model": manifest["model"], "model_revision": manifest["revision"]},
        spec=job.spec,
        tokens=job.outputs["tokens"],
        manifest=job.outputs["manifest"],
    )


if __name__ == "__main__":
    cli.run(main, __doc__, inputs=["model", "text"], outputs=["tokens", "manifest"])
