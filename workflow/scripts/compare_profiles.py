"""Set the paper's procedure against the consistent one, on the same items.

The spec is {"pairs": see tables.profiles.profile_table, with "treatments": without
intervention, of the paper's profile, of the consistent one}. Indexes list them.
"""

from langneurons import tables, tasks
from langneurons.jobs import cli
from langneurons.tables import evaluations, profiles, profiles_text


def main(job: cli.Job) -> None:
    pairs = job.spec["pairs"]
    made = {pair["kind"]: tasks.load(pair["kind"]) for pair in pairs}
    metrics = {kind: one.METRICS for kind, one in made.items()}
    titles = {kind: one.TITLE for kind, one in made.items()}
    by_task = {pair["task"]: metrics[pair["kind"]] for pair in pairs}
    read = evaluations.Evaluations(job.inputs["evaluations"], by_task)
    triples = [
        [read.of(pair, treatment=t) for t in pair["treatments"]] for pair in pairs
    ]
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
