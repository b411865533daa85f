"""Every block of docs/library.md runs, on a tiny model; the package can be installed.

The files that the page opens lie where it says, below a temporary folder.
"""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from packaging.requirements import Requirement

import activation_files
import langneurons as ln
import tiny_models
from langneurons import tasks
from langneurons.config.task_entries import Training
from langneurons.nn.models import tuned
from langneurons.nn.tuning import adapters
from langneurons.study import references
from test_layout import LIBRARY, ROOT, SCRIPTS

PAGE = ROOT / "docs" / "library.md"
LANGUAGES = ("en", "fr", "es", "vi", "id", "ja", "zh")
MODEL = Path("results/models/llama31/pinned")
EVALUATIONS = Path("results/evaluations/xnli/llama31/attention/seed42/vi")
WORDS = ["nắng", "mưa", "gió", "sông", "núi", "biển", "trời", "đất", "cây", "hoa"]
ITEMS: dict[str, list[dict[str, Any]]] = {
    "xnli": [  # unlike each other, so that the model does not sort all into one class
        {"id": i, "premise": f"{WORDS[i % 10]} {WORDS[(i // 10 * 3 + 1) % 10]}"}
        | {"hypothesis": WORDS[i * 7 % 10], "label": i % 3}
        for i in range(40)
    ],
    "xquad": [
        {"id": i, "context": f"là {i}", "question": "gì?", "answers": [f"{i}", "số"]}
        for i in range(3)
    ],
}
CHOICES = {"choice1": "Một câu", "choice2": "Câu hai là", "label": 1}
ITEMS["xcopa"] = [
    {"id": i, "premise": f"Câu {i}.", "question": "cause", "asked": None} | CHOICES
    for i in range(3)
]
ITEMS["belebele"] = [
    {"id": i, "flores_passage": "Câu.", "question": "gì?", "label": i}
    | {f"mc_answer{n}": f"{n}" for n in range(1, 5)}
    for i in range(3)
]
ITEMS["mlama"] = [
    {"id": i, "relation": "P36", "template": "[X] là [Y].", "subject": f"{i}"}
    | {"objects": {"en": "one", "vi": "một"}}
    for i in range(3)
]
ITEMS["bli"] = [{"id": i, "word": f"câu {i}", "gold": ["one", "1"]} for i in range(3)]
ITEMS["belebele_bridged"] = ITEMS["belebele"]
ITEMS["xwinograd"] = [
    {"id": i, "sentence": f"Câu {i} là _ hai.", "option1": "một", "option2": "ba"}
    | {"label": i % 2}
    for i in range(3)
]
ITEMS["include"] = [
    {"id": i, "question": "gì?", "choices": list("1234"), "label": i, "domain": None}
    for i in range(3)
]
ITEMS["xnli_prompt"] = ITEMS["nli_bridged"] = ITEMS["xnli"][:3]
ITEMS["translation"] = ITEMS["translation_untargeted"] = [
    {"id": i, "source": f"câu {i}", "reference": f"sentence {i}"} for i in range(3)
]
ITEMS["forcing"] = [{"id": i, "prompt": f"câu {i}"} for i in range(3)]
# Modules that only what brings them makes somebody import: Snakemake, a GPU's torch.
BROUGHT = {"snakemake_interface_logger_plugins", "triton"}
OF_TASK: dict[str, dict[str, Any]] = {
    "xnli": {"max_length": 32},
    "xquad": {"max_length": 48, "max_new_tokens": 4, "template": "plain"},
    "xcopa": {},
    "belebele": {},
    "mlama": {"languages": ["en", "vi"]},
    "bli": {"max_new_tokens": 4, "names": {"vi": "Việt"}},
    "belebele_bridged": {},
    "xwinograd": {},
    "include": {},
    "xnli_prompt": {},
    "nli_bridged": {},
    "translation": {"max_new_tokens": 4},
    "translation_untargeted": {"max_new_tokens": 4},
    "forcing": {"max_new_tokens": 4, "languages": ["vi", "en"]},
}


