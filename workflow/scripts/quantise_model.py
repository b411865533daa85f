"""Quantise a pinned model to nf4 once (double quantisation, bf16 compute).

Mondal et al. 2025, section 4. The spec is {"quantization", "family"}. Input and output
are manifests; weights and tokenizer lie beside them.
"""

from langneurons.jobs import cli
from langneurons.nn.models import quantising


def main(job: cli.Job) -> None:
    """Write the nf4 folder that holds the manifest asked for."""
    quantising.quantise(
        job.inputs["model"].parent, job.outputs["out"].parent, job.device
    )


if __name__ == "__main__":
    cli.run(main, __doc__, inputs=["model"], outputs=["out"])
