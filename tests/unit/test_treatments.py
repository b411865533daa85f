"""Finished treatments are kept, and the three scripts work from end to end."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

import activation_files
import evaluate_task
import measure_perplexity
import steering_files
import tune_model
from langneurons import tasks
from langneurons.config.errors import ConfigError, DataError
from langneurons.config.names import Treatment
from langneurons.config.task_entries import Training, Tuning
from langneurons.jobs import cli, files, forced
from langneurons.neurons.neuron_sets import NeuronSets
from langneurons.nn.evaluation import overwriting, treatments
from langneurons.nn.models import folders
from langneurons.nn.tuning import adapters
from langneurons.tables import fallback
from langneurons.tables.common.inputs import Inputs
from langneurons.tasks.common import items as task_items
from test_classification import make_items, word_tokenizer
from tiny_models import build as tiny

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
LAYERS, WIDTH = 2, 24
MANIFEST = {"model": "tiny", "layers": LAYERS, "intermediate_size": WIDTH}


def statistic(value="zero", **more):
    fixed = {"measure": "act_post", "write": "act_post", "quantile": "pooled"}
    return {"value": value} | fixed | more


def treatment(value="zero", **more):
    return {
        "statistic": statistic(value, **more),
        "neuron_language": "vi",
        "value_language": "hi",
        "corpus": "wiki",
    }


def packed(spec):
    """Write a spec as the workflow does: statistics apart, by name."""
    statistics, treated = {}, {}
    for name, own in spec["treatments"].items():
        treated[name] = {k: v for k, v in own.items() if k != "statistic"}
        if "statistic" in own:
            statistics[Treatment.parse(name).statistic] = own["statistic"]
    return {**spec, "statistics": statistics, "treatments": treated}


@pytest.fixture
def neurons(tmp_path):
    path = tmp_path / "lape.set1.json"
    NeuronSets(
        "lape", "set1", "lape", "tiny", "abc", LAYERS, WIDTH, "act_post",
        {"vi": {0: [1, 5], 1: [7]}, "hi": {}},
    ).write(path)  # fmt: skip
    return path


@pytest.fixture
def world(tmp_path, neurons):
    """Arguments of ``treatments.runs`` for three treatments, and their files."""
    common = {"model": tmp_path / "manifest.json", "items": tmp_path / "test.vi.jsonl"}
    for path in common.values():
        path.write_text("{}")
    measured = []
    for corpus in ("wiki", "news"):
        path = tmp_path / corpus / "tiny" / "hi.safetensors"
        path.parent.mkdir(parents=True)
        path.write_bytes(corpus.encode())
        measured.append(path)
    found = {
        "none": {},
        "lape.set1.zero": treatment(),
        "lape.set1.p90": treatment("p90"),
    }
    return {
        "spec": {"shared": {"seed": 1}, "treatments": found},
        "code": "c0de",
        "folder": tmp_path / "out",
        "common": common,
        "read": {"neurons": [neurons], "activations": measured, "directions": []},
    }


AXES = {"task": "xnli", "lang": "vi"}


def runs(world, **changes):
    world = world | {"spec": packed(world["spec"]), "read": world["read"] | changes}
    return {run.name: run for run in treatments.runs(**world)}


def finish(world):
    for run in runs(world).values():
        table = pd.DataFrame({"item": np.arange(3, dtype=np.int32)})
        treatments.write(run, AXES, {"n": 3}, table)


def left(world, forced_since=0.0):
    found = treatments.pending(list(runs(world).values()), forced_since)
    return {run.name for run in found}


def test_each_treatment_reads_its_own_files(world, neurons):
    found = runs(world)
    assert (found["none"].neurons, found["none"].activations) == (None, ())
    assert found["lape.set1.zero"].neurons == neurons
    assert found["lape.set1.zero"].activations == ()
    assert found["lape.set1.p90"].activations == (world["read"]["activations"][0],)
    assert found["lape.set1.p90"].path.name == "lape.set1.p90.parquet"
    assert len({run.fingerprint for run in found.values()}) == 3


def test_finished_treatments_are_kept(world, capsys):
    assert left(world) == {"none", "lape.set1.zero", "lape.set1.p90"}
    finish(world)
    assert left(world) == set()
    assert "kept 3 of 3 treatments, computing 0" in capsys.readouterr().err


def test_a_new_statistic_computes_that_statistic(world):
    finish(world)
    world["spec"]["treatments"]["lape.set1.mean"] = treatment("mean")
    assert left(world) == {"lape.set1.mean"}


def test_an_edit_redoes_what_reads_it(world, neurons):
    finish(world)
    everything = set(runs(world))
    world["read"]["activations"][1].write_bytes(b"another corpus, read by none")
    assert left(world) == set()
    world["read"]["activations"][0].write_bytes(b"measured anew")
    assert left(world) == {"lape.set1.p90"}
    neurons.write_text(neurons.read_text() + " ")
    assert left(world) == everything - {"none"}
    world["spec"]["treatments"]["lape.set1.zero"] = treatment("zero", op="add")
    assert left(world) == everything - {"none"}
    assert left(world | {"code": "other"}) == everything
    world["spec"]["shared"]["seed"] = 2
    assert left(world) == everything
    finish(world)
    assert left(world) == set()
    world["common"]["items"].write_text("other items")
    assert left(world) == everything


def flip(path, place):
    """Flip the bits of one byte."""
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize("damage", ["cut", "gone", "data", "end", "text", "other"])
def test_a_damaged_file_is_made_anew(world, damage):
    finish(world)
    path = runs(world)["none"].path
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-5])
    elif damage == "gone":
        path.unlink()
    elif damage == "data":  # behind the magic number, in the only column's page
        flip(path, 40)
    elif damage == "end":
        flip(path, -6)
    elif damage == "text":
        path.write_text("{}")
    else:
        pd.DataFrame({"item": [1]}).to_parquet(path)
    assert left(world) == {"none"}


def test_what_is_older_than_a_forced_run_is_made_anew(world):
    finish(world)
    started = time.time() + 1
    later = runs(world)["none"].path
    os.utime(later, (started + 5, started + 5))
    assert left(world, started) == {"lape.set1.zero", "lape.set1.p90"}
    assert left(world) == set()


def test_a_file_says_what_it_was_made_from(world):
    finish(world)
    run = runs(world)["lape.set1.p90"]
    record = treatments.read_record(run.path)
    assert record["task"] == "xnli" and record["treatment"] == "lape.set1.p90"
    assert record["result"] == {"n": 3}
    made_from = record["made_from"]
    assert made_from["code"] == "c0de"
    assert made_from["inputs"].keys() == {"model", "items", "neurons", "activations"}
    assert made_from["spec"]["statistics"].keys() == {"p90"}
    assert record["made_with"]["packages"]["numpy"] == np.__version__
    plain = treatments.read_record(runs(world)["none"].path)
    assert plain["made_from"]["inputs"].keys() == {"model", "items"}
    assert plain["made_from"]["spec"]["statistics"] == {}


def index(world, part):
    out = world["folder"] / f"{part}.json"
    found = list(runs(world).values())
    treatments.write_index(out, "kind", AXES, found)
    return files.read_json(out)


def test_an_index_lists_treatments_with_their_results_and_hashes(world):
    finish(world)
    made = index(world, "part-1-of-1")
    assert made["lang"] == "vi" and list(made["treatments"]) == list(runs(world))
    for name, run in runs(world).items():
        assert made["treatments"][name] == {
            "n": 3, "fingerprint": run.fingerprint, "sha256": files.sha256(run.path)
        }  # fmt: skip
    runs(world)["none"].path.unlink()
    with pytest.raises(DataError, match="none.parquet does not exist"):
        index(world, "part-1-of-1")


def test_indexes_of_other_parts_go_when_their_treatments_change(world):
    finish(world)
    index(world, "part-1-of-2")
    index(world, "part-1-of-1")
    kept = world["folder"] / "part-1-of-2.json"
    assert kept.exists()  # the same files
    world["spec"]["treatments"]["lape.set1.zero"] = treatment("zero", op="add")
    finish(world)
    index(world, "part-1-of-1")
    assert not kept.exists()


def test_inputs_that_are_not_the_treatments(world):
    with pytest.raises(DataError, match="neuron file of lape.set1.*found none"):
        runs(world, neurons=[])
    with pytest.raises(DataError, match="activations of hi in corpus wiki"):
        runs(world, activations=world["read"]["activations"][1:])


def test_values_that_are_not_measured(world):
    found = runs(world)
    chosen, values, entry = overwriting.overwritten(found["lape.set1.zero"], MANIFEST)
    assert chosen == {0: [1, 5], 1: [7]} and entry.op == "set"
    assert values.shape == (LAYERS, WIDTH) and not values.any()
    world["spec"]["treatments"]["lape.set1.p90"] = treatment("const", constant=-1.5)
    chosen, values, _ = overwriting.overwritten(runs(world)["lape.set1.p90"], MANIFEST)
    assert values.dtype == np.float32 and (values == -1.5).all()
    with pytest.raises(DataError, match="overwrites nothing"):
        overwriting.overwritten(found["none"], MANIFEST)


def test_neurons_of_another_model_or_language(world):
    run = runs(world)["lape.set1.zero"]
    with pytest.raises(DataError, match="not 3 of 24"):
        overwriting.overwritten(run, MANIFEST | {"layers": 3})
    world["spec"]["treatments"]["lape.set1.zero"]["neuron_language"] = "vj"
    with pytest.raises(DataError, match="unknown language 'vj'.*Known: hi, vi"):
        overwriting.overwritten(runs(world)["lape.set1.zero"], MANIFEST)


def test_values_come_from_the_value_language(world):
    path = world["read"]["activations"][0]
    measured = activation_files.build(
        path, activation_files.heavy_tailed(0, 200, 2, 24)
    )
    run = runs(world)["lape.set1.p90"]
    chosen, values, entry = overwriting.overwritten(run, MANIFEST)
    assert chosen == {0: [1, 5], 1: [7]} and entry.value == "p90"
    assert np.array_equal(values, measured.value("p90", "act_post", "pooled"))
    activation_files.build(path, activation_files.heavy_tailed(0, 200, 2, 25))
    with pytest.raises(DataError, match="25 neurons, but tiny has 2 of 24"):
        overwriting.overwritten(runs(world)["lape.set1.p90"], MANIFEST)


def jobs(folder, **more):
    """Make jobs as the command line does, for calling a script's ``main``."""
    fixed = {"code": "c0de", "threads": 1, "micro_batch": 3, "checkpoint_every": 2}

    def make(spec, inputs, outputs):
        return cli.Job(spec=spec, inputs=inputs, outputs=outputs, **fixed | more)

    return make


