"""Checks of similarities: whether what they compare can be there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from langneurons.config.errors import unknown_name
from langneurons.config.names import Selection, languages_of
from langneurons.grid import bridges
from langneurons.similarities import Planned

from . import check_alignment, probing

if TYPE_CHECKING:
    from langneurons.config.schema import Config


def problems(config: Config) -> Iterator[str]:
    """Check the languages and similarities of the experiments that choose bridges."""
    if not bridges.all_axes(config):
        return
    found = [*_languages(config), *_names(config)]
    yield from found
    if found:
        return
    known = planned(config)
    for name in bridges.similarities(config):
        kind, parameters = probing.plugin(config, name)
        for line in kind.unmet(parameters, known):
            yield f"similarities.{name}: {line}"


def planned(config: Config) -> Planned:
    """Return what similarities can know before the first job."""
    probes, selection = bridges.probes(config), bridges.selection(config)
    models = {model for model, _ in bridges.asked_for(config)}
    corpus = config.method_corpus(selection.method)
    unparallel = check_alignment.unparallel(config.corpus(corpus), f"corpora.{corpus}")
    built = {x: config.model(x) for x in sorted(models) if config.model(x).builder}
    return Planned(
        pairs={x: bridges.candidates(config, x) for x in bridges.pairs(config)},
        languages=config.language_set(selection.languages).languages,
        asked=probes.asked,
        layers={name: config.demo_model(name).layers for name in built},
        least=probes.least,
        sentences=config.recorded(corpus).chunk_means,
        unparallel=next(unparallel, ""),
    )


def _languages(config: Config) -> Iterator[str]:
    """Check that there are neurons of every language, and a candidate of every pair."""
    for name, axes in bridges.all_axes(config).items():
        langset = Selection.parse(axes.selection).languages
        known = config.language_set(langset).languages
        for key in ("pairs", "candidates"):
            given = [x for text in getattr(axes, key) for x in languages_of(text)]
            for lang in dict.fromkeys(given):
                if lang not in known:
                    where = f"experiments.{name}.{key}"
                    unknown = unknown_name("language", lang, known, where)
                    yield f"{unknown} (language set {langset} of selection)"
        for pair in bridges.pairs(config):
            if str(pair) in axes.pairs and not axes.of_pair(pair):
                yield (
                    f"experiments.{name}.candidates: none is left for {pair}, whose "
                    "own languages are no bridges; add one"
                )


def _names(config: Config) -> Iterator[str]:
    """Check that words of every pair can be asked for, and in one way."""
    ways = probing.all_translating(config)
    first = next(iter(ways), None)
    for name, way in ways.items():
        if first is not None and way != ways[first]:
            yield (
                f"tasks.{name}.parameters: asks for words in another way than "
                f"{first}, and probes are asked for in one; give both the same names, "
                "post and max_new_tokens"
            )
    way = probing.translating(config)
    of = [lang for _, pair in probing.asked(config) for lang in languages_of(str(pair))]
    for lang in way.nameless(of):
        where = f"tasks.{first or 'bli'}.parameters.names"
        yield unknown_name("language", lang, way.called(), where)
