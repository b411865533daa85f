"""Fetch text of one language from the hub: documents to pack, or rows of sentences.

The corpus of Mondal et al. 2025 is the first documents of a shuffled stream (Wikipedia,
seed 42; methods.md 1.2); the spec is that of ``corpora.fetch_text``, and the output has
one document per line, {"text": ...}. With ``unit: document`` it is that of
``sentences.fetch``: whole splits, in their order.
"""

from langneurons.jobs import cli
from langneurons.text import corpora, sentences


def main(job: cli.Job) -> None:
    """Stream text until there are as many bytes as asked, or all rows of the splits."""
    fetch = sentences.fetch if "parts" in job.spec else corpora.fetch_text
    fetch(job.spec, job.outputs["out"])


if __name__ == "__main__":
    cli.run(main, __doc__, outputs=["out"], network=True)
