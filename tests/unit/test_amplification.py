"""The kind `amplification`: its rows, what they read, and how mistakes are told."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace as Wildcards
from typing import Any

import pytest
import yaml

import dry_runs
from amplified import MINE, mine, refused
from configurations import ROOT
from langneurons.config.errors import ConfigError
from langneurons.config.names import Prompted, Steered, Treatment
from langneurons.grid import rows, steering, subjects
from langneurons.grid.axes import Row
from langneurons.study.configuration import load
from langneurons.study.records import Records
from langneurons.study.specs import Specs
from langneurons.study.table_specs import TableSpecs
from langneurons.tables.common import planned

GOLDEN = Path(__file__).parent / "golden" / "amplification_rows.txt"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plan in an empty folder: nothing is done yet."""
    monkeypatch.chdir(tmp_path)


def listed(raw: dict[str, Any]) -> list[str]:
    """Write the rows of every table, a line each."""
    found = []
    for table, blocks in rows.tables(load(raw)).items():
        for row in (each for block in blocks for each in block.rows):
            axes = [table, row.model, row.lang, str(row.treatment), row.experiment]
            if isinstance(row, Row):
                axes[2:2] = [str(row.tuning), str(row.seed)]
            found.append(" ".join(axes))
    return found


def test_rows_are_those_of_the_golden_file() -> None:
    assert listed(mine()) == GOLDEN.read_text(encoding="utf-8").splitlines()


def treatments(raw: dict[str, Any]) -> set[str]:
    return {str(row.treatment) for row in rows.task_rows(load(raw), "xquad")}


def test_whose_turn_it_is() -> None:
    own = treatments(mine(neuron_languages="target"))
    assert {x.split(".")[1] for x in own if x.startswith("prompt")} == {"vi"}
    # The steering's set does not have the tested language.
    assert not any(x.startswith("diffmean") for x in own)
    assert {x for x in own if x.startswith("lape")} == {
        "lape.world.vi.p_max", "lape.world.vi.top",
    }  # fmt: skip
    some = treatments(mine(neuron_languages=["hi", "vi"]))
    assert {x for x in some if x.startswith("prompt")} == {"prompt.hi", "prompt.vi"}
    assert {x.rpartition(".")[2] for x in some if x.startswith("diff")} == {"hi"}
    # Without neurons and without steering a prompt names the tested languages.
    alone = mine(selections=[], statistics=[], steering=None, perplexity=None)
    assert treatments(alone) == {"none", "prompt.vi"}


def test_statistics_of_one_task() -> None:
    raw = mine(by_task={"xquad": {"statistics": ["zero"], "control_statistics": []}})
    found = {x for x in treatments(raw) if x.startswith(("lape", "random"))}
    assert found == {f"lape.world.{x}.zero" for x in ("en", "vi", "hi")}
    text = {str(row.treatment) for row in rows.text_rows(load(raw))}
    assert "lape.world.en.p_max" in text and "random_lape-1.world.en.p_max" in text
    assert not any(x.startswith("prompt") for x in text)


S: dict[str, Any] = {
    "languages": "others", "corpus": "sentences", "layers": [0, 1], "strengths": [1]
}  # fmt: skip
MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"steering": S | {"corpus": "demo"}}, "steering.corpus: demo counts the BOS "
     "token"),
    ({"steering": S | {"languages": "othrs"}}, "steering.languages: unknown language "
     "set 'othrs' - did you mean 'others'?"),
    ({"steering": S | {"layers": [1, 2]}}, "steering.layers: 2, but demo has layers 0 "
     "to 1"),
    ({"steering": S | {"layers": [-1]}}, "steering.layers.0: "),
    ({"steering": S | {"strengths": [0]}}, "steering.strengths.0: must be above 0"),
    ({"steering": S | {"strengths": [1e-7]}}, "more than six decimals"),
    ({"steering": S | {"strengths": [2, 2.0]}}, "2.0 stands twice"),
    ({"steering": S | {"corpus": "dmo"}}, "steering.corpus: unknown corpus 'dmo'"),
    ({"prompt": "Answer."}, "names no language: placeholders none; allowed"),
    ({"prompt": "In {lang}."}, "placeholders {lang}; allowed are {language}"),
    ({"prompt": "In {language} {"}, "is no template"),
    ({"prompt": "In {} {language}"}, "placeholders {}, {language}; allowed"),
    ({"tasks": ["xnli"]}, "tasks: xnli (kind xnli) is classified by a head that fine-"
     "tuning trains"),
    ({"neuron_languages": ["fr"]}, "neuron_languages: unknown language 'fr'. Known: "
     "en, hi, vi"),
    ({"neuron_languages": ["vi"]}, "steering: others has neurons of hi, en, of which"),
    ({"languages": ["fr"]}, "languages (xquad): unknown language 'fr'"),
    ({"selections": [], "statistics": [], "prompt": None, "steering": None},
     "experiments.mine: nothing is done to its models"),
    ({"statistics": []}, "statistics: none, so nothing is written into its selections"),
    ({"perplexity": {"languages": ["en"], "chunks": 800}}, "chunks: 800 chunks, but"),
    ({"seeds": [1]}, "experiments.mine.seeds: unknown key"),
]  # fmt: skip


