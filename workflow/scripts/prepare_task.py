"""Prepare the items of a task in one language: check, cut or sample, write JSON lines.

The training set is its first ``train_fraction``, the test set a sample of the same rows
in every language (Mondal et al. 2025, section 4; methods.md 2.3). The spec is that of
``tasks.prepare``.
"""

from langneurons import tasks
from langneurons.jobs import cli
from langneurons.tasks.common import items


def main(job: cli.Job) -> None:
    """Read, take the part that is used, write."""
    items.write_jsonl(job.outputs["out"], tasks.prepare(job.spec, job.inputs["file"]))


if __name__ == "__main__":
    cli.run(main, __doc__, ["file"], ["out"], many=["file"], network=True)