@pytest.fixture
def study(tmp_path, neurons):
    """A tiny pinned model with its items, tokens and activations."""
    folder = tmp_path / "model"
    tiny("llama", "causal").save_pretrained(folder)
    word_tokenizer().save_pretrained(folder)
    manifest = {"source": "hub:owner/tiny", "revision": "abc", "dtype": "float32"}
    manifest |= MANIFEST | folders.describe(folder)
    files.write_json(folder / "manifest.json", manifest)
    for split, count in (("train", 11), ("test", 7)):
        items = make_items(count)
        task_items.write_jsonl(tmp_path / f"xnli.{split}.jsonl", items)
        asked = [
            {
                "id": item["id"],
                "context": item["premise"],
                "question": item["hypothesis"],
                "answers": [item["premise"].split()[0]],
            }
            for item in items
        ]
        task_items.write_jsonl(tmp_path / f"xquad.{split}.jsonl", asked)
    measured = tmp_path / "wiki" / "tiny" / "hi.safetensors"
    measured.parent.mkdir(parents=True)
    activation_files.build(measured, activation_files.heavy_tailed(0, 200, 2, 24))
    held = {"heldout": np.random.default_rng(0).integers(3, 40, (5, 9), np.int32)}
    tokens = tmp_path / "tokens.safetensors"
    save_file(held, tokens)
    common = {"model": folder / "manifest.json"}
    shared = {"model": "tiny", "family": "llama", "attn_implementation": None}
    read = {"neurons": [neurons], "activations": [measured], "directions": []}
    return tmp_path, common, shared, read


