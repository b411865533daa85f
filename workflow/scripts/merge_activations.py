"""Add up the shards of one language's activation statistics.

Run as: merge_activations.py --shards FILE... --out FILE
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from langneurons.config.errors import DataError
from langneurons.jobs import cli, tensors
from langneurons.neurons import activation_layout


def main(job: cli.Job) -> None:
    """Check that the shards are all there and belong together, and add them up."""
    from langneurons.nn.recording.recorder import merge

    metadata: dict[str, str] = {}
    seen: list[int] = []

    def states(paths: list[Path]) -> Iterator[dict[str, Any]]:
        for path in paths:
            activation_layout.check(path, tensors.open_file(path))
            arrays, found = tensors.read(path)
            seen.append(activation_layout.integer(path, found, "shard"))
            del found["shard"]
            if metadata and found != metadata:
                differ = [k for k in found if found[k] != metadata.get(k)]
                raise DataError(
                    f"{path}: does not belong to {paths[0]}, they differ in "
                    f"{', '.join(differ)}. Delete the shards to redo them."
                )
            metadata.update(found)
            yield arrays

    total = merge(states(job.inputs["shards"]))
    first = job.inputs["shards"][0]
    wanted = activation_layout.integer(first, metadata, "shards")
    del metadata["shards"]
    if sorted(seen) != list(range(wanted)):
        raise DataError(
            f"{job.outputs['out']}: needs the shards 0 to {wanted - 1} once each, "
            f"given: {sorted(seen)}"
        )
    tensors.write(job.outputs["out"], total, metadata)


if __name__ == "__main__":
    cli.run(main, __doc__, inputs=["shards"], many=["shards"])
