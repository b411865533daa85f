"""Files of the user that a configuration names: absent, of other columns, replaced.

They are inputs of the rules that read them. Snakemake asks for an input only when
something is to be made from it, so a wrong path would go unnoticed once results exist;
and it looks only at inputs that are newer than what was made from them, so a file with
an older time that takes another's place would, too. That a file lacks a column would be
found by the job that reads it, perhaps after hours of others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from langneurons import methods, tasks
from langneurons.config.errors import ConfigError, LangneuronsError
from langneurons.config.fields import Frozen
from langneurons.config.names import Pair
from langneurons.config.schema import RESULTS, Config
from langneurons.grid import (
    alignment,
    bridges,
    result_paths,
    rows,
    steering,
    subjects,
)
from langneurons.nn.models import adapter_files, fetching
from langneurons.text import sentences

from . import check_dictionaries

LARGE = 100_000_000
"""Bytes of the largest file of items that a start looks into."""


class Named(NamedTuple):
    """A path in the configuration.

    Attributes:
        place: its key.
        path: a file, or the folder of a model.
        made: results that are made from it.
    """

    place: str
    path: str
    made: list[str]


def require(config: Config) -> None:
    """Refuse a configuration whose files are not there, or begin as no such file does.

    Of items and sentences the first row is read, as their jobs read it: a column that
    is missing shows there. All the others are left to the jobs.

    Raises:
        ConfigError: one message with every such place of the configuration.
    """
    absent = [
        f"  - {one.place}: {one.path} does not exist"
        for one in _named(config)
        if not Path(one.path).exists()
    ]
    unlike = [f"  - {problem}" for problem in _unlike(config)]
    from_where = f"(relative paths begin at {Path.cwd()}):"
    said = []
    if absent:
        said += [f"Files that the configuration names are not there {from_where}"]
        said += dict.fromkeys(absent)
    if unlike:
        said += [f"Files that the configuration names are of another form {from_where}"]
        said += dict.fromkeys(unlike)
    if said:
        raise ConfigError("\n".join(said))


def let_replaced_files_be_seen(config: Config) -> None:
    """Give results an older time than a file that was put in place after them.

    A file that is moved, unpacked or copied with its time looks old, but the system
    knows when it came. Snakemake then compares contents, and reruns where they differ.
    """
    for one in _named(config):
        inside = fetching.local_files(one.path) if Path(one.path).is_dir() else []
        for path in inside or [one.path]:
            try:
                file = os.stat(path)
                came = max(file.st_ctime_ns, os.lstat(path).st_ctime_ns)
            except OSError:
                continue
            for result in filter(os.path.isfile, one.made):
                if file.st_mtime_ns <= os.stat(result).st_mtime_ns < came:
                    before = file.st_mtime - 2  # seconds: times are coarse somewhere
                    os.utime(result, (before, before))


def _unlike(config: Config) -> Iterator[str]:
    """Say which files of items and sentences are there, but lack what is read of them.

    Most readers yield items one by one, so that the first costs a line or two; others
    read all of a file, so that large ones are left to their jobs. So is a file that
    cannot be read here: the nodes may be able to.
    """
    made = set(result_paths.demo_files(config))
    done = set()
    for name, split, lang in _splits(config):
        entry = config.task(name)
        kind = tasks.load(entry.kind)
        for path in map(Path, entry.data.files(split, lang)):
            if (name, path) in done or str(path) in made:
                continue
            done.add((name, path))
            if not all(Path(x).exists() for x in tasks.files(kind, str(path))):
                continue
            if path.stat().st_size > LARGE:
                continue
            if problem := _refused(_first_item, kind, path):
                yield (
                    f"tasks.{name}.data.{split}: {problem}. Change the file, or the "
                    f"kind of the task: tasks/{entry.kind}.py says what this one reads"
                )
    for name, lang in texts(config):
        corpus = config.corpus(name)
        if corpus.folder is None or not corpus.sentences:
            continue
        for part in ("recorded", "held_out"):
            rows = corpus.rows(part)
            column = rows.column if rows else None
            asked = {"text_column": corpus.text_column, "column": column}
            for path in map(Path, result_paths.text(config, name, lang, part)):
                if str(path) in made or not path.exists():
                    continue
                if problem := _refused(sentences.require_columns, path, asked):
                    yield f"corpora.{name}.{part}: {problem}"


def _first_item(kind: tasks.Task[Frozen], path: Path) -> None:
    next(iter(kind.read_file(path)), None)


def _refused(read: Callable[..., None], *given: object) -> str | None:
    """Return what a reader says of a file that it refuses.

    What else may befall it, such as a library that only jobs have, is left to its job.
    """
    try:
        read(*given)
    except LangneuronsError as error:
        is_unreadable = isinstance(error.__cause__, OSError)
        return None if is_unreadable else str(error).removesuffix(".")
    except Exception:  # a reader may be of the user
        return None
    return None


def _named(config: Config) -> Iterator[Named]:
    """Yield what the configuration names, but for what the workflow itself makes."""
    made = set(result_paths.demo_files(config))
    for one in _all(config):
        if str(Path(one.path)) not in made:
            yield one


def _all(config: Config) -> Iterator[Named]:
    for some in (_models, _text, _tasks, _parameters, _dictionaries, _adapters):
        yield from some(config)


def _models(config: Config) -> Iterator[Named]:
    for name in rows.models(config):
        entry = config.model(name)
        made = [f"{RESULTS}/models/{name}/pinned/manifest.json"]
        if entry.folder:
            yield Named(f"models.{name}.folder", entry.folder, made)
        if entry.gguf and entry.gguf.path:
            yield Named(f"models.{name}.gguf.path", entry.gguf.path, made)


def texts(config: Config) -> list[tuple[str, str]]:
    """List the text that is read: corpora and languages, each once."""
    wanted: dict[tuple[str, str], None] = {}
    for selection in rows.computed_selections(config):
        corpus = config.method_corpus(selection.method)
        for lang in config.language_set(selection.languages).languages:
            wanted[corpus, lang] = None
    for means in steering.all_means(config).values():
        languages = config.language_set(means.languages).languages
        wanted |= {(means.corpus, lang): None for lang in languages}
    wanted |= {(row.corpus, row.lang): None for row, _ in rows.text_blocks(config)}
    wanted |= dict.fromkeys(alignment.texts(config))
    return list(wanted)


def _text(config: Config) -> Iterator[Named]:
    models = rows.models(config)
    for selection in rows.computed_selections(config):
        method = config.method(selection.method)
        made = [result_paths.neurons(model, selection) for model in models]
        place = f"methods.{selection.method}.parameters"
        for key, path in methods.files_of(method.kind, method.parameters).items():
            yield Named(f"{place}.{key}", path, made)
    for corpus, lang in texts(config):
        if config.corpus(corpus).folder is None:
            continue
        packs = {"recorded": result_paths.tokens, "held_out": result_paths.held_out}
        made_of: dict[str, list[str]] = {}
        for part, packed in packs.items():
            for path in result_paths.text(config, corpus, lang, part):
                made_of.setdefault(path, []).extend(
                    packed(corpus, model, lang) for model in models
                )
        for path, made in made_of.items():
            yield Named(f"corpora.{corpus}.folder", path, made)


def of_task(config: Config, name: str, split: str, lang: str) -> list[str]:
    """List what the items of a task are prepared from; none where from the hub.

    Args:
        config: the configuration.
        name: of the task.
        split: ``train`` or ``test``.
        lang: a language or a pair.
    """
    entry = config.task(name)
    if entry.data.dictionary is not None:
        return [bridges.dictionary(entry.data.dictionary, Pair.parse(lang))]
    kind = tasks.load(entry.kind)
    given = entry.data.files(split, lang)
    return list(dict.fromkeys(x for path in given for x in tasks.files(kind, path)))


def _splits(config: Config) -> Iterator[tuple[str, str, str]]:
    """Yield task, split and language, or pair, of items that are no dictionary's."""
    for name in rows.tasks(config):
        entry = config.task(name)
        if entry.data.dictionary is not None:
            continue  # the workflow makes it
        for lang in rows.languages(config, name):
            yield name, "test", lang
        if rows.is_trained(config, name):
            yield name, "train", entry.source_language


