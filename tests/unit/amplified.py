"""The smallest experiment of kind `amplification`, and changes of it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from configurations import merge, tiny
from langneurons.config.errors import ConfigError
from langneurons.study.configuration import load

MINE = """
run: [mine]
language_names: {en: English, vi: Vietnamese, hi: Hindi}
statistics:
  p_max: {value: max, positions: non_pad}
  top: {value: runtime_max, op: add, positions: non_pad}
language_sets: {others: [hi, en]}
experiments:
  mine:
    kind: amplification
    models: [demo]
    tasks: [xquad]
    languages: [vi]
    selections: [lape.world, random_lape.world]
    statistics: [p_max, top]
    control_statistics: [p_max]
    prompt: "Answer in {language} ({code})."
    steering:
      {languages: others, corpus: sentences, layers: [0, 1], strengths: [1, 2.5]}
    perplexity: {languages: [en], chunks: 8}
"""


def mine(changes: str = "", **axes: Any) -> dict[str, Any]:
    """Return the smallest configuration with an experiment, and changes of it."""
    whole = tiny(MINE)
    whole["experiments"] = {"mine": whole["experiments"]["mine"] | axes}
    return merge(whole, yaml.safe_load(changes) or {})


def refused(raw: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        load(raw)
    return str(caught.value)
