"""Prepare the words of a pair of languages: translate them, part probes from tests.

The spec is {"dictionary", "pair", "legs": [{"pair", "swapped", "files"}], "identical"};
of each leg the inputs are its files, that of probe words and that of test words. See
``text.dictionaries``.
"""

from langneurons.jobs import cli
from langneurons.text import dictionaries


def main(job: cli.Job) -> None:
    """Read, translate, write, and say how many words there are."""
    spec, paths = job.spec, job.inputs["file"]
    found = dictionaries.read(spec["legs"], paths, spec["identical"])
    job.notes["counts"] = found["counts"]
    pair = spec["pair"]
    dictionaries.write(job.outputs["out"], spec["dictionary"], pair, found)


if __name__ == "__main__":
    cli.run(main, __doc__, ["file"], ["out"], many=["file"])
