"""Writing the demo world to files, in the layouts that real data have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import permutations, product
from pathlib import Path
from typing import Any

from langneurons.config.catalogue import DemoWorld
from langneurons.jobs import files

from . import dictionary, items
from .facts import NAMES, NUMBERS
from .world import BOS, EOS, MARKS, PAD, UNKNOWN, World

SOURCE = "en"  # language of the training data


def write(spec: DemoWorld, description: Path) -> None:
    """Write everything beside ``description``, which comes last.

    Args:
        spec: sizes, languages and seed; the files depend on nothing else.
        description: ``world.json``: lexicons and grammars, the ground truth.
    """
    world, folder = World(spec), Path(description).parent
    with files.atomic(folder / "tokenizer.json") as part:
        word_tokenizer(world.vocabulary()).save(str(part))
    _write_lines(folder / "pretraining.txt", world.pretraining())
    for code in spec.languages:
        _write_lines(folder / "corpus" / f"{code}.txt", world.corpus(code))
        _write_lines(folder / "sentences" / f"{code}.txt", items.sentences(world, code))
        told = items.translations(world, code)
        _write_lines(folder / "translation" / f"{code}.txt", told)
        _write_lines(folder / "lexicon" / f"{code}.txt", items.lexicon(world, code))
        chosen = map(_json_line, items.choices(world, code))
        _write_lines(folder / "choices" / f"{code}.jsonl", chosen)
        _write_split(world, folder, "test", code)
    _write_split(world, folder, "train", SOURCE)
    given = map(_json_line, items.fact_rows(world))
    _write_lines(folder / "facts" / "facts.jsonl", given)
    templates = map("\t".join, items.templates(world))
    _write_lines(folder / "facts" / "templates.tsv", templates)
    for kind, pair in product(("probe", "test"), permutations(spec.languages, 2)):
        path = folder / "dictionary" / f"{kind}-{'-'.join(pair)}.txt"
        _write_lines(path, dictionary.rows(world, kind, pair))
    files.write_json(description, describe(world))


def _write_split(world: World, folder: Path, split: str, code: str) -> None:
    rows = [("premise", "hypothesis", "label"), *world.nli(split, code)]
    _write_lines(folder / "nli" / f"{split}-{code}.tsv", map("\t".join, rows))
    files.write_json(folder / "qa" / f"{split}-{code}.json", world.qa(split, code))


def _json_line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False)


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    with (
        files.atomic(path) as part,
        part.open("w", encoding="utf-8", newline="\n") as handle,
    ):
        handle.writelines(line + "\n" for line in lines)


def describe(world: World) -> dict[str, Any]:
    """Say what is true in the world: the meaning of each word and each grammar."""
    return {
        "format": "langneurons/demo_world/1",
        "spec": world.spec.model_dump(mode="json"),
        "shared": {"names": list(NAMES), "numerals": list(NUMBERS)},
        "languages": {
            code: {
                "grammar": asdict(language.grammar),
                "words": language.words,
                "classifiers": language.classifier,
                "particles": language.particle,
            }
            for code, language in world.languages.items()
        },
    }


def word_tokenizer(vocabulary: Sequence[str]) -> Any:
    """Make a word-level ``tokenizers.Tokenizer`` that puts BOS before a text.

    One word is one token, so no language pays for its script, and the offsets of an
    answer in characters are the bounds of a token.

    Args:
        vocabulary: all words, each once; special tokens and punctuation included.
    """
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors

    ids = {word: i for i, word in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Split(Regex(f"[{re.escape(MARKS)}]"), "isolated"),
        ]
    )
    tokenizer.add_special_tokens([PAD, UNKNOWN, BOS, EOS])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A",
        pair=f"{BOS} $A {EOS} $B",
        special_tokens=[(token, ids[token]) for token in (BOS, EOS)],
    )
    return tokenizer