PARAMETERS = {
    "xnli": {"max_length": 12},
    "xquad": {"max_length": 24, "template": "plain", "max_new_tokens": 5, "window": 9},
}


def tune(study, name, kind="xnli", **more):
    folder, common, shared, _ = study
    out = folder / name
    names = {"adapter": "adapter_model.safetensors", "config": "adapter_config.json"}
    outputs = {role: out / file for role, file in names.items()}
    outputs["log"] = out / "training.json"
    training = Training(rank=2, alpha=4, learning_rate=0.01, batch_size=4, epochs=2)
    spec = shared | {"task": kind, "kind": kind, "parameters": PARAMETERS[kind]}
    tuning = Tuning(kind="attention").model_dump(mode="json")
    spec |= {"tuning": tuning, "neurons": None, "seed": 1}
    spec["training"] = training.model_dump(mode="json", exclude={"checkpoint_every"})
    inputs = common | {"items": folder / f"{kind}.train.jsonl", "neurons": []}
    tune_model.main(jobs(folder, **more)(spec, inputs, outputs))
    return outputs


def evaluation(study, adapter, treated, kind="xnli", language="vi", given=()):
    """Make the job that evaluates treatments, and return its outputs by name.

    ``given``: files that parameters of the task name.
    """
    folder, common, shared, read = study
    shared = shared | {"task": kind, "kind": kind, "parameters": PARAMETERS[kind]}
    shared |= {"tuning": "attention", "seed": 1, "language": language}
    inputs = common | {"adapter": adapter, "items": folder / f"{kind}.test.jsonl"}
    inputs |= {"files": list(given)}
    out = folder / "out" / kind / "part-1-of-1.json"
    outs = {name: out.with_name(f"{name}.parquet") for name in treated}
    spec = packed({"shared": shared, "treatments": treated})
    return jobs(folder)(spec, inputs | read, {"out": out}), outs


