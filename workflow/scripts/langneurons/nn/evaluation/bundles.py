"""Jobs that work through many treatments with one loaded model.

Each treatment keeps its own files. A finished one is kept by a rerun of its job only if
it carries the hash of its own settings, of the code, and of the files that it reads
itself; so adding a statistic computes that statistic. No torch is needed to tell.

Snakemake deletes the declared outputs of a job before it reruns and after it fails. So
each record has a second name (a hard link) in the folder ``.finished`` beside it, from
where a rerun, or a job that was killed half-way, takes it back.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langneurons.config.catalogue import UNMEASURED
from langneurons.config.errors import DataError
from langneurons.config.names import Treatment
from langneurons.jobs import files, provenance

if TYPE_CHECKING:
    import pandas as pd

    from langneurons.jobs.cli import Job


@dataclass(frozen=True)
class Cell:
    """One treatment and its output.

    Attributes:
        name: of the treatment.
        spec: ``statistic``, ``selection``, ``neuron_language``, ``value_language`` and
            ``corpus``; empty for the untreated model.
        out: JSON file; a table of the same name may lie beside it.
        neurons: neuron file it reads, or None.
        activations: activation file it reads, or None.
        fingerprint: hash of all that determines its result.
    """

    name: str
    spec: Mapping[str, Any]
    out: Path
    neurons: Path | None
    activations: Path | None
    fingerprint: str

    @property
    def kept(self) -> Path:
        """Second name of the JSON file, which Snakemake does not know."""
        return self.out.parent / ".finished" / self.out.name

    @property
    def table(self) -> Path:
        """Path of the per-item table."""
        return self.out.with_suffix(".parquet")


def begin(job: Job, roles: Sequence[str], table: bool) -> list[Cell]:
    """List the treatments of a job that must be computed; see ``pending``.

    Args:
        job: with the inputs ``neurons`` and ``activations`` and the outputs ``out``; it
            is told what each of them depends on.
        roles: inputs that every treatment reads; one that is None is not there.
        table: whether each has a table beside its JSON file.
    """
    given = job.inputs
    common = {role: given[role] for role in roles if given[role] is not None}
    found = cells(
        job.spec,
        job.code,
        job.outputs["out"],
        common,
        given["neurons"],
        given["activations"],
    )
    job.own.update(own(job.spec, found, common))
    return pending(found, table)


def cells(
    spec: Mapping[str, Any],
    code: str,
    outs: Sequence[Path],
    common: Mapping[str, Path],
    neurons: Sequence[Path],
    activations: Sequence[Path],
) -> list[Cell]:
    """Match each treatment with its output and the files that it reads.

    Args:
        spec: ``shared`` settings; ``statistics`` by name; and ``treatments``: name ->
            ``neuron_language``, ``value_language``, ``corpus``, or nothing for the
            untreated model.
        code: hash of the code.
        outs: one ``{treatment}.json`` a treatment.
        common: files that every treatment reads, by their role.
        neurons: neuron files, ``{selection}.json``.
        activations: files ``{corpus}/{model}/{language}.safetensors``.

    Raises:
        DataError: outputs and treatments differ, or a file is not among those given.
    """
    by_name = {out.stem: out for out in outs}
    if set(by_name) != set(spec["treatments"]) or len(by_name) != len(outs):
        raise DataError(
            f"outputs are for {sorted(by_name)}, but the treatments are "
            f"{sorted(spec['treatments'])}; each treatment has one output {{name}}.json"
        )
    sha256_of = cache(files.sha256)  # files are shared by many treatments
    found = []
    for name in spec["treatments"]:
        settings = _settings(spec, name)
        read: dict[str, Path | None] = {"neurons": None, "activations": None}
        if settings:
            read["neurons"] = _one(
                [p for p in neurons if p.stem == settings["selection"]],
                f"{name}: neuron file of {settings['selection']}",
            )
        if settings and settings["statistic"]["value"] not in UNMEASURED:
            language, corpus = settings["value_language"], settings["corpus"]
            read["activations"] = _one(
                [
                    p
                    for p in activations
                    if p.stem == language and p.parent.parent.name == corpus
                ],
                f"{name}: activations of {language} in corpus {corpus}",
            )
        roles = {**common, **read}
        hashes = {role: sha256_of(path) for role, path in roles.items() if path}
        parts = {"shared": spec["shared"], "name": name, "own": settings, "code": code}
        text = files.canonical(parts | {"inputs": hashes})
        fingerprint = sha256(text.encode()).hexdigest()
        found.append(
            Cell(name, settings, by_name[name], **read, fingerprint=fingerprint)
        )
    return found


def own(
    spec: Mapping[str, Any], found: Sequence[Cell], common: Mapping[str, Path]
) -> dict[Path, provenance.Own]:
    """Say what each treatment depends on: no other treatment of its job.

    Args:
        spec: of the job.
        found: its treatments.
        common: files that every treatment reads, by their role.
    """
    parts = {}
    for cell in found:
        settings = spec["treatments"][cell.name]
        named = [Treatment.parse(cell.name).statistic] if settings else []
        part = {
            "shared": spec["shared"],
            "statistics": {name: spec["statistics"][name] for name in named},
            "treatments": {cell.name: settings},
        }
        read = {*common.values(), cell.neurons, cell.activations} - {None}
        parts[cell.out] = provenance.Own(part, frozenset(filter(None, read)))
    return parts


def _settings(spec: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return what one treatment does, with the selection and statistic it names."""
    settings = spec["treatments"][name]
    if not settings:
        return {}
    parsed = Treatment.parse(name)
    statistic = spec["statistics"][parsed.statistic]
    return {"selection": str(parsed.selection), "statistic": statistic, **settings}


