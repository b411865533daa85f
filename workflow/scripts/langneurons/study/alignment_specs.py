"""The slices of the configuration that jobs of alignment read; see ``specs``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langneurons.config.names import Pair
from langneurons.config.schema import Config
from langneurons.grid import alignment, result_paths
from langneurons.jobs.files import canonical

from . import sentence_specs
from .rule_functions import signed


class AlignmentSpecs:
    """Builds the ``spec`` of the rule that aligns languages, from one configuration."""

    config: Config

    def measure_alignment(self, wildcards: Any) -> str:
        corpus, pair = wildcards.corpus, Pair.parse(wildcards.pair)
        axes = alignment.axes_of(self.config, corpus)
        return canonical(
            {
                "model": wildcards.model,
                "corpus": corpus,
                "pair": str(pair),
                "site": axes.site,
                "sentences": alignment.sentences(self.config, axes),
                "text": {
                    lang: self._numbered(corpus, lang)
                    for lang in (pair.source, pair.target)
                },
            }
        )

    def _numbered(self, corpus: str, lang: str) -> dict[str, Any]:
        """Say how the sentences of a language are numbered."""
        entry = self.config.corpus(corpus)
        said = sentence_specs.tokenised(entry, corpus, lang, "recorded")
        rows = entry.rows("recorded")
        counted = rows is None or rows.column is None
        return {"rows": said["rows"], "code": said["code"], "counted": counted}


def sentences_of(config: Config, which: int) -> Callable[[Any], list[str]]:
    """Make the function to the text of one language of a pair: 0 or 1."""

    def paths(wildcards: Any) -> list[str]:
        lang = str(wildcards.pair).split("-")[which]
        return result_paths.text(config, wildcards.corpus, lang)

    return signed(paths)


def activations(wildcards: Any) -> list[str]:
    """Name the recorded activations of both languages of a pair."""
    pair = Pair.parse(wildcards.pair)
    return [
        result_paths.activations(wildcards.corpus, wildcards.model, lang)
        for lang in (pair.source, pair.target)
    ]
