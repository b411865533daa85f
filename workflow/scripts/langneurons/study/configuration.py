"""Loading a configuration: reading it, checking it whole, giving it one form.

What a start of Snakemake checks, ``python -m langneurons.study.configuration FILE ...``
checks as well (``make check``).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from langneurons import methods, similarities, tasks
from langneurons.config import names
from langneurons.config.catalogue import Frozen, Method
from langneurons.config.errors import ConfigError, LangneuronsError
from langneurons.config.explain import explain
from langneurons.config.schema import Config
from langneurons.config.similarity_entries import Similarity
from langneurons.config.task_entries import Task
from langneurons.config.yaml_files import BASE, read
from langneurons.costs.parts import Parts
from langneurons.grid import experiments

from . import local_files
from .checks import cross_check
from .records import Records
from .specs import Specs
from .table_specs import TableSpecs


def load(raw: Mapping[str, Any]) -> Config:
    """Check a configuration that was read from YAML.

    Args:
        raw: the merged mapping, as Snakemake hands it over.

    Raises:
        ConfigError: one message that lists every problem: where it is, what was given,
            what is allowed and, for a mistyped key or name, the closest known one.
    """
    try:
        config = Config.model_validate(dict(raw))
    except ValidationError as error:
        raise ConfigError(_bullets(explain(error, Config))) from None
    config, problems = experiments.read(config)
    if not problems:
        # Now, so that nothing is worked out twice; what is wrong is said below.
        with suppress(ValidationError, LangneuronsError):
            config = _as_read(config)
        problems = cross_check(config)
    if problems:
        raise ConfigError(_bullets(problems))
    return config


class Start(NamedTuple):
    """A checked configuration and what is worked out from it once.

    Attributes:
        config: the configuration.
        parts: which treatments share a job.
        specs: slices of the configuration that jobs read.
        tables: likewise, those of tables and of what is drawn.
        records: what is known of results that are there.
    """

    config: Config
    parts: Parts
    specs: Specs
    tables: TableSpecs
    records: Records


def start(raw: Mapping[str, Any], is_checked: bool = True) -> Start:
    """Load a configuration, and check what it needs of the folder where it runs.

    Args:
        raw: the merged mapping, as Snakemake hands it over.
        is_checked: whether to look at the user's files and at the results that are
            there; False where the start has done so, in each job.

    Raises:
        ConfigError: the configuration is not valid, names files that are not there or
            lack what is read of them, or would make anew what is of another study.
    """
    return _started(load(raw), is_checked)


def _started(config: Config, is_checked: bool) -> Start:
    if is_checked:
        local_files.require(config)
    parts = Parts(config)
    specs, tables = Specs(config, parts), TableSpecs(config, parts)
    records = Records(config, specs, tables)
    if is_checked:
        records.require_own()
    return Start(config, parts, specs, tables, records)


def _bullets(problems: list[str]) -> str:
    unique = list(dict.fromkeys(problems))
    return "The configuration is not valid:\n" + "\n".join(f"  - {p}" for p in unique)


def _as_read(config: Config) -> Config:
    """Give names and parameters one form, whichever way they were written.

    A number such as 1e-3 is text in YAML and paths may hold variables; what a job is
    told must not depend on that, or it would run again.
    """

    def given(
        entries: Mapping[str, Method] | Mapping[str, Task] | Mapping[str, Similarity],
        model: Callable[[str], type[Frozen]],
    ) -> dict[str, Method | Task | Similarity]:
        found: dict[str, Method | Task | Similarity] = {}
        for name, entry in entries.items():
            checked = model(entry.kind).model_validate(entry.parameters)
            said = checked.model_dump(mode="json", exclude_unset=True)
            found[name] = entry.model_copy(update={"parameters": said})
        return found

    running = {}
    for name, axes in config.experiments.items():
        if (given_tunings := getattr(axes, "tunings", None)) and name in config.run:
            one = tuple(str(names.TuningName.parse(text)) for text in given_tunings)
            # Two of one meaning stay as they were written: they are refused below.
            if len(set(one)) == len(one):
                axes = axes.model_copy(update={"tunings": one})
        running[name] = axes
    changed = {
        "methods": given(config.methods, lambda kind: methods.load(kind).PARAMETERS),
        "tasks": given(config.tasks, lambda kind: tasks.load(kind).PARAMETERS),
        "similarities": given(
            config.similarities, lambda kind: similarities.load(kind).PARAMETERS
        ),
        "experiments": running,
    }
    return config.model_copy(update=changed)


def main(arguments: Sequence[str]) -> int:
    """Check the paper's configuration with files on top, as a start of Snakemake does.

    Returns:
        0, or 1 if something is wrong, which is printed.
    """
    given = [BASE, *(path for path in map(Path, arguments) if path != BASE)]
    named = ", ".join(map(str, given))
    config = None
    try:
        merged: dict[str, Any] = {}
        for path in given:
            _merge(merged, read(path))
        config = load(merged)
        _started(config, is_checked=True)
    except LangneuronsError as error:
        print(error, file=sys.stderr)
        if config is not None:
            print(f"{named}: in itself valid", file=sys.stderr)
        return 1
    print(f"valid: {named}")
    return 0


def _merge(below: dict[str, Any], above: dict[str, Any]) -> None:
    """Put a file on top: mappings are merged, all else is replaced."""
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(below.get(key), dict):
            _merge(below[key], value)
        else:
            below[key] = value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
