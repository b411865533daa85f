"""Set the paper's procedure against the consistent one, on the same items.

The spec is {"pairs": see tables.profiles.profile_table}. The evaluations are three a
pair: without intervention, of the paper's profile, of the consistent one.
"""

from langneurons import tables, tasks
from langneurons.config.errors import DataError
from langneurons.jobs import cli
from langneurons.tables import evaluations, profiles, profiles_text


def main(job: cli.Job) -> None:
    pairs, paths = job.spec["pairs"], job.inputs["evaluations"]
    if len(paths) != 3 * len(pairs):
        raise DataError(f"--evaluations: {len(paths)} files for {len(pairs)} pairs")
    made = {pair["kind"]: tasks.load(pair["kind"]) for pair in pairs}
    metrics = {kind: one.METRICS for kind, one in made.items()}
    titles = {kind: one.TITLE for kind, one in made.items()}
    kinds = [pair["kind"] for pair in pairs for _ in range(3)]
    # Many pairs share the evaluation without intervention: read it once.
    wanted = dict(zip(paths, kinds, strict=True))
    found = {p: evaluations.Evaluation.read(p, metrics[k]) for p, k in wanted.items()}
    read = [found[path] for path in paths]
    triples = list(zip(read[::3], read[1::3], read[2::3], strict=True))
    table = profiles.profile_table(pairs, triples, metrics, titles)
    tables.write_markdown(job.outputs["markdown"], profiles_text.profiles(table))
    tables.write_tsv(job.outputs["tsv"], table)


if __name__ == "__main__":
    cli.run(
        main,
        __doc__,
        inputs=["evaluations"],
        outputs=["tsv", "markdown"],
        many=["evaluations"],
    )
