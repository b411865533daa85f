"""A line about each kind of figure, which the figure carries and the report shows."""

from __future__ import annotations

import pandas as pd

CAPTIONS: dict[str, str] = {
    "counts": "Number of neurons selected for each language.",
    "overlap": "Number of neurons that two languages share; the diagonal, in grey, "
    "holds the number of neurons of each language.",
    "jaccard": "Neurons that two languages share, divided by the neurons of either.",
    "layers": "Number of neurons of each language in each layer, layer 0 at the "
    "bottom; no number: none.",
    "multiplicity": "Number of selected neurons by how many languages they are "
    "selected for.",
    "shared_with": "Number of neurons that a language has in one selection (rows) and "
    "a language has in another (columns); same language in a box.",
    "perplexity": "Change of perplexity of the column's language when the neurons of "
    "the row's language are overwritten; own language in a box, perplexity without "
    "intervention below the languages.",
    "nll": "Change of the negative log-likelihood (nats per token) of the column's "
    "language when the neurons of the row's language are overwritten; own language in "
    "a box, value without intervention below the languages.",
    "forest": "Change by each intervention or tuning with its 95 % interval, a panel a "
    "language; filled: p < 0.05 after Holm's correction.",
    "size": "Score against the number of neurons touched, a panel a language, each "
    "statistic that is written into them with a shape of its own; dashed: no "
    "intervention.",
    "sites": "Change by each intervention when statistics are read before the "
    "activation function but written after it (paper) and when both are done at one "
    "place (consistent); star: p < 0.05 after Holm's correction for the difference.",
    "lss": "Share of facts, in percent, whose object in the column's language gains on "
    "that in the row's when the column's neurons are amplified (LSS).",
    "lss_plus": "Share of facts, in percent, whose object in the column's language "
    "gains on that in the row's and itself becomes likelier (LSS+).",
    "change": "Change of the task where the row's language is tested and the column's "
    "neurons are amplified; own language in a box.",
    "ladder": "Every factor of every selection, the prompt and DiffMean, means over "
    "all ordered pairs of languages with 95 % intervals; filled: best on the first "
    "half of the facts.",
    "damage": "Mean change of the target's object against the change of text of the "
    "language that is amplified, and of others; a point a factor or control.",
    "bridged": "Share of right answers of each pair of languages directly, through "
    "English, through the bridge that a similarity chooses, and through the best one; "
    "a panel a similarity.",
    "gain": "Gain over the direct way against similarity, a point a candidate of a "
    "pair; filled: the similarity chooses it.",
    "aligned": "Share of sentences of each language that find their translation as "
    "the nearest, and are found by it, by layer; a panel a kind of neuron states.",
    "transfer": "Score of each language without intervention against its alignment "
    "with the pivot; a panel a tuning and kind of neuron states.",
    "sweep": "Change of the score against the value of a parameter, a panel a language "
    "or mean over languages, with 95 % intervals; filled: p < 0.05 after Holm's "
    "correction.",
    "training_curves": "Loss against the optimiser's steps, a line an adapter and a "
    "panel a kind of tuning; running means of 5 of at most 100 stretches.",
    "by_layer": "Similarity of each candidate to a pair by layer, a panel a pair; "
    "filled: chosen.",
}
"""A line about each kind of figure."""

_BESIDE = "Beside it as many random neurons ({} over draws)."
_BAND = (
    "Grey: as many random neurons, a tick a draw and a band from the lowest to the "
    "highest."
)
WITH_RANDOM: dict[str, str] = {
    "perplexity": _BESIDE.format("median"),
    "nll": _BESIDE.format("median"),
    "forest": _BAND,
    "size": "Grey crosses: random neurons, drawn slightly to the left.",
    "sweep": "Dashed, with a band: as many random neurons, mean and range of draws.",
    "lss": _BESIDE.format("mean"),
    "lss_plus": _BESIDE.format("mean"),
    "change": _BESIDE.format("mean"),
    "ladder": _BAND,
    "damage": "Grey crosses: as many random neurons, a cross a draw.",
}
"""What a line says more where a figure has random neurons."""


def caption(kind: str, data: pd.DataFrame) -> str:
    """Say what a figure shows; of random neurons only where it has some.

    Args:
        kind: a key of :data:`CAPTIONS`.
        data: what the figure shows.
    """
    places = {"neurons": "random", "series": "random", "kind": "random"}
    has_random = any(
        (data[column] == value).any()
        for column, value in (places | {"control": True}).items()
        if column in data
    )
    more = WITH_RANDOM.get(kind) if has_random else None
    return f"{CAPTIONS[kind]} {more}" if more else CAPTIONS[kind]
