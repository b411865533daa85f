"""The shipped configurations with changes on top, as ``--configfile`` merges them."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]


def merge(below: Any, above: Any) -> Any:
    """Merge as --configfile does: mappings are merged, all else is replaced."""
    if isinstance(below, dict) and isinstance(above, dict):
        both = {k: merge(below[k], v) if k in below else v for k, v in above.items()}
        return below | both
    return above


def read(name: str) -> dict[str, Any]:
    """Read a file of config/; it is parsed once, which takes longer than most tests."""
    return deepcopy(_parsed(ROOT / "config" / name))


@cache
def _parsed(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def paper(**changes: Any) -> dict[str, Any]:
    """Return the first study's part of config.yaml, with changes."""
    first = {"run": ["transfer", "finetuning", "perplexity"]}
    return merge(merge(read("config.yaml"), first), changes)


def shipped() -> dict[str, Any]:
    """Return config.yaml, with all studies."""
    return read("config.yaml")


def experiment(name: str, **axes: Any) -> dict[str, Any]:
    """Return changes of an experiment's axes, for a configuration to be merged with."""
    return {"experiments": {name: axes}}


AMPLIFIED = """
run: [amplified]
experiments:
  amplified:
    kind: amplification
    models: [demo]
    tasks: [xquad]
    selections: [lape.world]
    statistics: [mean]
    prompt: "In {code}:"
    steering: {languages: world, corpus: sentences, layers: [1], strengths: [2]}
"""
"""One experiment of the kind, for the smallest configuration."""


def amplified() -> dict[str, Any]:
    """Return the smallest configuration with an experiment of amplification too."""
    usual, more = tiny(), yaml.safe_load(AMPLIFIED)
    return merge(usual, more | {"run": [*usual["run"], *more["run"]]})


def bridged() -> dict[str, Any]:
    """Return the smallest configuration with the demo's experiment of bridges too."""
    usual = tiny()
    return usual | {"run": [*usual["run"], "bridges"]}


def tiny(text: str = "") -> dict[str, Any]:
    """Return the smallest configuration that goes through every rule.

    Args:
        text: changes, in YAML as a user writes it.
    """
    smallest = deepcopy(_parsed(ROOT / "tests" / "workflow" / "tiny.yaml"))
    whole = merge(merge(paper(), read("demo.yaml")), smallest)
    return merge(whole, yaml.safe_load(text) or {})