TREATED = {
    "none": {},
    "lape.set1.zero": treatment(),
    "lape.set1.p90": treatment("p90"),
    "lape.set1.none": treatment("const", constant=1.0, op="scale"),
    "lape.set1.hi": treatment() | {"neuron_language": "hi"},
}


@pytest.mark.parametrize("kind", ["xnli", "xquad"])
def test_tune_then_evaluate(study, kind):
    folder = study[0]
    first = tune(study, "one", kind)
    again = tune(study, "two", kind, checkpoint_every=100)
    assert not (folder / "one" / ".checkpoints").exists()
    for role, path in first.items():
        assert files.sha256(path) == files.sha256(again[role])
    assert files.read_json(first["log"])["steps"] == 6

    job, outs = evaluation(study, first["adapter"], TREATED, kind)
    evaluate_task.main(job)
    made = files.read_json(job.outputs["out"])
    records, tables = made["treatments"], read_tables(outs)
    none = records["none"]
    assert made["lang"] == "vi" and none["n"] == 7 and list(records) == list(TREATED)
    wanted = tasks.load(kind).METRICS
    assert list(none["metrics"]) == list(wanted)
    for name in wanted:
        mean = tables["none"][name].astype(float).mean()
        assert none["metrics"][name] == pytest.approx(mean)
    assert tables["none"]["item"].tolist() == list(range(10, 17))
    assert {k: r["n_neurons"] for k, r in records.items()} == {
        "none": 0, "lape.set1.zero": 3, "lape.set1.p90": 3, "lape.set1.none": 3,
        "lape.set1.hi": 0,
    }  # fmt: skip
    for same in ("lape.set1.none", "lape.set1.hi"):  # they change nothing
        assert tables[same].equals(tables["none"])
    assert not tables["lape.set1.p90"].equals(tables["none"])
    assert not tables["lape.set1.p90"].equals(tables["lape.set1.zero"])

    written = [*outs.values(), job.outputs["out"]]
    hashes = [files.sha256(p) for p in written]
    shutil.rmtree(folder / "out")
    evaluate_task.main(job)
    assert hashes == [files.sha256(p) for p in written]


def read_tables(outs):
    return {name: pd.read_parquet(path) for name, path in outs.items()}


def greedy(folder, items, parameters):
    """Answer items one by one with the stock model, as its own library does."""
    import torch
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer = word_tokenizer()
    answers = []
    for item in items:
        words = ["<bos>", *parameters.prompt(item, tokenizer.eos_token).split()]
        prompt = torch.tensor([tokenizer.convert_tokens_to_ids(words)])
        made = model.generate(
            prompt, do_sample=False, max_new_tokens=parameters.max_new_tokens
        )
        own = made[0, prompt.shape[1] :]
        answers.append(tokenizer.decode(own, skip_special_tokens=True).strip())
    return answers


