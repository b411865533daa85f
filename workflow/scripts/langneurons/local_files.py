"""Files of the user that a configuration names: which they are, and which are absent.

They are inputs of the rules that read them. Snakemake asks for an input only when
something is to be made from it, so a wrong path would go unnoticed once results exist.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from . import grid
from .config import Config
from .errors import ConfigError
from .rows import all_selections


def require(config: Config) -> None:
    """Refuse a configuration that names files which are not there.

    Raises:
        ConfigError: one message with every such place of the configuration.
    """
    made = set(grid.demo_files(config))
    absent = [
        f"  - {place}: {path} does not exist"
        for place, path in (*_models(config), *_text(config), *_tasks(config))
        if str(Path(path)) not in made and not Path(path).exists()
    ]
    if absent:
        raise ConfigError(
            "Files that the configuration names are not there (relative paths begin at "
            f"{Path.cwd()}):\n" + "\n".join(dict.fromkeys(absent))
        )


def _models(config: Config) -> Iterator[tuple[str, str]]:
    """Yield places in the configuration and the paths that stand there."""
    for name in config.grid.models:
        entry = config.model(name)
        if entry.folder:
            yield f"models.{name}.folder", entry.folder
        if entry.gguf and entry.gguf.path:
            yield f"models.{name}.gguf.path", entry.gguf.path


def _text(config: Config) -> Iterator[tuple[str, str]]:
    wanted: dict[tuple[str, str], None] = {}
    for selection in all_selections(config):
        method = config.method(selection.method)
        if path := method.parameters.get("path"):
            yield f"methods.{selection.method}.parameters.path", str(path)
        corpus = config.method_corpus(selection.method)
        for lang in config.language_set(selection.languages).languages:
            wanted[corpus, lang] = None
    if config.perplexity:
        corpus = config.perplexity.corpus or config.grid.corpus
        wanted |= {(corpus, lang): None for lang in config.perplexity.languages}
    for corpus, lang in wanted:
        if folder := config.corpus(corpus).folder:
            yield f"corpora.{corpus}.folder", f"{folder}/{lang}.txt"


def _tasks(config: Config) -> Iterator[tuple[str, str]]:
    for name in config.grid.tasks:
        entry = config.task(name)
        if entry.data.train:
            path = entry.data.train.format(lang=entry.source_language)
            yield f"tasks.{name}.data.train", path
        if entry.data.test:
            for lang in entry.languages:
                path = entry.data.test.format(lang=lang)
                yield f"tasks.{name}.data.test", path