def byte_tokenizer() -> Any:
    """A byte a token, so that any text can be read; BOS comes first.

    Sorted, because the alphabet comes in another order each time.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = ["<pad>", "<bos>", "<eos>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    inner = Tokenizer(models.BPE({w: i for i, w in enumerate(words)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", 1)]
    )
    names = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>"}
    return PreTrainedTokenizerFast(tokenizer_object=inner, **names)


def build(head: str, positions: int = 128) -> Any:
    more = {"vocab_size": 259, "max_position_embeddings": positions}
    return tiny_models.build("llama", head, **more)


def save_adapter(folder: Path, head: str) -> None:
    """Save an adapter of the attention as training leaves one: it changes something."""
    classifier = head == "classifier"
    settings = Training(rank=2, alpha=4, learning_rate=0.01, epochs=1, batch_size=4)
    wrapped = adapters.wrap(
        tuned.prepare(build(head)), "llama", {"kind": "attention"}, settings, 1,
        "score" if classifier else None, "SEQ_CLS" if classifier else "CAUSAL_LM",
    )  # fmt: skip
    torch.manual_seed(0)
    for name, weight in adapters.trainable(wrapped).items():
        if ".lora_B." in name:
            weight.data.normal_()
    manifest = {"source": f"file:{MODEL}", "revision": "r"}
    paths = folder / adapters.ADAPTER, folder / adapters.CONFIG
    adapters.save(wrapped, *paths, manifest, MODEL)


def evaluated(kind: str, change: Any = None) -> pd.DataFrame:
    """Evaluate made-up items of a task."""
    task = tasks.load(kind)
    model = build("classifier" if task.LABELS else "causal", 256)
    lm = ln.LanguageModel.of(model, byte_tokenizer()).in_batches(8).under(change)
    given = task.PARAMETERS.model_validate(OF_TASK[kind])
    language = "vi-en" if task.PAIRS else "vi"
    return tasks.checked(task, task.evaluate(lm, ITEMS[kind], given, language))


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The names that the blocks of the page leave behind."""
    folder = tmp_path_factory.mktemp("library")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        build("causal").save_pretrained(MODEL)
        byte_tokenizer().save_pretrained(MODEL)
        neurons = {
            lang: {0: [i, i + 1, i + 4], 1: [2 * i]} for i, lang in enumerate(LANGUAGES)
        }
        shape = tiny_models.LAYERS, tiny_models.WIDTH
        Path("results/neurons/llama31").mkdir(parents=True)
        ln.NeuronSets(
            "lape", "set1", "lape", "llama31", "r", *shape, "gate_pre", neurons
        ).write("results/neurons/llama31/lape.set1.json")
        recorded = Path("results/activations/wikipedia/llama31/vi.safetensors")
        recorded.parent.mkdir(parents=True)
        pre = np.random.default_rng(0).normal(size=(500, *shape)).astype(np.float32)
        activation_files.build(recorded, pre)
        for task, head in (("xquad", "causal"), ("xnli", "classifier")):
            save_adapter(
                Path(f"results/adapters/{task}/llama31/attention/seed42"), head
            )
        EVALUATIONS.mkdir(parents=True)
        off = ln.overwrite(neurons["vi"], 0)
        for name, change in (("none", None), ("lape.set1.zero", off)):
            evaluated("xnli", change).to_parquet(EVALUATIONS / f"{name}.parquet")
        names: dict[str, Any] = {}
        for number, block in enumerate(blocks(), start=1):
            code = compile(block, f"docs/library.md, block {number}", "exec")
            exec(code, names)
    return names


def blocks() -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    found = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert len(found) == text.count("```") // 2, "a block is in another language"
    return found


