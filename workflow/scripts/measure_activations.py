"""Measure MLP activations of a model on one shard of one language's corpus.

The spec is the block ``activations`` of the configuration, and {"model", "family",
"architecture", "attn_implementation", "corpus", "language", "shard", "shards"}.
"""

from __future__ import annotations

from langneurons.config.errors import DataError
from langneurons.jobs import cli, manifests, tensors


def main(job: cli.Job) -> None:
    """Run the model over the shard's chunks and save what the recorder collected."""
    from langneurons.nn.models.loading import load_base
    from langneurons.nn.recording.measuring import read_shard, record

    spec, manifest_path = job.spec, job.inputs["model"]
    manifest = manifests.read_model(manifest_path)
    corpus = manifests.read_tokens(job.inputs["tokens"].with_suffix(".json"))
    part = [spec[key] for key in ("batch_chunks", "shard", "shards", "attention")]
    shard = read_shard(job.inputs["tokens"], *part)
    kernels = spec["attn_implementation"]
    model = load_base(manifest_path.parent, job.device, attention=kernels)
    state, metadata = record(
        model,
        shard.chunks,
        shard.first,
        batch_chunks=spec["batch_chunks"],
        histogram_every=spec["histogram_every"],
        batch_quantiles=spec["batch_quantiles"],
        micro_batch=job.batches,
        label=f"{spec['language']} {spec['shard'] + 1} of {spec['shards']}",
        family=spec["family"],
        chunk_means=spec["chunk_means"],
        contribution_top=spec["contribution_top"],
        corpus_chunks=shard.corpus_chunks,
        documents=shard.documents,
        batch_quantiles_every=spec["batch_quantiles_every"],
    )
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
