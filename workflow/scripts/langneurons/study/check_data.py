"""Checks of languages and of the text and items that they need."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from langneurons import tasks
from langneurons.config import user_paths
from langneurons.config.catalogue import UNMEASURED
from langneurons.config.errors import did_you_mean, unknown_name
from langneurons.config.names import Selection, languages_of
from langneurons.config.task_entries import Task
from langneurons.demo.world_files import SOURCE
from langneurons.grid import alignment, result_paths, rows, steering
from langneurons.grid.experiments import of_kind
from langneurons.grid.experiments.interventions import Interventions
from langneurons.text import hub

from . import check_demo
from .check_dictionaries import tested
from .check_effects import known_languages, used_statistics
from .check_experiments import of_text

if TYPE_CHECKING:
    from langneurons.config.schema import Config

DEMO = f"{result_paths.DEMO}/"


def problems(config: Config) -> list[str]:
    """List languages without neurons, text or items of their own."""
    found = [*_covered(config), *_texts(config), *_items(config)]
    found += [*check_demo.problems(config), *_heldout(config)]
    return list(dict.fromkeys(found))


def _covered(config: Config) -> Iterator[str]:
    """Check that each tested language has neurons, where its own are asked for."""
    for name, axes in of_kind(config, Interventions).items():
        if axes.neuron_languages != "target" or not axes.selections:
            continue
        chosen = [Selection.parse(text).languages for text in axes.selections]
        sets = [config.language_set(name) for name in chosen]
        covered = {lang for one in sets for lang in one.evaluate or one.languages}
        where = f"experiments.{name}: no language set of its selections has it"
        for task in axes.tasks:
            for lang in axes.languages or config.task(task).languages:
                if lang not in covered:
                    yield unknown_name("language", lang, covered, f"{where} ({task})")


def texts_needed(config: Config) -> dict[str, set[str]]:
    """Return the languages of each corpus whose text a job reads."""
    found: dict[str, set[str]] = {config.default_corpus: set()}
    for selection in rows.computed_selections(config):
        corpus = config.method_corpus(selection.method)
        languages = config.language_set(selection.languages).languages
        found.setdefault(corpus, set()).update(languages)
    for means in steering.all_means(config).values():
        languages = config.language_set(means.languages).languages
        found.setdefault(means.corpus, set()).update(languages)
    for row, _ in rows.text_blocks(config):
        found.setdefault(row.corpus, set()).add(row.lang)
    for corpus, lang in alignment.texts(config):
        found.setdefault(corpus, set()).add(lang)
    known = set(known_languages(config))
    for selection, name in used_statistics(config):
        statistic = config.statistics[name]
        corpus, code = config.method_corpus(selection.method), statistic.value_language
        # "target" and "source" are none, and a mistyped code is told of elsewhere.
        if code in known and statistic.value not in UNMEASURED:
            found[corpus].add(code)
    return found


def _texts(config: Config) -> Iterator[str]:
    """Check that each corpus has a text of its own for each language."""
    held_out = {(row.corpus, row.lang) for row, _ in rows.text_blocks(config)}
    for name, wanted in texts_needed(config).items():
        corpus, where = config.corpus(name), f"corpora.{name}"
        if corpus.chunk_length > corpus.tokens and not corpus.sentences:
            yield (
                f"{where}.chunk_length: {corpus.chunk_length} is more than all of its "
                f"{corpus.tokens} tokens"
            )
        if corpus.hub is not None:
            if reason := hub.needs_script(corpus.hub.repo):
                yield f"{where}.hub.repo: {reason}"
            if len(wanted) > 1 and not user_paths.has_placeholder(corpus.hub.config):
                yield _shared(f"{where}.hub.config", corpus.hub.config, wanted)
            continue
        for part in ("recorded", "held_out"):
            read = {x for x in wanted if part == "recorded" or (name, x) in held_out}
            yield from _files(config, name, part, read)


def _files(config: Config, name: str, part: str, wanted: set[str]) -> Iterator[str]:
    """Check that the files of a local corpus are there."""
    corpus = config.corpus(name)
    folder = Path(str(corpus.folder))
    where = f"corpora.{name}.folder"
    rows = corpus.rows(part) if corpus.sentences else None
    for pattern in rows.files if rows else ():
        if len(wanted) > 1 and not user_paths.has_placeholder(pattern):
            yield _shared(f"corpora.{name}.{part}.files", pattern, wanted)
    made = set(result_paths.demo_files(config))
    paths = {lang: result_paths.text(config, name, lang, part) for lang in wanted}
    demo = f"{folder}/".startswith(DEMO) and config.demo_world is not None
    if not demo and not folder.is_dir():
        yield f"{where}: {folder} is not a folder"
        return
    there = made.__contains__ if demo else lambda path: Path(path).is_file()
    absent = {x: [p for p in paths[x] if not there(p)] for x in sorted(wanted)}
    missing = [lang for lang in absent if absent[lang]]
    if not missing:
        return
    if demo:
        remedy = "see demo_world.languages"
        found = set(config.demo_world.languages) if config.demo_world else set()
        if rows:  # a file that the world does not make
            found = {path for path in made if path.startswith(f"{folder}/")}
    elif corpus.sentences:
        remedy = f"no {absent[missing[0]][0]}; see codes"
        found = {path.name for path in folder.iterdir()}
    else:
        remedy = "a file {lang}.txt for each language"
        found = {path.stem for path in folder.glob("*.txt")}
    shown = sorted(found)
    more = f" and {len(shown) - 40} more" if len(shown) > 40 else ""
    yield (
        f"{where}: no text for {', '.join(missing)} in {folder} ({remedy}); found: "
        f"{', '.join(shown[:40]) or 'none'}{more}{_whence(config, missing, found)}"
    )


def _whence(config: Config, languages: Sequence[str], found: Collection[str]) -> str:
    """Say which language sets have languages, and which text each may mean."""
    said = ""
    for lang in languages:
        sets = [n for n, x in config.language_sets.items() if lang in x.languages]
        if hint := did_you_mean(lang, found):
            listed = f" of language_sets.{', '.join(sets)}" if sets else ""
            said += f"; {lang}{listed}{hint}"
    return said


def _shared(where: str, given: str | None, languages: set[str]) -> str:
    shown = "null" if given is None else repr(given)
    return (
        f"{where}: {shown} is the same for {', '.join(sorted(languages))}; each "
        "language needs its own: write {lang} where its code belongs (for one file of "
        "all languages, with a column 'language', make a link for each)"
    )


def _items(config: Config) -> Iterator[str]:
    """Check that each language of a task has items of its own."""
    for name, task in config.tasks.items():
        where, data = f"tasks.{name}.data", task.data
        kind = tasks.load(task.kind)
        named = set(task.languages)
        if kind.PAIRS:
            pairs = rows.languages(config, name)
            named = {code for lang in pairs for code in languages_of(lang)}
        several = named if len(named) > 1 else set()
        if (
            data.test is not None
            and several
            and not kind.ALL_LANGUAGES
            and not user_paths.has_placeholder(data.test)
        ):
            yield _shared(f"{where}.test", data.test, several)
        if data.hub is not None and not kind.NAMED_ROWS:
            read = set(several)
            if data.train_hub is None and rows.is_trained(config, name):
                read |= {*task.languages, task.source_language}
            if len(read) > 1 and not user_paths.has_placeholder(data.hub.config):
                yield _shared(f"{where}.hub.config", data.hub.config, read)
        if name in rows.tasks(config):
            yield from _demo_items(config, name, task)
            parameters = kind.PARAMETERS.model_validate(task.parameters)
            for text in kind.unmet(parameters, tested(config, name)):
                yield f"tasks.{name}: {text}"
            for source in filter(None, (data.hub, data.train_hub)):
                if hint := hub.needs_script(source.repo):
                    yield f"tasks.{name}.data: {hint}"


def _demo_items(config: Config, name: str, task: Task) -> Iterator[str]:
    if config.demo_world is None:
        return
    made, where = config.demo_world.languages, f"tasks.{name}.data"
    source = (task.source_language,) if rows.is_trained(config, name) else ()
    for key, languages in (("train", source), ("test", task.languages)):
        path = getattr(task.data, key)
        for lang in languages if path and path.startswith(DEMO) else ():
            allowed = made if key == "test" else (SOURCE,)
            if lang not in allowed:
                yield unknown_name("language", lang, allowed, f"{where}.{key}")


def _heldout(config: Config) -> Iterator[str]:
    """Check that enough text is kept aside where perplexity is measured."""
    wanted = {(x.experiment, x.corpus, x.chunks) for x, _ in rows.text_blocks(config)}
    for experiment, name, chunks in sorted(wanted):
        corpus = config.corpus(name)
        if corpus.sentences:
            kept, where = corpus.held_out, f"experiments.{experiment}"
            if kept is None:
                yield (
                    f"{where}: corpora.{name} keeps no sentences aside; say under "
                    "held_out which"
                )
            elif kept.below and (most := kept.below - kept.at_least) < chunks:
                yield (
                    f"{of_text(config, experiment, 'chunks')}: {chunks} sentences, "
                    f"but corpora.{name}.held_out "
                    f"has {most} at most; lower chunks, or raise held_out.below"
                )
            continue
        there = corpus.heldout_tokens // corpus.chunk_length
        if there < chunks:
            lower = f"lower it to {there}, or " if there else ""
            yield (
                f"{of_text(config, experiment, 'chunks')}: {chunks} chunks, but "
                f"corpora.{name} "
                f"keeps {corpus.heldout_tokens} tokens aside, which is {there} chunks "
                f"of {corpus.chunk_length}; {lower}raise heldout_tokens to "
                f"{chunks * corpus.chunk_length}"
            )