def test_without_an_adapter_the_model_is_as_it_is(study, monkeypatch):
    folder = study[0]
    given = PARAMETERS["xquad"] | {"window": None, "max_length": 60}
    monkeypatch.setitem(PARAMETERS, "xquad", given)
    job, outs = evaluation(study, None, TREATED, "xquad")
    evaluate_task.main(job)
    tables = read_tables(outs)
    task = tasks.load("xquad")
    items = task.read_items(folder / "xquad.test.jsonl")
    plain = greedy(folder / "model", items, task.PARAMETERS.model_validate(given))
    assert tables["none"]["prediction"].tolist() == plain
    assert len(set(plain)) > 1
    assert not tables["lape.set1.p90"].equals(tables["none"])
    # An adapter is a file that the result is made from.
    adapter = tune(study, "one", "xquad")["adapter"]
    with_adapter = evaluation(study, adapter, TREATED, "xquad")[0]
    evaluate_task.main(with_adapter)
    read = treatments.read_record(outs["none"])["made_from"]["inputs"]
    assert read["adapter"] == files.sha256(adapter)
    tuned = pd.read_parquet(outs["none"])
    assert not tuned.equals(tables["none"])


def test_files_that_parameters_name_are_what_a_result_is_made_from(study, monkeypatch):
    folder, kind = study[0], "translation"
    pair = [{"id": i, "source": f"w{i}", "reference": f"w{i + 9}"} for i in range(4)]
    task_items.write_jsonl(folder / f"{kind}.test.jsonl", pair)
    lexica = {"en": folder / "en.txt", "vi": folder / "vi.txt"}
    for code, path in lexica.items():
        path.write_text(f"{code}\n", encoding="utf-8")
    given = {"lexicon": f"{folder}/{{lang}}.txt", "lexicon_languages": ["en", "vi"]}
    monkeypatch.setitem(PARAMETERS, kind, given | {"max_new_tokens": 3})
    asked = {"kind": kind, "language": "en-vi", "given": lexica.values()}
    treated = {"none": {}, "lape.set1.vi.zero": treatment()}
    job, outs = evaluation(study, None, treated, **asked)
    evaluate_task.main(job)
    made = treatments.read_record(outs["none"])
    assert made["made_from"]["inputs"]["files-1"] == files.sha256(lexica["vi"])
    table = pd.read_parquet(outs["none"])
    sums = table[[f"chrf_c1_{part}" for part in ("answer", "reference")]].sum()
    assert sums["chrf_c1_reference"] == sum(len(x["reference"]) for x in pair)
    assert set(made["result"]["metrics"]) == set(tasks.load(kind).METRICS)
    evaluate_task.main(job)
    assert job.notes["computed"] == []
    lexica["vi"].write_text("vi\nother\n", encoding="utf-8")
    evaluate_task.main(job)
    assert job.notes["computed"] == list(treated)


def test_open_answers_go_from_the_job_to_the_table(study, neurons, monkeypatch):
    pytest.importorskip("pycld2")
    given = {"languages": ["vi", "hi"], "max_new_tokens": 20}
    monkeypatch.setitem(PARAMETERS, "forcing", given)
    asked = [{"id": i, "prompt": " ".join(f"w{3 + i + j}" for j in range(3 + i))}
             for i in range(7)]  # fmt: skip
    task_items.write_jsonl(study[0] / "forcing.test.jsonl", asked)
    known = NeuronSets.read(neurons)
    replace(known, neurons={**known.neurons, "hi": {0: [5, 6]}}).write(neurons)
    both = treatment() | dict.fromkeys(("neuron_language", "value_language"), "hi+vi")
    treated = {"none": {}, "lape.set1.hi.zero": treatment() | {"neuron_language": "hi"}}
    job, outs = evaluation(
        study, None, treated | {"lape.set1.hi+vi.zero": both}, "forcing"
    )
    evaluate_task.main(job)
    made = files.read_json(job.outputs["out"])["treatments"]
    assert made["lape.set1.hi+vi.zero"]["n_neurons"] == 4  # one is of both
    for name, table in read_tables(outs).items():
        assert list(made[name]["metrics"]) == list(tasks.load("forcing").METRICS)
        assert (table["length"] <= 20).all() and table["length"].nunique() > 1
    rows = [steering_files.row("vi", "hi", name, method="lape", statistic="zero")
            for name in list(made)[1:]]  # fmt: skip
    rows = [steering_files.row("vi"), *rows]
    axes = {"task": "forcing", "model": "tiny", "tuning": "attention", "seed": 1}
    rows = steering_files.packed([row | axes for row in rows])
    spec = {"rows": rows, "languages": {"forcing": given["languages"]}}
    found = fallback.TABLE.build(spec, Inputs({"evaluations": [job.outputs["out"]]}))
    assert set(found["off"]) == {"-", "hi", "hi+vi"} and set(found["n"]) == {7}
    together = found.groupby("off")["share"].sum()
    assert together.tolist() == pytest.approx([1, 1, 1], abs=1e-6)


