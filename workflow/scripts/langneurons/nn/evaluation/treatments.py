"""The treatments of a job, which works through them with one loaded model.

Each has a file of its own, ``{treatment}.parquet``: a row per item, or per chunk of
text, and in the file's metadata its record: the result, and of which settings, code
and inputs it is. Snakemake knows of none of these files; its output is the index that
lists them. So a rerun, or a job that was killed half-way, finds what is finished, and
keeps it if it was made from the same; adding a statistic computes that statistic. No
torch is needed to tell.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow
import pyarrow.parquet

from langneurons.config.catalogue import UNMEASURED
from langneurons.config.errors import DataError
from langneurons.config.names import (
    Overwritten,
    Prompted,
    Steered,
    Treatment,
    together,
)
from langneurons.grid.subjects import READ
from langneurons.jobs import files, provenance

if TYPE_CHECKING:
    import pandas as pd

    from langneurons.jobs.cli import Job

RECORD = b"langneurons"
"""Key of the record in the metadata of a treatment's file."""


@dataclass(frozen=True)
class Run:
    """A run of the model under one treatment, done or to do.

    Attributes:
        name: of the treatment.
        settings: of overwritten neurons ``statistic``, ``selection``,
            ``neuron_language``, ``value_language`` and ``corpus``; of steering
            ``language_set``; of a prompt ``instruction``; of the untreated model none.
        path: file of its result.
        made_from: all that determines its result: its ``spec``, the ``code``, and the
            hashes of its ``inputs`` by role.
        neurons: neuron file it reads, or None.
        activations: activation files it reads, one per language of the values.
        directions: file of directions it reads, or None.
    """

    name: str
    settings: Mapping[str, Any]
    path: Path
    made_from: Mapping[str, Any]
    neurons: Path | None = None
    activations: tuple[Path, ...] = ()
    directions: Path | None = None

    @property
    def fingerprint(self) -> str:
        """Hash of what it is made from."""
        return sha256(files.canonical(self.made_from).encode()).hexdigest()


def begin(job: Job, roles: Sequence[str]) -> tuple[list[Run], list[Run]]:
    """List the treatments of a job, and those of them that must be computed.

    Args:
        job: with the inputs ``READ`` of ``grid.subjects``, and the index as its output
            ``out``. Its notes will tell what was computed.
        roles: inputs that every treatment reads, some of them lists; one that is None
            is not there.
    """
    given, common = job.inputs, dict[str, Path]()
    for role in roles:
        if isinstance(given[role], list):
            common |= {f"{role}-{n}": path for n, path in enumerate(given[role])}
        elif given[role] is not None:
            common[role] = given[role]
    folder = job.outputs["out"].parent
    read = {role: given[role] for role in READ}
    found = runs(job.spec, job.code, folder, common, read=read)
    left = pending(found, job.forced_since)
    job.notes["computed"] = [run.name for run in left]
    return found, left


def axes(job: Job, names: Sequence[str]) -> dict[str, Any]:
    """Return what a job treats, as its results say it: some keys, and ``lang``."""
    shared = job.spec["shared"]
    return {name: shared[name] for name in names} | {"lang": shared["language"]}


def runs(
    spec: Mapping[str, Any],
    code: str,
    folder: Path,
    common: Mapping[str, Path],
    *,
    read: Mapping[str, Sequence[Path]],
) -> list[Run]:
    """Match each treatment with the files that it reads.

    Args:
        spec: ``shared`` settings; ``statistics`` by name; and ``treatments``: name ->
            what ``study.treatment_specs`` says of it.
        code: hash of the code.
        folder: of the results.
        common: files that every treatment reads, by their role.
        read: files of some treatments, by role: ``neurons``, ``{selection}.json``;
            ``activations``, ``{corpus}/{model}/{language}.safetensors``;
            ``directions``, ``diffmean.{language set}.safetensors``.

    Raises:
        DataError: a file is not among those given.
    """
    sha256_of = cache(files.sha256)  # files are shared by many treatments
    found = []
    for name in spec["treatments"]:
        settings, own = _settings(spec, name)
        own_files = _files(name, settings, read)
        measured = _measured(name, settings, read)
        inputs = {
            role: sha256_of(path)
            for role, path in {**common, **own_files, **measured}.items()
            if path
        }
        made_from = {"spec": own, "code": code, "inputs": inputs}
        path, values = folder / f"{name}.parquet", tuple(measured.values())
        found.append(
            Run(name, settings, path, made_from, activations=values, **own_files)
        )
    return found


def _files(
    name: str, settings: Mapping[str, Any], given: Mapping[str, Sequence[Path]]
) -> dict[str, Path | None]:
    """Find the files of one treatment, by role, but activations."""
    found: dict[str, Path | None] = {"neurons": None, "directions": None}
    if langset := settings.get("language_set"):
        found["directions"] = _one(
            [p for p in given["directions"] if p.stem == f"diffmean.{langset}"],
            f"{name}: directions of {langset}",
        )
    if "selection" in settings:
        found["neurons"] = _one(
            [p for p in given["neurons"] if p.stem == settings["selection"]],
            f"{name}: neuron file of {settings['selection']}",
        )
    return found