def test_every_block_runs_and_does_what_the_page_says(reader: dict[str, Any]) -> None:
    assert reader["vietnamese"] == {0: [3, 4, 7], 1: [6]}
    assert reader["mask"].sum() == reader["sets"].counts["vi"] == 4
    assert reader["only"] == {0: [3, 4], 1: [6]}
    for name in ("active", "mean", "p90", "p90_before"):
        assert reader[name].shape == (tiny_models.LAYERS, tiny_models.WIDTH)
    assert (reader["p90_before"] > reader["p90"]).all()  # SiLU is below its input
    assert not torch.equal(reader["off"], reader["last_only"])
    for one, other in zip(reader["plain"], reader["changed"], strict=True):
        assert one.logprob.shape == one.tokens.shape == one.greedy.shape == (2,)
        assert (one.logprob != other.logprob).all()
    assert len(reader["texts"]) == 2 and reader["nats"].shape == (2, 259)
    for one, other in zip(reader["usual"], reader["without"], strict=True):
        assert (one.logprob != other.logprob).all()
    assert reader["scores"].shape == (1, 3)
    both, lost = reader["both"], reader["lost"]
    assert len(both) == 40 and 0 < len(lost) < (both["prediction"] >= 0).sum()


@pytest.mark.parametrize("family", tiny_models.FAMILIES)
def test_a_model_of_any_family_is_as_it_was_after_the_block(family: str) -> None:
    model, ids = tiny_models.build(family), tiny_models.tokens()
    with torch.no_grad():
        before = model(input_ids=ids).logits
        with ln.applied(model, ln.overwrite({0: [1, 5], 1: [0, 23]}, 0)):
            assert not torch.equal(model(input_ids=ids).logits, before)
        assert torch.equal(model(input_ids=ids).logits, before)


@pytest.mark.parametrize("head", ["causal", "classifier"])
def test_an_opened_adapter_is_that_of_stock_peft(tmp_path: Path, head: str) -> None:
    from peft import PeftModel

    save_adapter(tmp_path, head)
    ids = tiny_models.tokens()
    stock = PeftModel.from_pretrained(build(head), str(tmp_path)).eval()
    with torch.no_grad():
        opened = ln.open_adapter(build(head), tmp_path)(input_ids=ids).logits
        assert torch.equal(opened, stock(input_ids=ids).logits)
        assert not torch.equal(opened, build(head)(input_ids=ids).logits)


def test_a_model_at_hand_is_run_as_the_stock_model_runs() -> None:
    model, tokenizer = build("causal"), byte_tokenizer()
    lm = ln.LanguageModel.of(model, tokenizer)
    context, answer = lm.encode(["Hà Nội"], beginning=True)[0], lm.encode([" là"])[0]
    (found,) = lm.loglikelihood([context], [[answer]])
    with torch.no_grad():
        logs = model(torch.tensor([context + answer])).logits.log_softmax(-1)[0]
    wanted = sum(logs[len(context) - 1 + i, t].item() for i, t in enumerate(answer))
    assert found.logprob[0] == pytest.approx(wanted, abs=1e-4)
    assert lm.decode(answer) == " là"


def test_a_model_in_training_is_refused_and_nothing_is_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lm = ln.LanguageModel.of(build("causal"), byte_tokenizer())
    lm.next_tokens([[1, 5]])
    assert capsys.readouterr() == ("", "")
    lm.under(None, "vi none").next_tokens([[1, 5]])
    assert capsys.readouterr().err.startswith("vi none: 1/1 items")
    with pytest.raises(ln.config.errors.DataError, match="only 128 positions"):
        lm.next_tokens([[5] * 129])
    with pytest.raises(ln.config.errors.DataError, match=r"call model.eval\(\) first"):
        ln.LanguageModel.of(build("causal").train(), byte_tokenizer())


def of_any_language(name: object) -> str:
    """Name a column as the page does, which has one entry for all languages."""
    return re.sub("_(en|vi)$", "_{lang}", str(name))