def _tasks(config: Config) -> Iterator[Named]:
    for name, split, lang in _splits(config):
        made = [result_paths.items(config, name, split, lang)]
        for path in of_task(config, name, split, lang):
            yield Named(f"tasks.{name}.data.{split}", path, made)


def of_parameters(config: Config, name: str) -> list[str]:
    """List the files that a task's parameters name, which its evaluations read."""
    return list(_by_parameter(config, name).values())


def _by_parameter(config: Config, name: str) -> Mapping[str, str]:
    entry = config.task(name)
    kind = tasks.load(entry.kind)
    return kind.files(kind.PARAMETERS.model_validate(entry.parameters))


def _parameters(config: Config) -> Iterator[Named]:
    """Yield the files that parameters of tasks name; evaluations are made from them."""
    for name in rows.tasks(config):
        folder = Path(config.results, "evaluations", name)
        made = list(map(str, folder.glob("*/*/*/*/part-*.json")))
        for key, path in _by_parameter(config, name).items():
            yield Named(f"tasks.{name}.parameters.{key}", path, made)


def _dictionaries(config: Config) -> Iterator[Named]:
    for name, pair in check_dictionaries.wanted(config):
        made = [bridges.dictionary(name, pair)]
        for leg in config.dictionary(name).legs(pair):
            for path in leg.files:
                yield Named(f"dictionaries.{name} ({leg.pair})", path, made)


def of_adapter(config: Config, tuning: str) -> list[str]:
    """List the files of an adapter that somebody else trained; none on the hub."""
    folder = config.tuning(tuning).path
    return [str(Path(folder, name)) for name in adapter_files.FILES] if folder else []


def _adapters(config: Config) -> Iterator[Named]:
    for one in subjects.adopted(config):
        made = subjects.adapter(config, one)
        for path in of_adapter(config, one.tuning.entry):
            yield Named(f"tunings.{one.tuning}.path", path, made)