@pytest.mark.parametrize(("axes", "said"), MISTAKES)
def test_a_mistake_is_told_by_its_place(axes: dict[str, Any], said: str) -> None:
    found = refused(mine(**axes))
    assert said in found and "experiments.mine" in found


def test_mistakes_elsewhere() -> None:
    said = refused(mine("language_sets: {others: [hi]}"))
    assert "steering.languages: others has one language; a difference needs two" in said
    said = refused(mine("methods: {diffmean: {kind: lape}}"))
    assert "methods.diffmean: tables call rows so that are of no neurons" in said
    raw = mine()
    del raw["language_names"]["hi"]
    said = refused(raw)
    assert "experiments.mine.prompt: language_names has no English name of hi" in said
    assert load(mine(prompt="In {code}:") | {"language_names": {}})
    said = refused(mine("language_names: {hi: ''}"))
    assert "language_names.hi" in said


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("value: runtime_max", "positions: all would write it into padding too"),
        (
            "{value: runtime_p10, op: scale, positions: non_pad}",
            "value runtime_p10 goes with op set or add only",
        ),
        (
            "{value: runtime_max, positions: non_pad, value_language: hi}",
            "statistics.top.value_language: value runtime_max is not measured",
        ),
    ],
)
def test_runtime_values_that_would_do_something_else(entry: str, said: str) -> None:
    raw = mine()
    raw["statistics"]["top"] = yaml.safe_load(
        entry if entry.startswith("{") else f"{{{entry}}}"
    )
    assert said in refused(raw)


def test_two_experiments_mean_the_same_by_a_name() -> None:
    both = mine()
    other = dict(both["experiments"]["mine"])
    both["run"], both["experiments"]["also"] = ["mine", "also"], other
    config = load(both)
    assert rows.task_rows(config, "xquad") == rows.task_rows(load(mine()), "xquad")
    for key, value, said in (
        ("prompt", "In {code}.", "experiments.also.prompt: 'In {code}.', but"),
        (
            "steering",
            S | {"languages": "world"},
            "experiments.also.steering.languages: 'world', but experiments.mine has "
            "'others'; a treatment's name would mean two things",
        ),
    ):
        changed = both | {
            "experiments": both["experiments"] | {"also": other | {key: value}}
        }
        assert said in refused(changed)
        assert load(changed | {"run": ["also"]})
    another = both | {"corpora": both["corpora"] | {"two": both["corpora"]["demo"]}}
    another["experiments"] = both["experiments"] | {
        "also": other | {"steering": S | {"corpus": "two"}}
    }
    assert "experiments.also.steering.corpus: 'two', but" in refused(another)


def spec_of(raw: dict[str, Any], subject: subjects.Subject) -> dict[str, Any]:
    config = load(raw)
    named = subjects.treated(config)[subject]
    found: dict[str, Any] = json.loads(Specs(config).treated(subject, named))
    return found


def on_xquad(config: Any) -> subjects.OnTask:
    return subjects.of_row("xquad", rows.task_rows(config, "xquad")[0])


def test_a_spec_says_what_names_do_not() -> None:
    config = load(mine())
    found = spec_of(mine(), on_xquad(config))["treatments"]
    assert found["none"] == {}
    assert found["diffmean-l0-s2_5.hi"] == {"language_set": "others"}
    text = "Answer in Hindi (hi).\n"  # a line of its own
    assert found["prompt.hi"] == {"instruction": text}
    told = spec_of(mine(prompt="Say it\nin {language}\n"), on_xquad(config))
    said = "Say it\nin Vietnamese\n"
    assert told["treatments"]["prompt.vi"]["instruction"] == said
    assert found["lape.world.hi.top"]["neuron_language"] == "hi"
    renamed = mine("language_names: {hi: Hindustani}")
    changed = spec_of(renamed, on_xquad(config))["treatments"]
    assert [k for k in found if found[k] != changed[k]] == ["prompt.hi"]


