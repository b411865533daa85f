"""Write the demo world: text, inference pairs and questions of artificial languages.

The spec is a ``demo_world`` block of the configuration. Everything lies in the folder
of --world: tokenizer.json, corpus/, pretraining.txt, nli/ and qa/; world.json says
which words mean what, and is written last.
"""

from langneurons.config.catalogue import DemoWorld
from langneurons.demo import world_files
from langneurons.jobs import cli


def main(job: cli.Job) -> None:
    world_files.write(DemoWorld(**job.spec), job.outputs["world"])


if __name__ == "__main__":
    cli.run(main, __doc__, outputs=["world"])
