"""Fetch an adapter that somebody else trained, and check it against model and task.

The spec is that of ``foreign_adapters.fetch``. Outputs are the adapter as PEFT saves it
and a record of where it comes from.
"""

from langneurons.jobs import cli
from langneurons.nn.models import foreign_adapters


def main(job: cli.Job) -> None:
    model, given = job.inputs["model"], job.inputs["files"]
    foreign_adapters.fetch(job.spec, model, given, job.outputs)


if __name__ == "__main__":
    read, made = ["model", "files"], ["adapter", "config", "record"]
    cli.run(main, __doc__, read, outputs=made, many=["files"], network=True)
