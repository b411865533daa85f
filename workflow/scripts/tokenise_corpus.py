"""Tokenise the text of one language, to identify neurons with: chunks or sentences.

Mondal et al. 2025 use chunks of 512 tokens with BOS at every article (methods.md 1.2);
the spec is then that of ``packing.pack``, and the text has one document per line (.txt,
or .jsonl with key "text"). With ``unit: document`` it is that of
``sentence_tokens.record``. Control tokens that a text spells (``</s>``) are characters.
Chunks longer than the model has positions are refused. Writes tokens as safetensors,
and a manifest with counts and hashes.
"""

from langneurons.jobs import cli, manifests
from langneurons.nn.models import folders, loading
from langneurons.text import sentence_tokens, token_files


def main(job: cli.Job) -> None:
    """Tokenise the text with the tokenizer of the model."""
    folder = job.inputs["model"].parent
    manifest = manifests.read_model(job.inputs["model"])
    key = f"corpora.{job.spec['corpus']}.chunk_length"
    folders.require_positions(manifest, job.spec["chunk_length"], key, "it")
    tokenizer = loading.load_tokenizer(folder)
    sentences = job.spec.get("unit") == "document"
    tokenise = sentence_tokens.record if sentences else token_files.tokenise
    tokenise(
        job.inputs["text"],
        encode=loading.encoder(tokenizer),
        bos_id=tokenizer.bos_token_id,
        model={"model": manifest["model"], "model_revision": manifest["revision"]},
        spec=job.spec,
        tokens=job.outputs["tokens"],
        manifest=job.outputs["manifest"],
    )


if __name__ == "__main__":
    read, made = ["model", "text"], ["tokens", "manifest"]
    cli.run(main, __doc__, inputs=read, outputs=made, many=["text"])