def _one(matching: Sequence[Path], what: str) -> Path:
    if len(matching) != 1:
        given = ", ".join(map(str, matching)) or "none"
        raise DataError(f"{what}: expected one file among the inputs, found {given}")
    return matching[0]


def pending(found: Sequence[Cell], table: bool) -> list[Cell]:
    """Return the treatments that must be computed; say how many are kept.

    Kept files get a new time stamp, so that they are not older than what they were made
    from.

    Args:
        found: all treatments of the job.
        table: whether each has a table beside its JSON file.
    """
    left = []
    for cell in found:
        if not _is_finished(cell, table):
            left.append(cell)
            continue
        for path in (cell.out, cell.table) if table else (cell.out,):
            os.utime(path)
    kept = len(found) - len(left)
    print(
        f"kept {kept} of {len(found)} treatments, computing {len(left)}",
        file=sys.stderr,
        flush=True,
    )
    return left


def _is_finished(cell: Cell, table: bool) -> bool:
    path = cell.out if cell.out.is_file() else cell.kept
    if not path.is_file():
        return False
    try:
        record = files.read_json(path)
    except DataError:
        return False  # damaged: made anew
    if not isinstance(record, dict) or record.get("fingerprint") != cell.fingerprint:
        return False
    if table and not cell.table.is_file():
        return False
    if table and files.sha256(cell.table) != record.get("table_sha256"):
        return False
    if path is not cell.out:
        _link(path, cell.out)
    return True


def write(
    cell: Cell, record: Mapping[str, Any], table: pd.DataFrame | None = None
) -> None:
    """Write a treatment's table, then its record: so a record means both are whole."""
    extra = {"fingerprint": cell.fingerprint}
    if table is not None:
        with files.atomic(cell.table) as part:
            table.to_parquet(part, index=False)
        extra["table_sha256"] = files.sha256(cell.table)
    files.write_json(cell.out, {**record, **extra})
    cell.kept.parent.mkdir(exist_ok=True)
    cell.kept.unlink(missing_ok=True)
    _link(cell.out, cell.kept)


def _link(existing: Path, new: Path) -> None:
    try:
        os.link(existing, new)
    except OSError:  # a file system without hard links
        shutil.copy2(existing, new)
