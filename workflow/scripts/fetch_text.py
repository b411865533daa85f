"""Fetch text of one language from the hub: the first documents of a shuffled stream.

The corpus of Mondal et al. 2025 (Wikipedia, seed 42; methods.md 1.2). The spec is
{"hub", "text_column", "bytes", "shuffle_seed", "language"}; the output has one document
per line, {"text": ...}.
"""

from langneurons.jobs import cli
from langneurons.text import corpora


def main(job: cli.Job) -> None:
    """Stream text until there are as many bytes as asked."""
    corpora.fetch_text(job.spec, job.outputs["out"])


if __name__ == "__main__":
    cli.run(main, __doc__, outputs=["out"], network=True)
