"""Run scripts of the workflow as their rules do, without a process for each.

A script gets the ``spec`` that the planner makes of a configuration, so that a case
says what a user writes and nothing of what jobs are told.
"""

from __future__ import annotations

import json
import random
import runpy
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from configurations import ROOT, tiny
from langneurons.study.configuration import load
from langneurons.study.specs import Specs
from test_models import WORDS

SCRIPTS = ROOT / "workflow" / "scripts"
POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    f"oid sha256:{'0' * 64}\nsize 16060556376\n"
)
"""What a clone without Git LFS has in place of a large file."""


@dataclass(frozen=True)
class Told:
    """How a script ended, and what it printed."""

    status: int
    text: str

    def fine(self) -> None:
        """Want success."""
        assert self.status == 0, self.text

    def refused(self, *words: str) -> str:
        """Want one clear error that has all these words, in any case of letters."""
        assert self.status == 1, "accepted without a word"
        error = next((x for x in self.text.splitlines() if x.startswith("error:")), "")
        assert error, self.text
        for word in words:
            assert word.lower() in self.text.lower(), (word, self.text)
        return self.text


@dataclass
class Bench:
    """Scripts and their files, in one folder.

    Attributes:
        folder: where they read and write.
        monkeypatch: undoes what a script changes of the process.
        capsys: holds what it prints.
    """

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def script(self, name: str, spec: str, **files: Path) -> Told:
        """Run a script; an exception that it does not turn into an error is raised."""
        # Scripts set these for the rest of their process.
        for variable in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
            self.monkeypatch.setenv(variable, "1")
        given = [f"{name}.py", "--spec", spec]
        for role, path in files.items():
            given += [f"--{role}", str(path)]
        self.monkeypatch.setattr(sys, "argv", given)
        self.capsys.readouterr()
        status: Any = 0
        try:
            runpy.run_path(str(SCRIPTS / given[0]), run_name="__main__")
        except SystemExit as ended:
            status = ended.code or 0
        out, error = self.capsys.readouterr()
        return Told(status, out + error)

    def pin(self, source: Path | str, family: str = "llama") -> tuple[Told, Path]:
        """Fetch a model from a folder, as the configuration names it."""
        entry = {"builder": None, "demo": None, "folder": str(source)}
        specs = Specs(load(changed(models={"demo": entry | {"family": family}})))
        out = self.folder / f"models/{Path(source).name}/manifest.json"
        spec = specs.fetch_model(SimpleNamespace(model="demo"))
        return self.script("fetch_model", spec, out=out), out

    def tokenise(self, manifest: Path, text: Path) -> tuple[Told, Path]:
        """Pack a text into chunks of 16 tokens."""
        out = self.folder / f"tokens/{manifest.parent.name}/en.safetensors"
        chosen = SimpleNamespace(corpus="demo", lang="en")
        spec = Specs(load(small_text())).tokenise_corpus(chosen)
        files = dict(model=manifest, text=text, tokens=out)
        manifest = out.with_suffix(".json")
        return self.script("tokenise_corpus", spec, **files, manifest=manifest), out

    def measure(self, manifest: Path, tokens: Path, family: str = "llama") -> Told:
        """Measure the activations on packed text."""
        entry = {"builder": None, "demo": None, "folder": "any", "family": family}
        specs = Specs(load(small_text(models={"demo": entry})))
        chosen = dict(model="demo", corpus="demo", lang="en", shard=0, shards=1)
        spec = specs.measure_activations(SimpleNamespace(**chosen))
        out = self.folder / f"activations/{tokens.parent.name}.safetensors"
        return self.script(
            "measure_activations", spec, model=manifest, tokens=tokens, out=out
        )

    def prepare(self, task: str, path: Path) -> tuple[Told, list[dict[str, Any]]]:
        """Prepare the test items of a task in Vietnamese from a file."""
        entry = {"languages": ["vi"], "test_items": None, "data": {"test": str(path)}}
        specs = Specs(load(changed(run=["transfer"], tasks={task: entry})))
        chosen = SimpleNamespace(task=task, split="test", lang="vi")
        out = self.folder / f"items/{path.name}.jsonl"
        told = self.script(
            "prepare_task", specs.prepare_task(chosen), file=path, out=out
        )
        lines = out.read_text("utf-8").splitlines() if told.status == 0 else []
        return told, [json.loads(line) for line in lines]


def changed(**changes: Any) -> dict[str, Any]:
    """Return the smallest configuration with changes."""
    return tiny(json.dumps(changes))  # which is YAML too


def small_text(**changes: Any) -> dict[str, Any]:
    """Return the smallest configuration with text that a model of 64 positions reads.

    Args:
        changes: further ones.
    """
    sizes = {"tokens": 1024, "heldout_tokens": 256, "chunk_length": 16}
    sizes["tokens_per_shard"] = 1024
    return changed(corpora={"demo": sizes}, **changes)


def write_text(path: Path, documents: int = 200, seed: int = 0) -> Path:
    """Write random words of the tiny models' tokenizers, a document a line."""
    draw = random.Random(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [" ".join(draw.choices(WORDS, k=20)) for _ in range(documents)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
