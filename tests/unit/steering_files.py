"""Made-up evaluations of a study of amplification, as its rules write them.

In the planted world the neurons of t raise t's object by two nats on every fact that is
asked in another language, random ones harm all objects, the one asked for most.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from langneurons.jobs import files

FACTS = 24
CHOICES, CHUNKS = 30, 12
Row = dict[str, Any]

WAYS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("lape.s.{}.p_max", {"method": "lape", "statistic": "p_max"}),
    ("lape.s.{}.zero", {"method": "lape", "statistic": "zero"}),
    *(
        (
            f"random_lape-{i}.s.{{}}.p_max",
            {"method": "random", "matched": "lape", "draw": i, "statistic": "p_max"},
        )
        for i in (1, 2)
    ),
    ("prompt.{}", {"method": "prompt", "langset": None, "statistic": "prompt"}),
    *(
        (
            f"diffmean-{setting}.{{}}",
            {"method": "diffmean", "langset": None, "statistic": setting},
        )
        for setting in ("l1-s1", "l2-s2")
    ),
)
"""Names of treatments, with a place for the language, and their columns."""

GAINS = {  # of the target's object and of that in the prompt's language, in nats
    "p_max": (2.0, -0.2), "zero": (0.1, 0.0), "random": (-0.3, -0.5),
    "prompt": (0.5, -0.1), "l1-s1": (0.4, 0.0), "l2-s2": (1.5, -1.0),
}  # fmt: skip


def row(lang: str, whose: str | None = None, name: str = "none", **changed: Any) -> Row:
    """Name a row as ``steering_rows`` does."""
    own = {"method": None, "langset": None, "draw": None, "matched": None}
    own |= {"statistic": "none"} if whose is None else {"langset": "s"}
    axes = {"experiment": "amplification", "task": "facts", "model": "m"}
    axes |= {"tuning": "base", "seed": 0, "lang": lang, "neuron_lang": whose}
    treatment = name.format(whose)
    return axes | own | {"treatment": treatment} | changed


def rows(
    languages: Sequence[str], ways: Any = WAYS, own: bool = False, **changed: Any
) -> Iterator[Row]:
    """Yield the rows of a task; ``own``: also those of the tested language."""
    for lang in languages:
        yield row(lang, **changed)
        for name, columns in ways:
            for whose in languages:
                if own or whose != lang:
                    yield row(lang, whose, name, **columns | changed)


class Files:
    """Writes evaluations and perplexities, and keeps their indexes.

    Args:
        folder: for them.
        seed: of their numbers.
    """

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self.folder, self.rng = folder, np.random.default_rng(seed)
        self.indexes: dict[Path, dict[str, Any]] = {}

    def write(self, axes: Row, name: str, table: pd.DataFrame, **result: Any) -> None:
        """Write the file of a treatment, and list it."""
        index = self.folder.joinpath(*map(str, axes.values()), "part-1-of-1.json")
        index.parent.mkdir(parents=True, exist_ok=True)
        path = index.with_name(f"{name}.parquet")
        table.to_parquet(path)
        listed = self.indexes.setdefault(index, {**axes, "treatments": {}})
        listed["treatments"][name] = {**result, "sha256": files.sha256(path)}
        index.write_text(json.dumps(listed))

    def facts(self, one: Row, languages: Sequence[str], neurons: int = 7) -> None:
        """Write the answers to the facts of a row."""
        rng = np.random.default_rng(7)  # the untreated model is one
        columns: dict[str, Any] = {"item": np.arange(FACTS, dtype=np.int32)}
        kind = "random" if one["method"] == "random" else one["statistic"]
        for_target, for_base = GAINS.get(kind, (0.0, 0.0))
        treated = one["neuron_lang"] is not None and neurons > 0
        for lang in languages:
            logprob = rng.normal(-8, 1, FACTS) + 3.0 * (lang == one["lang"])
            if treated:
                gain = for_target if lang == one["neuron_lang"] else -0.1
                gain = for_base if lang == one["lang"] else gain
                logprob = logprob + gain + 0.3 * self.rng.normal(size=FACTS)
            logprob[0] = np.nan if lang == languages[-1] else logprob[0]
            columns[f"logprob_{lang}"] = logprob
            columns[f"tokens_{lang}"] = rng.integers(1, 4, FACTS)
            columns[f"object_{lang}"] = [f"{lang}{i}" for i in range(FACTS)]
        axes = {k: one[k] for k in ("task", "model", "tuning", "seed", "lang")}
        own = {"n": FACTS, "n_neurons": neurons if treated else 0, "metrics": {}}
        self.write(axes, one["treatment"], pd.DataFrame(columns), **own)

    def choices(self, one: Row, neurons: int = 7) -> None:
        """Write right and wrong choices: own ones better, others worse."""
        right = np.random.default_rng(3).random(CHOICES) < 0.6
        if one["neuron_lang"] is not None and one["statistic"] == "p_max":
            flip = self.rng.random(CHOICES) < 0.4
            right = right | flip if one["neuron_lang"] == one["lang"] else right & ~flip
        table = pd.DataFrame({"item": np.arange(CHOICES), "accuracy": right})
        axes = {k: one[k] for k in ("task", "model", "tuning", "seed", "lang")}
        own = {"n": CHOICES, "n_neurons": neurons, "metrics": {}}
        self.write(axes, one["treatment"], table, **own)

    def text(self, one: Row, neurons: int = 7) -> None:
        """Write nats per token of chunks: own text is not harmed, others' is."""
        nll = np.random.default_rng(5).normal(3, 0.3, CHUNKS)
        if one["neuron_lang"] is not None:
            harm = 0.05 if one["neuron_lang"] == one["lang"] else 0.4
            nll = nll + harm + 0.02 * self.rng.normal(size=CHUNKS)
        axes = {k: one[k] for k in ("corpus", "model", "lang")}
        own = {"n_chunks": CHUNKS, "n_tokens": 9 * CHUNKS, "n_neurons": neurons}
        own |= {"nll": float(nll.mean())}
        table = pd.DataFrame({"nll": nll, "tokens": 9})
        self.write(axes, one["treatment"], table, **own)


