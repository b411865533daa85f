"""Measure MLP activations of a model on one shard of one language's corpus.

The spec is {"model", "family", "architecture", "attn_implementation", "corpus",
"language", "shard", "shards"} and, for chunks, the block ``activations`` of the
configuration; for sentences what it says of them, {"unit", "skip_tokens"}.
"""

from __future__ import annotations

from langneurons.config.errors import DataError
from langneurons.jobs import cli, manifests, tensors


def main(job: cli.Job) -> None:
    """Run the model over the shard's text and save what the recorder collected."""
    from langneurons.nn.models.loading import load_base
    from langneurons.nn.recording.of_corpus import record_shard

    spec, manifest_path = job.spec, job.inputs["model"]
    manifest = manifests.read_model(manifest_path)
    corpus = manifests.read_tokens(job.inputs["tokens"].with_suffix(".json"))
    kernels = spec["attn_implementation"]
    model = load_base(manifest_path.parent, job.device, attention=kernels)
    state, metadata = record_shard(model, job.inputs["tokens"], spec, job.batches)
    shape = (manifest["layers"], manifest["intermediate_size"])
    if state["count_pos"].shape != shape:
        raise DataError(
            f"{manifest_path}: says {shape[0]} layers of {shape[1]} neurons, "
            f"the model has {state['count_pos'].shape}"
        )
    metadata |= {key: str(spec[key]) for key in ("model", "corpus", "language")}
    metadata |= {key: str(spec[key]) for key in ("shard", "shards")}
    metadata["model_revision"] = str(manifest["revision"])
    metadata["tokens_sha256"] = corpus["tokens_sha256"]
    tensors.write(job.outputs["out"], state, metadata)


if __name__ == "__main__":
    cli.run(main, __doc__, inputs=["model", "tokens"])