def _measured(
    name: str, settings: Mapping[str, Any], given: Mapping[str, Sequence[Path]]
) -> dict[str, Path]:
    """Find the activations that values are of, by role; of several languages each."""
    if "selection" not in settings or settings["statistic"]["value"] in UNMEASURED:
        return {}
    languages, corpus = together(settings["value_language"]), settings["corpus"]
    found = {}
    for language in languages:
        role = "activations" if len(languages) == 1 else f"activations.{language}"
        found[role] = _one(
            [
                p
                for p in given["activations"]
                if p.stem == language and p.parent.parent.name == corpus
            ],
            f"{name}: activations of {language} in corpus {corpus}",
        )
    return found


def _settings(
    spec: Mapping[str, Any], name: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what one treatment does, and its part of the job's spec.

    No other treatment of the job is in that part.
    """
    settings = spec["treatments"][name]
    own = {"shared": spec["shared"], "treatments": {name: settings}, "statistics": {}}
    if not settings:
        return {}, own
    parsed = Treatment.parse(name)
    if isinstance(parsed, (Steered, Prompted)):
        return dict(settings), own
    if not isinstance(parsed, Overwritten):
        raise DataError(f"{name}: settings are given, but it does nothing")
    statistic = spec["statistics"][parsed.statistic]
    own["statistics"] = {parsed.statistic: statistic}
    return (
        {"selection": str(parsed.selection), "statistic": statistic, **settings},
        own,
    )


def _one(matching: Sequence[Path], what: str) -> Path:
    if len(matching) != 1:
        given = ", ".join(map(str, matching)) or "none"
        raise DataError(f"{what}: expected one file among the inputs, found {given}")
    return matching[0]


def pending(found: Sequence[Run], forced_since: float = 0.0) -> list[Run]:
    """Return the treatments that must be computed; say how many are kept.

    Args:
        found: all treatments of the job.
        forced_since: what is older is computed again; seconds since the epoch.
    """
    left = [run for run in found if not _is_finished(run, forced_since)]
    print(
        f"kept {len(found) - len(left)} of {len(found)} treatments, computing "
        f"{len(left)}",
        file=sys.stderr,
        flush=True,
    )
    return left


def _is_finished(run: Run, forced_since: float) -> bool:
    if not run.path.is_file() or run.path.stat().st_mtime < forced_since:
        return False
    try:
        record = read_record(run.path)
        if record["fingerprint"] != run.fingerprint:
            return False
        # Whole to its last page, which has a checksum.
        pyarrow.parquet.read_table(run.path, page_checksum_verification=True)
    except DataError:
        return False  # damaged: made anew
    except (OSError, pyarrow.ArrowException):
        return False
    return True


def read_record(path: Path) -> dict[str, Any]:
    """Read what a treatment's file says of itself.

    Raises:
        DataError: it is damaged, or not such a file.
    """
    files.require(path)
    try:
        metadata = pyarrow.parquet.read_schema(path).metadata or {}
        record = json.loads(metadata[RECORD])
        files.check_keys(
            path, record, "the result of a treatment", {"fingerprint": str, **KEYS}
        )
    except (OSError, pyarrow.ArrowException, KeyError, ValueError, TypeError) as error:
        raise DataError(
            f"{path}: damaged, or not the result of a treatment ({error})"
            f"{files.redo(path)}"
        ) from error
    return dict(record)


KEYS: dict[str, type] = {"treatment": str, "result": dict, "made_from": dict}


def write(
    run: Run, axes: Mapping[str, Any], result: Mapping[str, Any], table: pd.DataFrame
) -> None:
    """Write the file of a treatment, which is whole or absent.

    Args:
        run: the treatment.
        axes: what was treated: model, language and so on.
        result: numbers of all rows together.
        table: a row per item or chunk.
    """
    record = {**axes, "treatment": run.name, "result": dict(result)}
    record |= {"fingerprint": run.fingerprint, "made_from": run.made_from}
    record |= {"made_with": provenance.environment()}
    content = pyarrow.Table.from_pandas(table, preserve_index=False)
    # Its keys stay in the order in which tasks declare their metrics.
    said = json.dumps(record, ensure_ascii=False, allow_nan=False).encode()
    metadata = {**(content.schema.metadata or {}), RECORD: said}
    content = content.replace_schema_metadata(metadata)
    with files.atomic(run.path) as part:
        pyarrow.parquet.write_table(content, part, write_page_checksum=True)


def write_index(
    out: Path, kind: str, axes: Mapping[str, Any], found: Sequence[Run]
) -> None:
    """List the finished treatments of a job, with their results and hashes.

    Args:
        out: the index.
        kind: its format, by name.
        axes: what was treated.
        found: all treatments of the job, each with its file.
    """
    listed = {}
    for run in found:
        record = read_record(run.path)
        own = {"fingerprint": record["fingerprint"], "sha256": files.sha256(run.path)}
        listed[run.name] = {**record["result"], **own}
    for other in _outdated(out, listed):
        other.unlink(missing_ok=True)
    files.write_json(out, {"format": kind, **axes, "treatments": listed})


def _outdated(out: Path, listed: Mapping[str, Mapping[str, Any]]) -> Iterator[Path]:
    """Yield indexes of other parts that list one of the files as it was before.

    Of another ``bundle_size``; to whoever asks for them, they are to be made again.
    """
    for path in out.parent.glob("part-*-of-*.json"):
        if path.name.rpartition("-of-")[2] == out.name.rpartition("-of-")[2]:
            continue  # the other parts of this study: what they list, this one does not
        try:
            others = files.read_object(path, keys={"treatments": dict})["treatments"]
            changed = any(
                name in others and others[name]["sha256"] != own["sha256"]
                for name, own in listed.items()
            )
        except (DataError, KeyError, TypeError):
            changed = True
        if changed:
            yield path