def perplexity_job(study, treated):
    """Make the job that measures perplexities."""
    folder, common, shared, read = study
    shared = shared | {"corpus": "wiki", "language": "vi", "chunks": 4}
    spec = packed({"shared": shared, "treatments": treated})
    inputs = common | {"tokens": folder / "tokens.safetensors"} | read
    return jobs(folder)(spec, inputs, {"out": folder / "ppl" / "part-1-of-1.json"})


@pytest.mark.parametrize("rule", ["evaluate_task", "measure_perplexity"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"layers": [2, 3]}, "statistics.bad.layers: [2, 3] - the model has layers 0 "),
        ({"layers": [1, 0]}, "statistics.bad.layers: [1, 0] - the model has layers 0 "),
        ({"layers": [-2, 1]}, "statistics.bad.layers: [-2, 1] - the model has layers"),
        ({"positions": "generated"}, "statistics.bad.positions: 'generated' - nothing"),
    ],
)
def test_what_could_change_nothing_is_refused_before_the_model_is_loaded(
    study, rule, change, said
):
    """The last treatment of a job is refused before the first is evaluated."""
    for path in (study[0] / "model").glob("*.safetensors"):
        path.unlink()  # loading it would fail
    treated = {"none": {}, "lape.set1.bad": treatment("p90", **change)}
    if rule == "evaluate_task":
        adapter = study[0] / "adapter_model.safetensors"
        adapter.write_bytes(b"never opened")
        job, _ = evaluation(study, adapter, treated)
        main = evaluate_task.main
    else:
        job, main = perplexity_job(study, treated), measure_perplexity.main
    with pytest.raises(ConfigError, match=re.escape(said)):
        main(job)
    assert not job.outputs["out"].parent.exists()


@pytest.mark.parametrize(("kind", "new", "works"), [
    ("xquad", 5, True), ("xquad", 1, False), ("xnli", 5, False)
])  # fmt: skip
def test_what_is_read_back(kind, new, works):
    """The last generated token is never read, so one alone has no position."""
    task = tasks.load(kind)
    given = {"max_new_tokens": new} if kind == "xquad" else {}
    parameters = task.PARAMETERS.model_validate(given)
    assert (task.generates(parameters) > 1) is works


def test_a_treatment_without_neurons_says_so(study, capsys):
    treated = {
        "none": {},
        "lape.set1.zero": treatment() | {"neuron_language": "hi"},
        "lape.set1.late": treatment(layers=[1, 1]) | {"neuron_language": "en"},
        "lape.set1.early": treatment(layers=[0, 0]) | {"neuron_language": "en"},
    }
    path = study[3]["neurons"][0]
    sets = NeuronSets.read(path)
    replace(sets, neurons={**sets.neurons, "en": {0: [3, 4]}}).write(path)
    job = perplexity_job(study, treated)
    measure_perplexity.main(job)
    records = files.read_json(job.outputs["out"])["treatments"]
    assert {name: record["n_neurons"] for name, record in records.items()} == {
        "none": 0, "lape.set1.zero": 0, "lape.set1.late": 0, "lape.set1.early": 2,
    }  # fmt: skip
    said = [x for x in capsys.readouterr().err.splitlines() if "overwrites" in x]
    assert said == [
        "lape.set1.zero: overwrites nothing: lape.set1 has no neurons of hi",
        "lape.set1.late: overwrites nothing: none of the 2 neurons of en is in layers "
        "1 to 1",
    ]


