"""Pin a model: download, copy or convert it into a folder with a manifest.

The spec is {"name", "model": {"hub" | "folder" | "gguf", "family", "dtype"}}. The
output is the manifest; weights and tokenizer lie beside it.
"""

from langneurons.jobs import cli
from langneurons.nn.models import fetching


def main(job: cli.Job) -> None:
    """Write the pinned folder that holds the manifest asked for."""
    folder = job.outputs["out"].parent
    fetching.fetch(job.spec["name"], job.spec["model"], folder)


if __name__ == "__main__":
    cli.run(main, __doc__, outputs=["out"], network=True)