def packed(given: Sequence[Row]) -> Any:
    """Pack rows as ``steering_rows`` does, each subject with a group of its own."""
    axes = ("experiment", "task", "corpus", "model", "tuning", "seed", "lang")
    treatments = {
        one["treatment"]: {k: v for k, v in one.items() if k not in axes}
        for one in given
    }
    groups: dict[str, list[str]] = {}
    subjects = {}
    for one in given:
        own = {k: one[k] for k in axes if k in one}
        key = json.dumps(own)
        groups.setdefault(key, []).append(one["treatment"])
        subjects[key] = own | {"group": list(groups).index(key)}
    return {
        "treatments": treatments,
        "groups": list(groups.values()),
        "subjects": list(subjects.values()),
    }


def study(folder: Path, languages: Sequence[str] = ("en", "vi", "hi")) -> Any:
    """Write a whole study; return the spec of its tables, and its files."""
    made = Files(folder)
    shifts = list(rows(languages))
    choices = list(rows(languages, own=True, task="pick"))
    texts = list(rows(languages, [w for w in WAYS if w[0] != "prompt.{}"], own=True))
    texts = [one | {"corpus": "c"} for one in texts]
    for one in shifts:
        made.facts(one, languages)
    for one in choices:
        made.choices(one)
    for one in texts:
        made.text(one)
    parts = {"shifts": shifts, "choices": choices, "texts": texts}
    named = {part: packed(given) for part, given in parts.items()}
    spec = {
        "rows": named | {"published": []},
        "ties": {"amplification": "drop"},
        "kinds": {"pick": "xnli"},
    }
    return spec, list(made.indexes)