def test_every_column_of_every_task_is_explained() -> None:
    assert set(ITEMS) == set(tasks.kinds()), "made-up items of each task are needed"
    page = PAGE.read_text(encoding="utf-8")
    for kind, items in ITEMS.items():
        shown = ln.item_columns(kind)
        table = evaluated(kind)
        kinds = {of_any_language(name): t.kind for name, t in table.dtypes.items()}
        assert set(shown) == set(kinds) and len(table) == len(items)
        section = page.partition(f"### Columns of {kind}\n")[2].partition("###")[0]
        for name, what in shown.items():
            assert f"| `{name}` | {what} |" in section
            said = "whole number" if kinds[name] in "iu" else "number"
            said = {"b": "true or false", "O": "text"}.get(kinds[name], said)
            assert what.startswith(f"{said}"), name
    assert references.LIBRARY == "docs/library.md" and references.stale() == []


def test_the_page_names_what_there_is() -> None:
    text = PAGE.read_text(encoding="utf-8")
    head = text.partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", head, re.MULTILINE)) == set(ln.__all__)
    assert set(re.findall(r"\bln\.(\w+)", text)) == set(ln.__all__)


def test_a_wheel_has_every_room_and_imports_without_the_project(tmp_path: Path) -> None:
    """Built by setuptools, which torch brings along; no index is asked."""
    source = tmp_path / "source"
    copied = ["pyproject.toml", "README.md", "LICENSE"]
    for path in [*map(ROOT.joinpath, copied), *LIBRARY.rglob("*")]:
        if path.is_file() and path.suffix != ".pyc":
            there = source / path.relative_to(ROOT)
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_bytes(path.read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--quiet", "--wheel-dir", tmp_path, source]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    (wheel,) = tmp_path.glob("langneurons-*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(tmp_path / "site")
    sources = {p.relative_to(SCRIPTS) for p in LIBRARY.rglob("*") if p.is_file()}
    sources = {p for p in sources if "__pycache__" not in p.parts}
    installed = tmp_path / "site"
    packages = (installed / "langneurons").rglob("*")
    assert {p.relative_to(installed) for p in packages if p.is_file()} == sources
    names = ", ".join(ln.__all__)
    code = f"from langneurons import {names}; print(Activations.open.__module__)"
    code = f"import sys; sys.path.insert(0, 'site'); {code}; import langneurons"
    code = f"{code}; print(langneurons.__file__)"
    shown = subprocess.run(
        [sys.executable, "-I", "-c", code],
        check=True, capture_output=True, text=True, cwd=tmp_path,
    ).stdout.split()  # fmt: skip
    assert shown[0] == "langneurons.neurons.recorded_activations"
    assert (tmp_path / shown[1]).is_relative_to(installed)


def test_what_the_library_imports_is_declared() -> None:
    """What modules import at their top is installed by `pip install .`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    def names(texts: list[str]) -> set[str]:
        return {Requirement(t).name.lower().replace("_", "-") for t in texts}

    always = names(project["dependencies"])
    extras = set().union(*map(names, project["optional-dependencies"].values()))
    distributions = importlib.metadata.packages_distributions()
    at_top, anywhere = set(), set()
    for path in LIBRARY.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for found, nodes in ((at_top, tree.body), (anywhere, ast.walk(tree))):
            for node in nodes:
                if isinstance(node, ast.Import):
                    found |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    found.add(str(node.module).partition(".")[0])
    ours = {"langneurons", *sys.stdlib_module_names, *BROUGHT}
    needed = {
        modules: {
            name.lower().replace("_", "-")
            for module in modules_of - ours
            for name in distributions.get(module, [module])
        }
        for modules, modules_of in (("at top", at_top), ("anywhere", anywhere))
    }
    assert {"torch", "pydantic", "numpy"} <= needed["at top"] <= always
    assert needed["anywhere"] - always - extras == set()
