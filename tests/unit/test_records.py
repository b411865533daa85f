"""Results of other settings are recognised by what is recorded beside them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from snakemake.persistence.file import FilePersistence
from snakemake.utils import update_config

from configurations import AMPLIFIED, experiment
from langneurons import tables
from langneurons.grid import result_paths, rows, subjects
from langneurons.jobs import files, provenance
from langneurons.jobs.fingerprint import code_hash
from langneurons.study import records, targets
from langneurons.study.configuration import load
from langneurons.study.records import Records, difference
from langneurons.study.specs import Specs
from langneurons.study.table_specs import TableSpecs

ROOT = Path(__file__).parent.parent.parent
XNLI = {"training": {"learning_rate": 0.1}}
ADAPTER = "results/adapters/xnli/demo/attention/seed42/adapter_model.safetensors"
EVALUATED = "results/evaluations/xnli/demo/attention/seed42/{}/part-1-of-1.json"
TABLE = "results/tables/xnli.tsv"
VI, UR = EVALUATED.format("vi"), EVALUATED.format("ur")


def demo(**changes: Any) -> Records:
    raw: dict[str, Any] = {}
    for name in ("config.yaml", "demo.yaml"):
        text = (ROOT / "config" / name).read_text("utf-8")
        update_config(raw, yaml.safe_load(text))
    update_config(raw, {"study": None} | changes)
    config = load(raw)
    return Records(config, Specs(config), TableSpecs(config))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(path: str, spec: str | None, *sources: str, content: str = "x") -> None:
    """Write a result and the record of how it was made."""
    out = Path(path)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(content)
    read = {"files": {source: files.sha256(source) for source in sources}}
    rule, code = "some_rule", code_hash("measure_activations")
    provenance.write([out], rule, json.loads(spec or "{}"), code, read, 1.0)


def make_study(found: Records) -> None:
    """Write an adapter, two indexes of its evaluations, a table and its figure."""
    make(ADAPTER, found.wanted(ADAPTER))
    for path in (VI, UR):
        make(path, found.wanted(path), ADAPTER)
    make(TABLE, found.wanted(TABLE), VI, UR)
    make("results/figures/xnli/forest.accuracy.svg", '{"table":"xnli"}', TABLE)


def test_each_result_of_a_grid_has_a_spec_of_its_own() -> None:
    found = demo()
    config, parts = found.config, found.tables.parts
    tuned = [part.subject for part in parts.evaluations]
    # The text of two models is packed by one spec: the models are inputs.
    measured = [(c, m, lang) for m, c, lang in rows.measured(config) if m == "demo"]
    paths = [
        *(part.index for part in (*parts.evaluations, *parts.perplexities)),
        *{path for subject in tuned for path in subjects.adapter(config, subject)},
        *(result_paths.neurons("demo", x) for x in rows.computed_selections(config)),
        *(result_paths.tokens(*key) for key in measured),
        *(result_paths.held_out(*key) for key in measured if key[0] == "demo"),
        *(p for key in measured for p in result_paths.shards(config, *key)),
        *(targets.table(config, name) for name in tables.wanted(config)),
        "results/models/demo/pinned/manifest.json",
        "results/demo_world/world.json",
        result_paths.items(config, "xnli", "test", "ur"),
    ]
    assert len(paths) > 40
    wanted = {path: found.wanted(path) for path in paths}
    assert [path for path, spec in wanted.items() if spec is None] == []
    assert len({*wanted.values()}) == len(wanted)
    listed = json.loads(wanted[VI] or "")["treatments"]
    assert {"none", "lape.world.zero"} < listed.keys()


def test_rules_and_records_agree_on_the_files() -> None:
    """What a rule declares with a spec is known here, or follows from what is."""
    both = yaml.safe_load(AMPLIFIED) | {
        "run": ["transfer", "amplified", "bridges", "alignment"]
    }
    found = demo(**both)
    declared = set()
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        text = path.read_text("utf-8")
        for name in re.findall(r'="((?:results|<study>)/[^"]*\{[^"]*)"', text):
            declared.add(name.replace("<study>", "results"))
    assert len(declared) > 15
    axes = dict(
        corpus="demo", model="demo", lang="vi", shard="0", shards="1", method="lape",
        langset="world", task="xnli", split="test", tuning="attention", seed="42",
        table="xnli", part="1", parts="1", pair="en-ur", dictionary="demo",
        similarity="hsic",
    )  # fmt: skip
    bridged = axes | {"model": "demo_bridge", "method": "top_probability"}
    aligned = axes | {"corpus": "sentences"}
    unknown = {
        name
        for name in declared
        if not any(found.wanted(name.format(**x)) for x in (axes, bridged, aligned))
    }
    # Beside another output of the same job; a sum of shards; made of other results.
    beside = {"json", "md", "pth", "tex"}
    assert {Path(name).suffix[1:] for name in unknown} <= beside | {
        "safetensors",
        "jsonl",
    }
    assert {n for n in unknown if n.endswith("json")} == {
        "results/tokens/{corpus}/{model}/{lang}.json",
        "results/tokens/{corpus}/{model}/{lang}.heldout.json",
        "results/adapters/{task}/{model}/{tuning}/seed{seed}/adapter_config.json",
        "results/adapters/{task}/{model}/{tuning}/seed{seed}/training.json",
        "results/adapters/{task}/{model}/{tuning}/seed{seed}/source.json",
        # No experiment of this run has it.
        "results/perplexity/{corpus}/{model}/{lang}/part-{part}-of-{parts}.json",
    }
    assert [n for n in unknown if n.endswith("safetensors")] == [
        "results/activations/{corpus}/{model}/{lang}.safetensors"
    ]
    assert {n for n in unknown if n.endswith("jsonl")} <= {
        "results/text/{corpus}/{lang}.jsonl"
    }


def test_names_of_another_configuration_are_not_judged() -> None:
    found = demo()
    assert found.wanted("results/tasks/other/test.vi.jsonl") is None
    assert found.wanted(VI.replace("demo", "gemma")) is None
    assert found.wanted(VI.replace("of-1", "of-2")) is None
    assert found.wanted("results/figures/xnli/forest.accuracy.svg") is None


def test_what_was_made_for_this_configuration_fits() -> None:
    found = demo()
    make_study(found)
    paths = [TABLE, *targets.figures(found.config)]
    fitting, left_out = demo().shown(paths)
    assert fitting == [
        TABLE,
        "results/figures/xnli/forest.accuracy.svg",
    ]
    assert left_out == {}
    assert demo().stale() == ([], True)
    assert demo().remarks() == []


def test_a_setting_of_something_behind_a_table_leaves_it_out() -> None:
    make_study(demo())
    other = demo(tasks={"xnli": XNLI})
    paths = [TABLE, *targets.figures(other.config)]
    fitting, left_out = other.shown(paths)
    assert fitting == []
    reason = f"{ADAPTER}: training.learning_rate: 0.005 then, 0.1 now"
    assert {*left_out.values()} == {reason} and len(left_out) == 2
    assert other.stale() == ([ADAPTER], True)


def test_a_statistic_of_another_meaning_is_stale() -> None:
    make_study(demo())
    other = demo(statistics={"zero": {"value": "const", "constant": 1.0}})
    assert other.stale() == ([UR, VI], True)
    assert "statistics.zero.constant: null then, 1.0 now" in other.reason(VI)


def test_other_lists_and_parts_make_no_treatment_stale() -> None:
    make_study(demo())
    fewer = demo(**experiment("transfer", statistics=["mean", "zero"]))
    assert fewer.stale() == ([TABLE], True)
    assert demo(bundle_size=2).stale() == ([], True)


def test_what_a_table_was_made_from_must_still_be_there() -> None:
    found = demo()
    make_study(found)
    make(UR, found.wanted(UR), ADAPTER, content="of another run, same settings")
    _, left_out = demo().shown([TABLE])
    assert list(left_out.values()) == [f"made from another {UR} than is there now"]


def test_a_start_says_what_is_stale_and_what_snakemake_will_do(here: Path) -> None:
    make_study(demo())
    text = "\n".join(demo(tasks={"xnli": XNLI}).remarks())
    assert "made under other settings than these: 1\n" in text
    assert f"{ADAPTER} (training.learning_rate: 0.005 then, 0.1 now)" in text
    assert f"no record of 1 of them, such as {ADAPTER}" in text
    assert "made again" not in text
    record(here / ".snakemake", ADAPTER)
    text = "\n".join(demo(tasks={"xnli": XNLI}).remarks())
    assert "made again, in their place" in text and "no record" not in text


def record(folder: Path, path: str) -> None:
    """Write a record where Snakemake itself would."""
    metadata = folder / "metadata"
    metadata.mkdir(parents=True)
    keeper: Any = SimpleNamespace(_max_len=None)
    keeper._fetch_max_len = lambda subject: FilePersistence._fetch_max_len(
        keeper, subject
    )
    place = Path(FilePersistence._record_path(keeper, str(metadata), path))
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("{}")


@pytest.mark.parametrize(
    "path", ["results/a.json", "results/" + "long/" * 80 + "a.json"]
)
def test_records_of_snakemake_are_found(tmp_path: Path, path: str) -> None:
    folder = tmp_path / ".snakemake"
    assert not records.known_to_snakemake(path, folder)
    record(folder, path)
    assert records.known_to_snakemake(path, folder)
    assert not records.known_to_snakemake(path + "x", folder)


def test_results_that_were_deleted_are_not_told_of() -> None:
    """Their records may stay behind."""
    make_study(demo())
    other = demo(tasks={"xnli": XNLI})
    assert other.stale() == ([ADAPTER], True)
    Path(ADAPTER).unlink()
    assert other.stale() == ([], True)


def test_a_look_ends_in_time() -> None:
    make_study(demo())
    other = demo(tasks={"xnli": XNLI})
    assert other.stale(seconds=-1) == ([], False)


def test_results_without_a_record_are_taken_as_they_are() -> None:
    make_study(demo())
    for path in Path("results").rglob("*.provenance.json"):
        path.write_text("{")
    other = demo(tasks={"xnli": XNLI})
    assert other.stale() == ([], True)
    assert other.shown([TABLE])[1] == {}


def test_pieces_that_are_measured_stay_when_only_their_number_changes() -> None:
    corpus = ("demo", "demo", "vi")
    found = demo()
    usual = result_paths.shards(found.config, *corpus)
    smaller = {"demo": {"tokens_per_shard": 5_000}}
    assert found.shards(*corpus) == usual
    assert len(demo(corpora=smaller).shards(*corpus)) > len(usual)  # nothing is there
    for piece in usual:
        make(piece, found.wanted(piece))
    merged = Path(result_paths.activations(*corpus))
    merged.write_text("sum")
    read = {"shards": {piece: files.sha256(piece) for piece in usual}}
    provenance.write([merged], "merge_activations", {}, "", read, 1.0)
    assert demo(corpora=smaller).shards(*corpus) == usual
    tokens = result_paths.tokens(*corpus)
    make(tokens, found.wanted(tokens))
    assert demo(corpora=smaller).shards(*corpus) == usual
    more = demo(corpora={"demo": smaller["demo"] | {"tokens": 25_000}})
    assert more.shards(*corpus) == result_paths.shards(more.config, *corpus)
    # Measured anew anyway, so in the pieces that are asked for.
    changed = demo(corpora=smaller, activations={"histogram_every": 2})
    assert changed.shards(*corpus) == result_paths.shards(changed.config, *corpus)


@pytest.mark.parametrize(
    ("then", "now", "said"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 2}}, "a.b: 1 then, 2 now"),
        ({"a": 1}, {"a": 1, "b": "x"}, "b: (absent) then, x now"),
        ({"a": [1, {"c": None}]}, {"a": [1, {"c": 3}]}, "a[1].c: null then, 3 now"),
        ({"a": [1]}, {"a": [1, 2]}, "a: [1] then, [1,2] now"),
    ],
)
def test_a_difference_is_named(then: Any, now: Any, said: str) -> None:
    assert difference(then, now) == said