def test_what_treatments_read() -> None:
    config = load(mine())
    subject = on_xquad(config)

    def read(*names: str) -> dict[str, list[str]]:
        return subjects.read_files(config, subject, map(Treatment.parse, names))

    assert read("none", "prompt.hi") == {role: [] for role in subjects.READ}
    path = "results/directions/demo/diffmean.others.safetensors"
    files = read("diffmean-l0-s1.hi", "diffmean-l1-s1.en")
    assert files == {"neurons": [], "activations": [], "directions": [path]}
    # What is measured meanwhile is in no file.
    assert read("lape.world.hi.top")["activations"] == []
    assert len(read("lape.world.hi.p_max")["activations"]) == 1


def test_jobs_and_their_inputs() -> None:
    jobs = dry_runs.jobs(mine())
    made = {job.rule: job for job in jobs}
    counts = dry_runs.counts(jobs)
    assert counts["find_directions"] == counts["evaluate_task"] == 1
    assert counts["measure_perplexity"] == 1
    wanted = "results/directions/demo/diffmean.others.safetensors"
    assert list(made["find_directions"].outputs) == [wanted]
    without = dry_runs.counts(dry_runs.jobs(mine(steering=None)))
    assert "find_directions" not in without


def test_directions_of_another_text_are_told() -> None:
    config = load(mine())
    specs = Specs(config)
    said = json.loads(specs.find_directions(Wildcards(model="demo", langset="others")))
    assert said == {"model": "demo", "language_set": "others",
                    "languages": ["hi", "en"], "corpus": "sentences"}  # fmt: skip
    with pytest.raises(ConfigError, match="no experiment of run steers with this"):
        specs.find_directions(Wildcards(model="demo", langset="world"))
    records = Records(config, specs, TableSpecs(config))
    path = "results/directions/demo/diffmean.others.safetensors"
    assert json.loads(str(records.wanted(path))) == said


def test_texts_of_the_steered_languages_are_needed() -> None:
    raw = mine("language_sets: {others: [hi, en, el]}", prompt=None)
    assert "corpora.sentences.folder: no text for el" in refused(raw)


def test_adding_a_factor_or_a_language_changes_no_other_treatment() -> None:
    first = spec_of(mine(), on_xquad(load(mine())))
    more = mine(statistics=["p_max", "top", "zero"])
    second = spec_of(more, on_xquad(load(more)))
    assert first["shared"] == second["shared"]
    new = set(second["treatments"]) - set(first["treatments"])
    assert new == {f"lape.world.{x}.zero" for x in ("en", "vi", "hi")}
    assert all(second["treatments"][k] == v for k, v in first["treatments"].items())
    again = mine(neuron_languages=["hi", "en"])
    fewer = spec_of(again, on_xquad(load(again)))
    gone = set(first["treatments"]) - set(fewer["treatments"])
    assert {x for x in gone if "vi" not in x.split(".")} == set()
    assert all(first["treatments"][k] == v for k, v in fewer["treatments"].items())


def test_what_tables_call_them() -> None:
    config = load(mine())
    keys = ("method", "langset", "draw", "matched", "statistic")

    def named(treatment: Treatment) -> tuple[Any, ...]:
        found = planned.treated(config, treatment)
        assert found["treatment"] == str(treatment)
        return (*map(found.get, keys), planned.towards(config, treatment, "vi", "en"))

    steered = ("diffmean", None, None, None, "l1-s2_5", "hi")
    assert named(Steered(1, 2.5, "hi")) == steered
    prompted = ("prompt", None, None, None, "prompt", "vi")
    assert named(Prompted("vi")) == prompted
    assert steering.shown(Steered(0, 0.5)) == "l0-s0_5"


def test_no_published_number_stands_beside_them() -> None:
    from langneurons.published.partners import Partners

    raw = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    entry = {"kind": "amplification", "models": ["llama31"], "tasks": ["xquad"]}
    steered = {"languages": "flores18", "corpus": "flores"}
    steered |= {"layers": [3], "strengths": [1]}
    entry |= {"prompt": "In {code}.", "steering": steered}
    raw |= {"run": ["mine"], "experiments": {"mine": entry}}
    config = load(raw)
    partners = Partners(config)
    found = rows.task_rows(config, "xquad")
    assert len(found) > 20
    assert not any(partners.values("xquad", row) for row in found)


def test_a_layer_and_a_strength_add_treatments_and_change_none() -> None:
    subject = on_xquad(load(mine()))
    few = yaml.safe_load(MINE)["experiments"]["mine"]["steering"] | {"layers": [0]}
    before = spec_of(mine(steering=few), subject)["treatments"]
    for more, new in (
        ({"layers": [0, 1]}, {"diffmean-l1-s1", "diffmean-l1-s2_5"}),
        ({"strengths": [1, 2.5, 4]}, {"diffmean-l0-s4"}),
    ):
        after = spec_of(mine(steering=few | more), subject)["treatments"]
        assert {x.partition(".")[0] for x in after.keys() - before.keys()} == new
        assert all(after[x] == before[x] for x in before)
