"""The demo's trained models show what is true of the demo world, on any processor.

Looks at what ``make demo`` made, or at the folder that LANGNEURONS_DEMO names
(``make test-processors`` makes the demo once more under another instruction set);
skipped where there is none.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from demo_tables import read
from demo_truth import TRUTHS
from langneurons.grid import result_paths
from langneurons.neurons.neuron_sets import NeuronSets
from langneurons.stats.significance import wilson

ROOT = Path(__file__).parent.parent.parent
ADAPTERS = "results/demo/adapters/xnli/demo"


@pytest.fixture(scope="module")
def demo() -> Path:
    """The folder in which the demo was made."""
    given = os.environ.get("LANGNEURONS_DEMO")
    folder = Path(given) if given else ROOT
    try:
        table = read(folder, "xnli")
    except FileNotFoundError as error:
        if given:
            raise
        pytest.skip(f"{error.filename} is absent: run `make demo` first")
    if "demo" not in set(table["model"]):
        pytest.skip(f"{folder}/results is not of the demo: run `make demo` first")
    return folder


@pytest.mark.parametrize("name", TRUTHS)
def test_truth(demo: Path, name: str) -> None:
    truth = TRUTHS[name]
    value = truth.measure(demo)
    assert truth.holds(value), f"{truth.what}: {value}, not {truth.sense} {truth.bound}"


def test_all_languages_metrics_and_random_draws_are_there(demo: Path) -> None:
    """What the truths are means over."""
    inference, questions = read(demo, "xnli"), read(demo, "xquad")
    assert len(inference[inference["statistic"] == "none"]) == 6
    plain = questions[questions["statistic"] == "none"]
    for metric in ("em", "f1", "squad_em", "squad_f1", "mlqa_em", "mlqa_f1"):
        assert (plain["metric"] == metric).sum() == 3
    zeroed = read(demo, "perplexity").query("statistic == 'zero'")
    pairs = zeroed.groupby(["method", "neuron_lang", "lang"])["draw"].nunique()
    assert len(pairs["lape"]) == len(pairs["random"]) == 36
    assert (pairs["random"] >= 2).all()


def test_intervals_are_those_of_wilson(demo: Path) -> None:
    table = read(demo, "xnli")
    for row in table.itertuples():
        low, high = wilson(round(row.value * row.n), row.n)
        assert (row.ci_low, row.ci_high) == pytest.approx((low, high), abs=1e-5)
        assert row.ci_low <= row.value <= row.ci_high


def test_masked_tuning_moves_the_neurons_and_no_other(demo: Path) -> None:
    sets = NeuronSets.read(demo / result_paths.neurons("demo", "lape.world"))
    for tuning, languages in (("lape.world.ur", ["ur"]), ("lape.world.en+ur", None)):
        path = demo / ADAPTERS / tuning / "seed42/adapter_model.safetensors"
        weights = load_file(path)
        scale = json.loads(path.with_name("adapter_config.json").read_text())
        assert scale["r"] > 0
        chosen = [sets.of(lang) for lang in languages or ["en", "ur"]]
        tuned = set()
        for name, outer in weights.items():
            if "mlp.gate_proj.lora_B" not in name:
                continue
            layer = int(name.split(".layers.")[1].split(".")[0])
            change = outer @ weights[name.replace("lora_B", "lora_A")]
            moved = np.flatnonzero(np.abs(change).sum(axis=1))
            tuned |= {(layer, int(i)) for i in moved}
        wanted = {(layer, i) for ids in chosen for layer in ids for i in ids[layer]}
        assert wanted and tuned == wanted
