"""What is recorded of results that are there, against what this configuration wants.

Beside each result lies how it was made: its spec, and the hashes of what it was made
from. So a result of another configuration, or from before an edit, is recognised, also
where Snakemake has no records of its own, as in a folder that was copied.
"""

from __future__ import annotations

import json
import os
import re
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from langneurons.config.errors import ConfigError, LangneuronsError
from langneurons.config.names import LANGUAGE, Treatment
from langneurons.config.schema import OF_STUDY, RESULTS, SHARED, Config
from langneurons.costs.parts import subject_of
from langneurons.grid import result_paths, subjects
from langneurons.jobs import files, provenance
from langneurons.jobs.fingerprint import code_hash

from .specs import Specs
from .table_specs import TableSpecs

QUICK = 3.0
"""Seconds that a start of Snakemake may spend on looking at what is there."""
SHOWN = 3
"""Results that a remark names; it counts the others."""
NUMBERS = ("shard", "shards", "seed", "part", "parts")
NAME = {"lang": f"{LANGUAGE}(?:-{LANGUAGE})?"} | dict.fromkeys(NUMBERS, r"\d+")
MISSING = "(absent)"


class Records:
    """Tells which results fit a configuration."""

    def __init__(self, config: Config, specs: Specs, tables: TableSpecs) -> None:
        self.config, self.specs, self.tables = config, specs, tables
        self._known = [
            (_pattern(self._place(path), path), make)
            for path, make in self._rules().items()
        ]
        self.reason = cache(self._reason)

    def _rules(self) -> dict[str, Callable[[Any], str]]:
        """Return, for each kind of result, how the spec of its job is built."""
        specs, tables = self.specs, self.tables
        tokens = "tokens/{corpus}/{model}/{lang}"
        activations = "activations/{corpus}/{model}/{lang}"
        adapter = "adapters/{task}/{model}/{tuning}/seed{seed}"
        evaluations = "evaluations/{task}/{model}/{tuning}/seed{seed}/{lang}"
        perplexities = "perplexity/{corpus}/{model}/{lang}"
        part = "part-{part}-of-{parts}.json"
        return {
            "demo_world/world.json": specs.demo_world,
            "models/{model}/pinned/manifest.json": self._pinned,
            "models/{model}/nf4/manifest.json": specs.quantise_model,
            "text/{corpus}/{lang}.jsonl": specs.fetch_text,
            f"{tokens}.safetensors": specs.tokenise_corpus,
            f"{tokens}.heldout.safetensors": specs.hold_out_text,
            f"{activations}/shard-{{shard}}-of-{{shards}}.safetensors": (
                specs.measure_activations
            ),
            "neurons/{model}/{method}.{langset}.json": specs.identify_neurons,
            "directions/{model}/diffmean.{langset}.safetensors": specs.find_directions,
            "dictionaries/{dictionary}/{pair}.json": specs.prepare_dictionary,
            "probes/{model}/{pair}.json": specs.ask_probes,
            "probes/{model}/{method}.{langset}/{pair}.safetensors": specs.record_probes,
            "similarities/{model}/{similarity}/{pair}.json": specs.compare_languages,
            "alignment/{corpus}/{model}/{pair}.json": specs.measure_alignment,
            "tasks/{task}/{split}.{lang}.jsonl": specs.prepare_task,
            f"{adapter}/adapter_model.safetensors": self._adapter,
            f"{evaluations}/{part}": self._treated,
            f"{perplexities}/{part}": self._treated,
            "tables/{table}.tsv": tables.table,
        }

    def _place(self, path: str) -> str:
        """Return where a folder, or a file in it, lies: with all studies, or this."""
        shared = path.partition("/")[0] in SHARED
        return f"{RESULTS if shared else self.config.results}/{path}"

    def _pinned(self, wildcards: Any) -> str:
        built = self.config.model(wildcards.model).builder
        return (self.specs.demo_model if built else self.specs.fetch_model)(wildcards)

    def _adapter(self, wildcards: Any) -> str:
        trained = self.config.is_trained(wildcards.tuning)
        return (self.specs.tune_model if trained else self.specs.fetch_adapter)(
            wildcards
        )

    def _treated(self, wildcards: Any) -> str:
        """Build the spec of an index for the treatments that it lists.

        So that one more, or other parts, make nothing of it a result of other settings.
        """
        subject = subject_of(wildcards)
        number, parts = int(wildcards.part), int(wildcards.parts)
        where = subjects.folder(self.config, subject)
        made = _record(Path(result_paths.index(where, number, parts)))
        listed = made["spec"].get("treatments") if made else None
        if isinstance(listed, dict):
            named = [Treatment.parse(name) for name in listed]
            return self.specs.treated(subject, named)
        return self.specs.evaluate_task(wildcards)

    def wanted(self, path: str) -> str | None:
        """Return the spec that this configuration has for a result, canonical JSON.

        Returns:
            None where it has none: a path of another kind, or names that it lacks.
            Of an index that is there: for the treatments that it lists.
        """
        for pattern, make in self._known:
            found = pattern.fullmatch(path)
            if found:
                try:
                    return make(SimpleNamespace(**found.groupdict()))
                except LangneuronsError:
                    return None
        return None

    def _reason(self, path: str) -> str:
        """Say why a result is not what this configuration would make; empty if it is.

        What it was made from counts too, as far as this workflow made it.
        """
        record = _record(Path(path))
        if record is None:
            return ""
        wanted = self.wanted(path)
        if wanted is not None and files.canonical(record["spec"]) != wanted:
            return difference(record["spec"], json.loads(wanted))
        for role in record.get("inputs", {}).values():
            for source, content in role.items():
                made = _record(Path(source))
                if made is None:
                    continue
                if made["output_sha256"] != content:
                    return f"made from another {source} than is there now"
                if reason := self.reason(source):
                    known = reason.startswith(f"{RESULTS}/")
                    return reason if known else f"{source}: {reason}"
        return ""

    def shown(self, paths: Sequence[str]) -> tuple[list[str], dict[str, str]]:
        """Choose what a report shows that takes what is there.

        Args:
            paths: tables and figures that this configuration can make.

        Returns:
            Those that exist and fit the configuration; and, of the others that exist,
            why they do not.
        """
        fitting: list[str] = []
        left_out: dict[str, str] = {}
        for path in paths:
            if not Path(path).is_file():
                continue
            if reason := self.reason(path):
                left_out[path] = reason
            else:
                fitting.append(path)
        return fitting, left_out

    def stale(self, seconds: float = QUICK) -> tuple[list[str], bool]:
        """List results whose own spec is not the one that this configuration wants.

        Args:
            seconds: after which to stop.

        Returns:
            Their paths, and whether everything was looked at.
        """
        end = time.monotonic() + seconds
        found: list[str] = []
        # Few files first, so that a look that ends early has seen what matters most.
        for path in self._results((*OF_STUDY[:2], *SHARED, *OF_STUDY[2:])):
            if time.monotonic() > end:
                return found, False
            recorded = provenance.spec_hash(Path(path))
            if recorded is None:
                continue
            wanted = self.wanted(path)
            if wanted is not None and provenance.hash_of(wanted) != recorded:
                found.append(path)
        return found, True

    def _results(self, folders: Sequence[str]) -> Iterator[str]:
        """Yield the paths of results that are there with a record, by folder."""
        for folder in folders:
            yield from _below(self._place(folder), provenance.ENDING)

    def of_others(self) -> list[str]:
        """Say which shared results another study made under other settings.

        Making them again would take from that study what its tables were made from.
        """
        found = []
        for path in self._results(SHARED):
            recorded, wanted = provenance.spec_hash(Path(path)), self.wanted(path)
            if (
                None in (recorded, wanted)
                or provenance.hash_of(str(wanted)) == recorded
            ):
                continue
            made = _record(Path(path))
            if made is not None and made.get("study") != self.config.study:
                found.append(f"  - {path}: {_called(made.get('study'))} made it")
                found[-1] += f" ({self.reason(path)})"
        return found

    def require_own(self) -> None:
        """Refuse to make anew what is of another study.

        Raises:
            ConfigError: names each such file, both studies and what differs.
        """
        found = self.of_others()
        if not found:
            return
        more = [f"  - and {len(found) - SHOWN:,} more"] if len(found) > SHOWN else []
        raise ConfigError(
            "Studies share models, text, tokens, activations, neurons, directions, "
            f"dictionaries and probes by name, and {_called(self.config.study)} means "
            "something else by a name than the study that used it first:\n"
            + "\n".join([*found[:SHOWN], *more])
            + "\n"
            "Give the corpus, model, method, language set or dictionary another name "
            "here, or delete these files, if the other study is given up."
        )

    def remarks(self) -> list[str]:
        """Say in a few lines what is stale, and what Snakemake will make of it."""
        stale, whole = self.stale()
        if not stale:
            return []
        shown = [f"  {path} ({self.reason(path)})" for path in stale[:SHOWN]]
        if len(stale) > SHOWN:
            shown.append(f"  and {len(stale) - SHOWN:,} more")
        count = f"{len(stale):,}" if whole else f"at least {len(stale):,}"
        lines = [
            f"Results here that were made under other settings than these: {count}",
            *shown,
        ]
        unknown = [path for path in stale if not known_to_snakemake(path)]
        if len(unknown) < len(stale):
            lines.append("Those that the targets need are made again, in their place.")
        if unknown:
            lines.append(
                f"Snakemake has no record of {len(unknown):,} of them, such as "
                f"{unknown[0]} (was the folder copied without .snakemake?), so it "
                "takes them as they are. Delete them, or name them after --forcerun."
            )
        return lines

    def shards(self, corpus: str, model: str, lang: str) -> list[str]:
        """Name the measured pieces of a language.

        A language that is measured already keeps its pieces where only their number
        would differ: it changes nothing but the length of a job.
        """
        usual = result_paths.shards(self.config, corpus, model, lang)
        record = _record(Path(result_paths.activations(corpus, model, lang)))
        pieces = list(record["inputs"].get("shards", {})) if record else []
        if (
            not pieces
            or pieces == usual
            or self.reason(result_paths.tokens(corpus, model, lang))
        ):
            return usual
        code = code_hash("measure_activations")
        for piece in pieces:
            made = _record(Path(piece))
            wanted = self.wanted(piece)
            if made is None or wanted is None or made.get("code") != code:
                return usual
            if files.canonical(made["spec"]) != wanted:
                return usual
        return pieces


