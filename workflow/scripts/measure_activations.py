"""Measure MLP activations of a model on one shard of one language's corpus.

Run as: measure_activations.py --spec JSON --model MANIFEST --tokens FILE --out FILE
"""

from __future__ import annotations

from langneurons import cli, files, tensors
from langneurons.errors import DataError


def main(job: cli.Job) -> None:
    """Run the model over the shard's chunks and save what the recorder collected."""
    import torch
    from safetensors import safe_open

    from langneurons.nn.measuring import record, shard_chunks
    from langneurons.nn.models import load_base

    spec, manifest_path = job.spec, job.inputs["model"]
    manifest = files.read_json(manifest_path)
    corpus = files.read_json(job.inputs["tokens"].with_suffix(".json"))
    with safe_open(str(job.inputs["tokens"]), framework="numpy") as handle:
        tokens = handle.get_slice("tokens")
        corpus_chunks = tokens.get_shape()[0]
        first, end = shard_chunks(
            corpus_chunks, spec["batch_chunks"], spec["shard"], spec["shards"]
        )
        chunks = torch.from_numpy(tokens[first:end])

    model = load_base(manifest_path.parent, job.device)
    state, metadata = record(
        model,
        chunks,
        first,
        batch_chunks=spec["batch_chunks"],
        histogram_every=spec["histogram_every"],
        batch_quantiles=spec["batch_quantiles"],
        micro_batch=job.micro_batch,
        label=f"{spec['language']} {spec['shard'] + 1} of {spec['shards']}",
        family=spec["family"],
        chunk_means=spec["chunk_means"],
        contribution_top=spec["contribution_top"],
        corpus_chunks=corpus_chunks,
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