def test_an_adapter_opens_as_its_configuration_says(study, monkeypatch):
    """By PEFT alone, where the base model is in a local folder."""
    import torch
    from peft import AutoPeftModelForSequenceClassification

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder, common, _, _ = study
    path = common["model"]
    hub = files.read_json(path)
    local = hub | {"source": f"folder:{path.parent}", "revision": "sha256:abc"}
    files.write_json(path, local)
    made = tune(study, "one")
    config = files.read_json(made["config"])
    assert config["base_model_name_or_path"] == str(path.parent)
    assert config["revision"] is None
    model = AutoPeftModelForSequenceClassification.from_pretrained(
        str(made["config"].parent), num_labels=3
    )
    with torch.inference_mode():
        scores = model(input_ids=torch.tensor([[1, 5, 6]])).logits
    assert scores.shape == (1, 3) and scores.isfinite().all()
    for source in ("demo_world", "gguf:x.gguf", "package:some-model"):
        known = adapters.base_name(local | {"source": source}, folder / "pinned")
        assert known == (str(folder / "pinned"), None)
    # As in the workflow, which runs in its own folder: the same wherever that is.
    files.write_json(path, local | {"source": "demo_world"})
    monkeypatch.chdir(folder)
    relative = path.relative_to(folder)
    again = tune((folder, {"model": relative}, *study[2:]), "two")
    assert files.read_json(again["config"])["base_model_name_or_path"] == "model"


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("xnli", {"max_length": 65}, "max_length is 65 tokens.*64 positions"),
        ("xnli", {"max_length": 64}, None),
        ("xquad", {"max_length": 67}, "max_length allows is 65 tokens.*64 positions"),
        ("xquad", {"max_length": 66}, None),
        ("xnli", {"template": "{premise}<image>{hypothesis}"}, "token 40.*0 to 39"),
    ],
)  # fmt: skip
def test_items_beyond_the_model_are_refused_before_it_is_loaded(
    study, monkeypatch, kind, changes, message
):
    folder = study[1]["model"].parent
    tokenizer = word_tokenizer()
    tokenizer.add_tokens(["<image>"], special_tokens=True)
    tokenizer.save_pretrained(folder)
    (folder / "model.safetensors").unlink()
    monkeypatch.setitem(PARAMETERS, kind, PARAMETERS[kind] | changes)
    with pytest.raises(DataError, match=message or "cannot be loaded"):
        tune(study, "one", kind)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"max_length": 60, "max_new_tokens": 8},
            "with its answer is 65 tokens.*window",
        ),
        ({"max_length": 60, "max_new_tokens": 7}, None),
        ({"max_length": 60, "max_new_tokens": 9, "window": 64}, None),
        ({"max_length": 90, "max_new_tokens": 9, "window": 65}, "is 65 tokens"),
    ],
)
def test_answers_beyond_the_model_are_refused_before_it_is_loaded(
    study, monkeypatch, changes, message
):
    monkeypatch.setitem(PARAMETERS, "xquad", {"window": None} | changes)
    (study[1]["model"].parent / "model.safetensors").unlink()
    adapter = study[0] / "adapter_model.safetensors"
    adapter.touch()
    job, _ = evaluation(study, adapter, {"none": {}}, "xquad")
    with pytest.raises(DataError, match=message or "cannot be loaded"):
        evaluate_task.main(job)


@pytest.mark.parametrize(
    ("positions", "length", "accepted"),
    [(64, 65, False), (64, 64, True), (None, 65, True)],
)
def test_chunks_longer_than_the_model_are_refused(study, positions, length, accepted):
    import tokenise_corpus

    folder, common, *_ = study
    path = common["model"]
    files.write_json(path, files.read_json(path) | {"positions": positions})
    text = folder / "en.txt"
    text.write_text("w4 w5 w6 w7\n" * 40)
    spec = {"corpus": "wiki", "language": "en", "tokens": length, "heldout_tokens": 0}
    spec |= {"chunk_length": length, "bos": "document", "shuffle_seed": None}
    spec |= {"language_filter": None}
    names = {"tokens": folder / "en.safetensors", "manifest": folder / "en.json"}
    job = jobs(folder)(spec, common | {"text": [text]}, names)
    if accepted:
        tokenise_corpus.main(job)
        assert files.read_json(names["manifest"])["tokens"] == length
    else:
        message = "corpora.wiki.chunk_length is 65 tokens, .*'tiny' has only 64"
        with pytest.raises(DataError, match=message):
            tokenise_corpus.main(job)
        assert not names["manifest"].exists()


