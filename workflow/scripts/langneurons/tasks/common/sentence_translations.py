"""Sentences translated by a model: what it is asked, and how its answers are scored.

Rahmanisa et al. 2025 (arXiv 2507.22581) ask without an example, in a prompt that names
the target language, or in one that does not (docs/amplification.md 7).
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from pydantic import Field

from langneurons.config.errors import unknown_name
from langneurons.config.fields import Language, LocalPath
from langneurons.config.names import Pair, languages_of, target_of
from langneurons.text.language_identity import Identifier

from .. import Item, Metric, Size
from . import translation_scores as scores
from .identifying import Identifying

if TYPE_CHECKING:
    import pandas as pd

    from langneurons.nn.evaluation.language_model import LanguageModel

NEWLINE = ("\n",)
TIMES, LEAST = 3, 128
"""Tokens of a translation at most, for each of its source; and in any case."""
ENGLISH: Mapping[str, str] = {
    "ar": "Arabic", "bn": "Bengali", "de": "German", "en": "English", "es": "Spanish",
    "et": "Estonian", "fi": "Finnish", "fr": "French", "he": "Hebrew", "hi": "Hindi",
    "ht": "Haitian Creole", "hu": "Hungarian", "id": "Indonesian", "it": "Italian",
    "ja": "Japanese", "kn": "Kannada", "ml": "Malayalam", "mr": "Marathi",
    "ms": "Malay", "nl": "Dutch", "pa": "Punjabi", "pt": "Portuguese", "qu": "Quechua",
    "ru": "Russian", "sw": "Swahili", "ta": "Tamil", "te": "Telugu", "th": "Thai",
    "tl": "Tagalog", "tr": "Turkish", "ur": "Urdu", "vi": "Vietnamese",
    "zh": "Chinese",
}  # fmt: skip
"""What prompts call the languages of the studies."""

CHRF = Metric(
    "resummed",
    "chrF++",
    about="chrF++ of all sentences together",
    statistics=scores.CHRF,
    score=scores.chrf_score,
)
SENTENCE_CHRF = Metric(
    "score", "sentence chrF++", about="mean of the chrF++ of single sentences"
)
IN_TARGET = Metric(
    "binary",
    "in the target language",
    about="translations that are identified as of the target language",
)
BLEU = Metric(
    "resummed",
    "BLEU",
    about="BLEU of all sentences together: of sentence pieces (spBLEU) where `spm` "
    "names their model, else of words (13a)",
    statistics=scores.BLEU,
    score=scores.bleu_score,
)
SIZE = Size(0, 1_012, 0, 60, "FLORES-200 devtest; tokens of a prompt assumed")


class Scorers(NamedTuple):
    """What translations are scored with.

    Attributes:
        identifier: tells their language.
        pieces: what BLEU counts; None: words.
    """

    identifier: Identifier
    pieces: scores.Pieces | None


class Sentences(Identifying):
    """How sentences are translated and scored."""

    names: dict[Language, str] = Field(
        default_factory=dict,
        description="what prompts call a language, by its code, beside or instead of "
        "the English names of the studies' languages",
    )
    max_new_tokens: int | None = Field(
        None,
        ge=1,
        description="tokens of a translation at most (paper: 50); null: three times "
        "those of the sentence, and at least 128",
    )
    stop: Literal["newline", "none"] = Field(
        "newline",
        description="where a translation ends:\n`newline`: with the line\n`none`: "
        "where the model ends, or at `max_new_tokens` (paper)",
    )
    spm: LocalPath | None = Field(
        None,
        description="file of a SentencePiece model whose pieces BLEU counts (spBLEU; "
        "that of FLORES-200 is named in docs/amplification.md 7); null: words, by the "
        "tokenizer 13a of mteval (paper), for reference only",
    )

    def called(self) -> dict[str, str]:
        """Return what prompts call each language that has a name, by its code."""
        return {**ENGLISH, **self.names}

    def scorers(self) -> Scorers:
        """Open all that scores translations, before a model makes them.

        Raises:
            DataError: a package is missing, or a file is not what it should be.
        """
        scores.require_package()
        pieces = scores.open_pieces(self.spm) if self.spm else None
        return Scorers(self.identifier(), pieces)

    def read_files(self) -> dict[str, str]:
        """Return the files that parameters name: parameter -> path."""
        found = {f"lexicon ({x})": path for x, path in self.lexica().items()}
        return found | ({"spm": self.spm} if self.spm else {})

    def longest(self) -> int:
        """Return the tokens generated at most for most sentences."""
        return self.max_new_tokens or LEAST

    def unmet(self, languages: Iterable[str], named: Iterable[str]) -> Iterator[str]:
        """Say which languages have no name in prompts, or can never be identified.

        Args:
            languages: pairs that are tested, and languages on the way.
            named: languages that prompts name.
        """
        known = self.called()
        for code in dict.fromkeys(named):
            if code not in known:
                yield unknown_name("language", code, known, "parameters.names")
        pairs = [each for each in languages if "-" in each]
        yield from self.unidentified(map(target_of, pairs))


def template(text: str, wanted: Iterable[str], refused: Iterable[str] = ()) -> str:
    """Check a prompt with placeholders.

    Args:
        text: the prompt.
        wanted: placeholders that it must have; ``source`` it may have.
        refused: those that it must not have, beside all others.

    Raises:
        ValueError: it has others, or lacks one.
    """
    wanted, refused = tuple(wanted), tuple(refused)
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError as error:
        raise ValueError(f"template: {text!r} is no template ({error})") from None
    named = {name for _, name, _, _ in parts if name is not None}
    plain = all(not form and not sign for _, _, form, sign in parts)
    if not plain or not set(wanted) <= named <= {"source", *wanted}:
        shown = ", ".join(f"{{{x}}}" for x in sorted(named)) or "none"
        needs = ", ".join(f"{{{x}}}" for x in wanted)
        more = "".join(f"; {{{x}}} would name the language that it must not name"
                       for x in refused if x in named)  # fmt: skip
        raise ValueError(
            f"template: placeholders {shown}; needed {needs}, allowed {{source}}{more}"
        )
    return text


def prompt(text: str, names: Mapping[str, str], pair: Pair, sentence: str) -> str:
    """Fill a template in: names of the pair's languages, and the sentence."""
    filled = {"source": names[pair.source], "target": names.get(pair.target, "")}
    return text.format(**filled, text=sentence)


