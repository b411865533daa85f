"""Scores of translations, chrF++ and BLEU: counts by sacrebleu, and what sums score.

chrF++ (Popovic 2017) has counts of character n-grams up to 6 and of words up to 2; BLEU
(Papineni et al. 2002) of words, or sentence pieces, up to 4. A corpus has the score of
the summed counts, which equals sacrebleu's ``corpus_score`` on the same text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from langneurons.config.errors import DataError
from langneurons.jobs import files

CHARACTERS, WORDS, BETA = 6, 2, 2
"""Orders of chrF++, and how much recall counts more than precision."""
ORDERS = (
    *(f"c{n + 1}" for n in range(CHARACTERS)),
    *(f"w{n + 1}" for n in range(WORDS)),
)
PARTS = ("answer", "reference", "match")
CHRF = tuple(f"chrf_{order}_{part}" for order in ORDERS for part in PARTS)
"""Columns: n-grams in the answer, in the reference and in both, order by order."""
BLEU_ORDERS = 4
BLEU = (
    "bleu_answer",
    "bleu_reference",
    *(f"bleu_match_{n + 1}" for n in range(BLEU_ORDERS)),
    *(f"bleu_total_{n + 1}" for n in range(BLEU_ORDERS)),
)
"""Columns: lengths, then n-grams of the answer that match, and all of them."""

Floats = npt.NDArray[np.float64]
Statistics = npt.NDArray[np.int64]
Pieces = Callable[[str], str]
"""Cuts a text into sentence pieces, with blanks between."""


def chrf_score(sums: Floats) -> Floats:
    """Turn sums of :data:`CHRF`, [..., 24], into chrF++ from 0 to 1, [...].

    Precision and recall are averaged over the orders that answers and references have,
    as sacrebleu does without ``eps_smoothing``.
    """
    answer, reference, match = (
        sums.reshape(*sums.shape[:-1], len(ORDERS), 3)[..., part] for part in range(3)
    )
    there = (answer > 0) & (reference > 0)
    precision, recall = (
        np.where(there, match / np.where(there, of, 1), 0).sum(axis=-1)
        / np.maximum(there.sum(axis=-1), 1)
        for of in (answer, reference)
    )
    weighted = BETA**2 * precision + recall
    product = (1 + BETA**2) * precision * recall
    return np.asarray(product / np.where(weighted > 0, weighted, 1))


def bleu_score(sums: Floats) -> Floats:
    """Turn sums of :data:`BLEU`, [..., 10], into BLEU from 0 to 1, [...].

    An order without a match counts as half of one match, the next such as a quarter
    (smoothing ``exp``, the default of sacrebleu); without any match BLEU is 0.
    """
    answer, reference = sums[..., 0], sums[..., 1]
    match, total = sums[..., 2 : 2 + BLEU_ORDERS], sums[..., 2 + BLEU_ORDERS :]
    missed = np.cumsum(match == 0, axis=-1)
    smoothed = np.where(match > 0, match, 0.5**missed)
    some = (match > 0).any(axis=-1) & (total > 0).all(axis=-1)
    safe = np.where(total > 0, total, 1)
    precision = np.exp(np.log(smoothed / safe).mean(axis=-1))
    short = (answer < reference) & (answer > 0)
    brevity = np.where(short, np.exp(1 - reference / np.where(short, answer, 1)), 1.0)
    return np.asarray(np.where(some, brevity * precision, 0.0))


def sentence_chrf(statistics: Statistics) -> Floats:
    """Return chrF++ of each sentence by itself, from 0 to 1: [n]."""
    return chrf_score(statistics.astype(np.float64))


def chrf_statistics(answers: Sequence[str], references: Sequence[str]) -> Statistics:
    """Count what chrF++ is made of, sentence by sentence: [n, 24].

    Args:
        answers: translations.
        references: of each the right one.
    """
    from sacrebleu.metrics.chrf import CHRF as Chrf

    metric = Chrf(char_order=CHARACTERS, word_order=WORDS, beta=BETA)
    return _extracted(metric, answers, references)


def bleu_statistics(
    answers: Sequence[str], references: Sequence[str], pieces: Pieces | None = None
) -> Statistics:
    """Count what BLEU is made of, sentence by sentence: [n, 10].

    Args:
        answers: translations.
        references: of each the right one.
        pieces: counts sentence pieces (spBLEU), see ``open_pieces``; None: words by
            the tokenizer 13a.
    """
    from sacrebleu.metrics.bleu import BLEU as Bleu

    if pieces is None:
        return _extracted(Bleu(tokenize="13a", force=True), answers, references)
    cut = [list(map(pieces, texts)) for texts in (answers, references)]
    return _extracted(Bleu(tokenize="none", force=True), *cut)


def _extracted(
    metric: Any, answers: Sequence[str], references: Sequence[str]
) -> Statistics:
    """Let a metric of sacrebleu count, as its own tests of significance do."""
    if not answers:
        raise DataError("there are no translations to score")
    found = metric._extract_corpus_statistics(list(answers), [list(references)])
    return np.asarray(found, dtype=np.int64)


def require_package() -> None:
    """Import sacrebleu now, and not with the first translations.

    Raises:
        DataError: it is not installed.
    """
    try:
        import sacrebleu.metrics  # noqa: F401
    except ImportError as error:
        raise DataError(
            "chrF++ and BLEU need the Python package 'sacrebleu', which is not "
            "installed; try: pip install sacrebleu"
        ) from error


def open_pieces(spm: str) -> Pieces:
    """Open a SentencePiece model, and cut texts as sacrebleu does.

    Raises:
        DataError: the file is no SentencePiece model, or the package is missing.
    """
    files.require(spm)
    try:
        import sentencepiece
    except ImportError as error:
        raise DataError(
            "spBLEU needs the Python package 'sentencepiece', which is not installed; "
            "try: pip install sentencepiece"
        ) from error
    try:
        model = sentencepiece.SentencePieceProcessor(model_file=spm)
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"{spm}: no SentencePiece model ({error}); for spBLEU as of FLORES-200 it "
            "is the one that sacrebleu fetches for its tokenizer flores200"
        ) from error
    return lambda text: " ".join(model.encode(text.rstrip(), out_type=str))


def columns(
    names: Sequence[str], statistics: Statistics
) -> Mapping[str, npt.NDArray[np.int32]]:
    """Name the columns of statistics: int32 [n] each."""
    return {
        name: statistics[:, place].astype(np.int32) for place, name in enumerate(names)
    }