def _called(study: str | None) -> str:
    return "the study without a name" if study is None else f"study {study}"


def difference(then: Any, now: Any, place: str = "") -> str:
    """Name the first setting in which two specs differ, with both values."""
    if isinstance(then, dict) and isinstance(now, dict):
        for key in sorted({*then, *now}):
            a, b = then.get(key, MISSING), now.get(key, MISSING)
            if a != b:
                return difference(a, b, f"{place}.{key}" if place else key)
    if isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for i, (a, b) in enumerate(zip(then, now, strict=True)):
            if a != b:
                return difference(a, b, f"{place}[{i}]")
    return f"{place}: {_short(then)} then, {_short(now)} now"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else files.canonical(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def known_to_snakemake(path: str, folder: Path = Path(".snakemake")) -> bool:
    """Tell whether Snakemake has a record of how it made a file.

    Its records are files named by the path in base 64, in parts that a file system
    takes as names.
    """
    if any(folder.glob("metadata.db*")):
        return True  # another way of keeping records, which we do not read
    name = urlsafe_b64encode(path.encode()).decode()
    longest = os.pathconf(folder, "PC_NAME_MAX") - 1 if folder.is_dir() else 254
    parts = [name[i : i + longest] for i in range(0, len(name), longest)]
    return folder.joinpath(
        "metadata", *(f"@{part}" for part in parts[:-1]), parts[-1]
    ).is_file()


def _pattern(place: str, path: str) -> re.Pattern[str]:
    """Turn a path with names in braces into an expression that finds them."""
    parts = re.split(r"\{(\w+)\}", place)
    return re.compile(
        "".join(
            re.escape(part) if i % 2 == 0 else f"(?P<{part}>{_name(part, path)})"
            for i, part in enumerate(parts)
        )
    )


def _name(name: str, path: str) -> str:
    if name in NAME:
        return NAME[name]
    # Tunings have dots between their parts.
    return "[^/]+" if name == "tuning" else r"[^/.]+"


def _record(path: Path) -> dict[str, Any] | None:
    """Read how a file was made; None where that is not recorded, or not readable."""
    beside = provenance.path_of(path)
    try:
        found = json.loads(beside.read_text(encoding="utf-8"))
        whole = isinstance(found["spec"], dict) and isinstance(
            found["output_sha256"], str
        )
        whole &= all(isinstance(role, dict) for role in found["inputs"].values())
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return found if whole else None


def _below(folder: str, ending: str) -> Iterator[str]:
    for place, folders, names in os.walk(folder):
        folders.sort()
        there = set(names)
        for name in sorted(names):
            if name.endswith(ending) and (of := name.removesuffix(ending)) in there:
                yield f"{place}/{of}"
