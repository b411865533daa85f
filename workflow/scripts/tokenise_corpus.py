"""Tokenise the text of one language and pack it into chunks, to identify neurons with.

Mondal et al. 2025 use chunks of 512 tokens with BOS at every article (methods.md 1.2).
The spec is that of ``packing.pack``. The text has one document per line (.txt, or
.jsonl with key "text"); control tokens that it spells (``</s>``) are characters. Chunks
longer than the model has positions are refused. Writes tokens as safetensors, and a
manifest with counts and hashes.
"""

from langneurons.jobs import cli, manifests
from langneurons.nn.models import folders, loading
from langneurons.text import token_files


def main(job: cli.Job) -> None:
    """Pack the text with the tokenizer of the model."""
    folder = job.inputs["model"].parent
    manifest = manifests.read_model(job.inputs["model"])
    key = f"corpora.{job.spec['corpus']}.chunk_length"
    folders.require_positions(manifest, job.spec["chunk_length"], key, "it")
    tokenizer = loading.load_tokenizer(folder)
    token_files.tokenise(
        job.inputs["text"],
        encode=loading.encoder(tokenizer),
        bos_id=tokenizer.bos_token_id,
        model={"model": manifest["model"], "model_revision": manifest["revision"]},
        spec=job.spec,
        tokens=job.outputs["tokens"],
        manifest=job.outputs["manifest"],
    )


if __name__ == "__main__":
    cli.run(main, __doc__, inputs=["model", "text"], outputs=["tokens", "manifest"])
