"""Print the newest commits of models and data sets whose revision is null, as YAML.

The spec is {"sources": [{"place", "kind", "repo"}]}. Nothing is written: what is
printed belongs into the configuration, if it is what one wants.
"""

from langneurons.jobs import cli
from langneurons.text import pins


def main(job: cli.Job) -> None:
    print(pins.as_yaml(job.spec["sources"]), end="")


if __name__ == "__main__":
    cli.run(main, __doc__, outputs=[], network=True)