def test_perplexity_of_treatments(study):
    job = perplexity_job(study, TREATED)
    measure_perplexity.main(job)
    records = files.read_json(job.outputs["out"])["treatments"]
    assert records["none"]["n_chunks"] == 4 and records["none"]["n_tokens"] == 32
    chunks = pd.read_parquet(job.outputs["out"].with_name("none.parquet"))
    assert chunks["chunk"].tolist() == [0, 1, 2, 3]
    assert records["none"]["nll"] == chunks["nll"].mean()
    assert records["none"]["nll"] == records["lape.set1.none"]["nll"]
    assert records["none"]["nll"] == records["lape.set1.hi"]["nll"]
    assert abs(records["none"]["nll"] - records["lape.set1.zero"]["nll"]) > 1e-4
    assert records["lape.set1.zero"]["n_neurons"] == 3


def test_what_is_kept_is_told_without_torch(world, tmp_path):
    """Importing torch would cost a finished job several seconds."""
    shared = {"corpus": "wiki", "language": "vi", "model": "tiny", "family": "llama"}
    shared |= {"attn_implementation": None}
    spec = {"shared": shared | {"chunks": 1}, "treatments": {"none": {}}}
    common = {"model": world["common"]["model"], "tokens": world["common"]["items"]}
    run = treatments.runs(spec, "c0de", tmp_path, common, read={})[0]
    treatments.write(run, AXES, {"n": 1}, pd.DataFrame({"nll": [1.0]}))
    inputs = {role: str(path) for role, path in common.items()}
    code = f"""
import sys
from pathlib import Path
import measure_perplexity
from langneurons.jobs import cli
inputs = {{k: Path(v) for k, v in {inputs!r}.items()}}
inputs |= {{"neurons": [], "activations": [], "directions": []}}
outputs = {{"out": Path({str(tmp_path)!r}) / "part-1-of-1.json"}}
measure_perplexity.main(cli.Job({spec!r}, "c0de", inputs, outputs, 1, 1, 1))
print("torch" in sys.modules)
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=SCRIPTS, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == "False"
    assert "kept 1 of 1" in ran.stderr
    listed = files.read_json(tmp_path / "part-1-of-1.json")["treatments"]
    assert listed.keys() == {"none"}


@pytest.mark.parametrize(
    ("options", "of_rule", "of_file"),
    [
        ({}, False, False),
        ({"forceall": True}, True, True),
        ({"forcerun": {"evaluate_task"}}, True, True),
        ({"forcerun": {"theirs_evaluate_task"}}, True, True),  # in their workflow
        ({"forcerun": {"tune_model"}}, False, False),
        ({"forcerun": {"results/x/part-1-of-1.json"}}, False, True),
        (
            {"forcetargets": True, "targets": {"results/x/part-1-of-1.json"}},
            False,
            True,
        ),
        ({"targets": {"results/x/part-1-of-1.json"}}, False, False),
    ],
)
def test_jobs_learn_what_is_forced(options, of_rule, of_file):
    given = {"forceall": False, "forcerun": set(), "forcetargets": False}
    settings = SimpleNamespace(**{**given, "targets": set(), **options})
    workflow = SimpleNamespace(is_main_process=True, dag_settings=settings)
    environment = {forced.VARIABLE: "of a run around this one"}
    forced.tell(workflow, environment)
    for name, expected in (
        ("part-2-of-2.json", of_rule),
        ("part-1-of-1.json", of_file),
    ):
        since = forced.since("evaluate_task", [Path("results/x") / name], environment)
        assert since == (forced.STARTED if expected else forced.NEVER)
    # What a job on a cluster plans itself says nothing of the run that it belongs to.
    before = dict(environment)
    forced.tell(SimpleNamespace(is_main_process=False), environment)
    assert environment == before
