"""What is needed to trust a result later, written beside each output.

The output itself holds nothing that differs between two equal runs; the time, the
versions, the machine and the seconds are in ``<output>.provenance.json``.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from langneurons import __version__
from langneurons.config.errors import DataError

from .files import canonical, check_keys, read_object, redo, sha256, write_json

PACKAGES = (
    "torch", "transformers", "peft", "bitsandbytes", "tokenizers", "safetensors",
    "numpy", "pandas", "matplotlib", "snakemake",
)  # fmt: skip


ENDING = ".provenance.json"
STUDY = "LANGNEURONS_STUDY"
"""Environment variable that names the study of a job; empty or absent: none."""
SPEC_HASH = re.compile(rb'"spec_sha256": "([0-9a-f]{64})"')


def path_of(output: Path) -> Path:
    """Name the provenance file of an output."""
    return output.with_name(output.name + ENDING)


def hash_of(spec: str) -> str:
    """Hash a spec, given as canonical JSON."""
    return hashlib.sha256(spec.encode()).hexdigest()


def spec_hash(output: Path) -> str | None:
    """Return the hash of the spec that an output was made under, if it is recorded.

    It stands at the start of the file, so that thousands are read in a second.
    """
    try:
        with path_of(output).open("rb") as handle:
            found = SPEC_HASH.search(handle.read(512))
    except OSError:
        return None
    return found.group(1).decode() if found else None


def write(
    outputs: list[Path],
    rule: str,
    spec: Mapping[str, Any],
    code: str,
    inputs: Mapping[str, Mapping[str, str]],
    seconds: float,
    notes: Mapping[str, Any] | None = None,
) -> None:
    """Write the provenance of a finished job beside each of its outputs.

    Args:
        outputs: files that the job wrote.
        rule: name of the rule.
        spec: the slice of the configuration that the job read.
        code: hash of the code that ran.
        inputs: what ``hashes`` returned before the job read them.
        seconds: wall time of the job.
        notes: what else there is to say of how it was run.
    """
    shared = {
        "study": os.environ.get(STUDY) or None,
        "code": code,
        "git": _git_revision(),
        **environment(),
        "gpu": _gpu(),
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
    }
    shared |= notes or {}
    text = {"spec_sha256": hash_of(canonical(spec)), "spec": dict(spec)}
    for output in outputs:
        first: dict[str, Any] = {"output_sha256": sha256(output), "rule": rule}
        write_json(path_of(output), first | text | {"inputs": dict(inputs)} | shared)


def environment() -> dict[str, Any]:
    """Return the versions with which results are made."""
    return {
        "langneurons": __version__,
        "python": sys.version.split()[0],
        "packages": _versions(),
        "machine": platform.machine(),
    }


def hashes(inputs: Mapping[str, list[Path]]) -> dict[str, dict[str, str]]:
    """Hash what a job reads, and refuse a file that is not what its own job wrote.

    Args:
        inputs: files, by their role.

    Returns:
        SHA-256 of each file, by role and path.

    Raises:
        DataError: a damaged file, or one that was changed by hand.
    """
    found: dict[str, dict[str, str]] = {}
    for role, paths in inputs.items():
        found[role] = {str(path): sha256(path) for path in paths}
        for path in paths:
            record = path_of(path)
            if not record.is_file():
                continue
            if read(path).get("output_sha256") != found[role][str(path)]:
                raise DataError(
                    f"{path}: damaged, or changed by hand: its content is not what "
                    f"{record.name} says its job wrote{redo(path)}"
                )
    return found


def read(output: Path) -> dict[str, Any]:
    """Return the provenance of an output; empty where there is none.

    Raises:
        DataError: the record is damaged.
    """
    path = path_of(output)
    if not path.exists():
        return {}
    try:
        found = read_object(path, "a provenance record")
        nested = {"inputs": dict, "spec": dict, "packages": dict}
        there = {key: kind for key, kind in nested.items() if key in found}
        check_keys(path, found, "a provenance record", there)
        check_keys(
            path,
            found.get("inputs", {}),
            "a provenance record",
            dict.fromkeys(found.get("inputs", {}), dict),
        )
        return found
    except DataError as error:
        # Without its record the output would count as unchanged.
        advice = f"Delete it and {output.name}, which it describes, to redo both"
        if not redo(output):
            advice = f"Take it away: it only says how {output.name} was made"
        raise DataError(f"{str(error).removesuffix(redo(path))}. {advice}") from error


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _git_revision() -> str | None:
    here = Path(__file__).parent
    try:
        answer = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40"],
            cwd=here,
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None


def _gpu() -> str | None:
    torch = sys.modules.get("torch")  # never import it just to say that it was unused
    if torch is None or not torch.cuda.is_available():
        return None
    return torch.cuda.get_device_name()