def translate(
    lm: LanguageModel,
    text: str,
    pair: Pair,
    sentences: Sequence[str],
    *,
    parameters: Sentences,
) -> list[str]:
    """Let a model translate sentences greedily.

    Args:
        lm: the model, as it is or under an intervention.
        text: template of the prompt.
        pair: from which language into which.
        sentences: each in one prompt.
        parameters: names, length and stop.

    Returns:
        Per sentence what the model wrote, up to the stop, without blanks around it.
    """
    names = parameters.called()
    prompts = [prompt(text, names, pair, sentence) for sentence in sentences]
    new: int | list[int]
    if parameters.max_new_tokens is None:
        coded = lm.encode(list(sentences))
        new = [max(LEAST, TIMES * len(ids)) for ids in coded]
    else:
        new = parameters.max_new_tokens
    stop = NEWLINE if parameters.stop == "newline" else ()
    made = lm.generate(lm.encode(prompts, beginning=True), new, stop=stop)
    return [lm.decode(tokens, stop).strip() for tokens in made]


def table(
    items: Sequence[Item],
    answers: Sequence[str],
    aids: Sequence[str],
    *,
    scorers: Scorers,
    target: str,
) -> pd.DataFrame:
    """Score translations, one row per sentence.

    Args:
        items: with ``id`` and ``reference``.
        answers: of each, its translation.
        aids: of each, its translation into a bridge language; empty where there is
            none.
        scorers: how languages are told, and what BLEU counts.
        target: code of the target language.

    Returns:
        DataFrame: item int32, sentence_chrf float64, in_target bool, language, answer
        and aid text, and the statistics of chrF++ and BLEU, int32.
    """
    import pandas as pd

    references = [item["reference"] for item in items]
    chrf = scores.chrf_statistics(answers, references)
    bleu = scores.bleu_statistics(answers, references, scorers.pieces)
    found = [scorers.identifier.identify(text) for text in answers]
    return pd.DataFrame(
        {
            "item": np.asarray([item["id"] for item in items], dtype=np.int32),
            "sentence_chrf": scores.sentence_chrf(chrf),
            "in_target": np.array([code == target for code in found], np.bool_),
            "language": [code or "" for code in found],
            "answer": list(answers),
            "aid": list(aids),
            **scores.columns(scores.CHRF, chrf),
            **scores.columns(scores.BLEU, bleu),
        }
    )


def per_item() -> dict[str, str]:
    """Explain the columns of :func:`table`."""
    orders = [("c", "characters", scores.CHARACTERS), ("w", "words", scores.WORDS)]
    counts: dict[str, Any] = {}
    for sign, what, most in orders:
        for n in range(1, most + 1):
            front, of = f"chrf_{sign}{n}_", f"whole number: {what} in rows of {n}, of"
            counts[f"{front}answer"] = f"{of} the answer"
            counts[f"{front}reference"] = f"{of} the reference"
            counts[f"{front}match"] = f"{of} both"
    counts["bleu_answer"] = "whole number: words, or pieces, of the answer"
    counts["bleu_reference"] = "whole number: words, or pieces, of the reference"
    for n in range(1, scores.BLEU_ORDERS + 1):
        of = f"whole number: words, or pieces, in rows of {n}, of the answer"
        counts[f"bleu_match_{n}"] = f"{of} that the reference has too"
        counts[f"bleu_total_{n}"] = of
    return {
        "item": "whole number: the sentence, numbered from 0 as in the file of the "
        "source language, or in the order of its id where sentences have one",
        "sentence_chrf": "number from 0 to 1: chrF++ of the sentence by itself",
        "in_target": "true or false: whether language is the target language",
        "language": "text: code of the language that answer is identified as; empty "
        "where it cannot be told",
        "answer": "text: the translation that is scored",
        "aid": "text: the model's translation into the bridge language; empty where "
        "it was asked directly",
        **{name: counts[name] for name in (*scores.CHRF, *scores.BLEU)},
    }


def named(languages: Iterable[str]) -> list[str]:
    """List the languages of pairs and on the way."""
    return [code for each in languages for code in languages_of(each)]
