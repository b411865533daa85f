"""Checks of names of neurons and of tunings: each means something, and only once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import TYPE_CHECKING

from langneurons.config import names
from langneurons.config.errors import ConfigError, unknown_name
from langneurons.config.names import BASE, MASKED, Selection, TuningName
from langneurons.grid.axes import expand_draws
from langneurons.grid.experiments import of_kind
from langneurons.grid.experiments.finetuning import Finetuning

from .check_experiments import lists

if TYPE_CHECKING:
    from langneurons.config.schema import Config


def selection_problems(config: Config) -> Iterator[str]:
    """Check all lists of selections, ``method.language_set``."""
    for where, given in lists(config, "selections", "chosen", "controls").items():
        found = [x for text in given for x in one_selection(config, text, where)]
        yield from found
        if found:
            continue
        expanded = [(text, s) for text in given for s in expand_draws(config, text)]
        yield from _twice(expanded, where)


def one_selection(config: Config, text: str, where: str) -> Iterator[str]:
    """Check one selection: method, draw and language set."""
    try:
        selection = Selection.parse(text)
    except ConfigError as error:
        yield f"{where}: {error}"
        return
    langset = selection.languages
    if langset not in config.language_sets:
        yield unknown_name("language set", langset, config.language_sets, where)
    yield from method_problems(config, selection.method, where, f".{langset}")


def method_problems(
    config: Config, name: str, where: str, ending: str = ""
) -> Iterator[str]:
    """Check a method's name, or that of a draw, and what is written behind it."""
    base, draw = names.split_draw(name)
    if base not in config.methods:
        yield unknown_name("method", base, config.methods, where)
        return
    if draw is None:
        return
    method, text = config.methods[base], f"{name}{ending}"
    if method.draws is None:
        yield (
            f"{where}: {text!r}: a number of a draw, but {base} (kind {method.kind}) "
            f"draws nothing; allowed: {base}{ending}"
        )
    elif not (1 <= draw <= method.draws and names.draw(base, draw) == name):
        yield (
            f"{where}: {text!r}: {base} has draws 1 to {method.draws}, as in "
            f"{names.draw(base, 1)}{ending}"
        )


def _is_random(config: Config, text: str) -> bool:
    method = names.split_draw(Selection.parse(text).method)[0]
    return config.methods[method].draws is not None


def control_problems(config: Config) -> Iterator[str]:
    """Check that random neurons are where controls are, where lists keep them apart."""
    for where, given in lists(config, "controls").items():
        for text in given:
            if not _is_random(config, text):
                base = Selection.parse(text).method
                yield f"{where}: {base} is no random method (one with 'draws')"
    for where, given in lists(config, "chosen").items():
        for text in given:
            if _is_random(config, text):
                experiment = where.rpartition(".")[0]
                yield (
                    f"{where}: {text} are random neurons, which nothing is chosen by; "
                    f"where it has them, they belong to {experiment}.controls"
                )


def _twice(given: Iterable[tuple[str, Hashable]], where: str) -> Iterator[str]:
    """Check that no two entries of a list mean the same.

    Args:
        given: what is written, and what it means; several for one that is expanded.
        where: the list.
    """
    seen: dict[Hashable, str] = {}
    for text, meaning in given:
        if seen.setdefault(meaning, text) != text:
            yield (
                f"{where}: {text} is in {seen[meaning]} already; each entry of a list "
                "counts once"
            )


def tuning_problems(config: Config) -> Iterator[str]:
    """Check all lists of tunings, and what neuron tuning needs of them."""
    for where, given in lists(config, "tunings").items():
        yield from _tunings(config, given, where)
    for where, given in lists(config, "neuron tunings").items():
        for name in given:
            yield from _tunes_neurons(config, name, where)
    for name, block in of_kind(config, Finetuning).items():
        yield from _baselines(config, block, f"experiments.{name}.baselines")
        if block.controls:
            where = f"experiments.{name}.controls (always tuned by {MASKED!r})"
            yield from _tunes_neurons(config, MASKED, where)


def _baselines(config: Config, block: Finetuning, where: str) -> Iterator[str]:
    """Check what neuron tunings are set against."""
    for text in block.baselines:
        if "." in text:
            yield f"{where}: {text} tunes neurons; baselines are tunings without"
    attention = config.tunings.get("attention")
    if not {"attention", BASE} & set(block.baselines):
        yield (
            f"{where}: 'attention' is missing; the tables set every other tuning "
            f"against it, or against {BASE!r} where only that is given (given: "
            f"{', '.join(block.baselines) or 'none'})"
        )
    elif (
        "attention" in block.baselines
        and attention is not None
        and attention.kind != "attention"
    ):
        yield (
            f"tunings.attention: kind {attention.kind}; the tables set every other "
            "tuning against the one of this name, which is of kind attention"
        )


def _tunes_neurons(config: Config, name: str, where: str) -> Iterator[str]:
    """Check an entry of tunings that is tried with selected neurons."""
    if name not in config.tunings:
        yield unknown_name("tuning", name, config.tunings, where)
    elif not config.tunings[name].needs_neurons:
        yield (
            f"{where}: {name} tunes no selected neurons; kinds that do: "
            "masked_lora, subnetwork_rows. Others belong to baselines"
        )


def _tunings(config: Config, given: Iterable[str], where: str) -> Iterator[str]:
    """Check tunings by name: the entry, and neurons exactly where it needs them."""
    meanings: list[tuple[str, Hashable]] = []
    for text in given:
        try:
            name = TuningName.parse(text)
        except ConfigError as error:
            yield f"{where}: {error}"
            continue
        if name.entry not in config.tunings:
            yield unknown_name("tuning", name.entry, config.tunings, where)
            continue
        entry = config.tunings[name.entry]
        if entry.needs_neurons != (name.selection is not None):
            needs = "needs neurons, as in" if entry.needs_neurons else "takes no"
            shown = f"{name.entry}.lape.set1.en" if entry.needs_neurons else "neurons"
            yield f"{where}: {text}: kind {entry.kind} {needs} {shown}"
        if name.selection is not None:
            yield from _tuned_neurons(config, text, name, where)
        chosen = frozenset(name.languages)
        meanings.append((text, (name.entry, name.selection, chosen)))
    yield from _twice(meanings, where)


def _tuned_neurons(
    config: Config, text: str, name: TuningName, where: str
) -> Iterator[str]:
    """Check whose neurons a tuning changes."""
    selection = name.selection
    found = list(one_selection(config, str(selection), where))
    yield from found
    if found or selection is None:
        return
    if len(set(name.languages)) != len(name.languages):
        yield f"{where}: {text} names a language twice"
    draws = config.method(selection.method).draws
    if draws and names.split_draw(selection.method)[1] is None:
        first = Selection(names.draw(selection.method, 1), selection.languages)
        languages = "+".join(name.languages)
        yield (
            f"{where}: {text}: {selection.method} stands for {draws} draws; "
            f"name one of them, as in {first}.{languages}"
        )
    inside = config.language_sets[selection.languages].languages
    for lang in sorted(set(name.languages) - set(inside)):
        yield unknown_name("language", lang, inside, where)
