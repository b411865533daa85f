"""Nothing that is read can run code, no secret is written, no name leaves results/."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from snakemake.utils import update_config

import configurations
import warm_start
from langneurons.config.errors import ConfigError
from langneurons.study.configuration import load
from snakemake_runs import copy_project, environment

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "workflow").rglob("*.py"))
RULES = sorted((ROOT / "workflow/rules").glob("*.smk"))
UNPICKLING = {"cloudpickle", "dill", "joblib", "marshal", "shelve"}
SECRET = "hf_PlantedSecretThatMustNotBeWritten"


def dangers(source: str) -> Iterator[str]:
    """Name what could run code from a file or from user text in a Python source."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            modules = [a.name for a in node.names]
            modules += [getattr(node, "module", None) or ""]
            for found in UNPICKLING & {name.split(".")[0] for name in modules}:
                yield f"line {node.lineno}: import {found}"
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        given = {k.arg: ast.unparse(k.value) for k in node.keywords}
        here = f"line {node.lineno}: {name}"
        if name == "torch.load" and given.get("weights_only") != "True":
            yield f"{here} without weights_only=True"
        if re.search(r"\bpickle\.(loads?|Unpickler)$|read_pickle$", name):
            yield here
        if given.get("allow_pickle", "False") != "False":
            yield f"{here} with allow_pickle"
        if given.get("trust_remote_code", "False") != "False":
            yield f"{here} with trust_remote_code"
        if given.get("shell", "False") != "False":
            yield f"{here} with shell=True"
        if name in ("os.system", "os.popen", "subprocess.getoutput", "eval", "exec"):
            yield here
        if name in ("yaml.load", "yaml.unsafe_load", "yaml.full_load"):
            yield here


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.stem)
def test_no_file_can_run_code(path: Path) -> None:
    assert list(dangers(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "line",
    [
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "pickle.load(handle)",
        "pd.read_pickle(path)",
        "import joblib",
        "from dill import load",
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
        "AutoModel.from_pretrained(name, trust_remote_code=spec['code'])",
        "subprocess.run(command, shell=True)",
        "os.system(command)",
        "eval(text)",
        "yaml.load(text)",
    ],
)
def test_the_scan_sees_what_is_dangerous(line: str) -> None:
    assert len(list(dangers(line))) == 1


def test_weights_are_read_from_safetensors_only() -> None:
    """A folder's weights come from safetensors; GGUF is parsed, not unpickled."""
    checked = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func)
            if not name.endswith("from_pretrained") or "okenizer" in name:
                continue
            if name.removeprefix("t.").startswith("AutoConfig"):
                continue  # sizes, no weights
            text = ast.unparse(node)
            if name.startswith(("Peft", "kind")) or "**place" in text:
                continue  # a tokenizer; our own adapter; the GGUF file
            assert "use_safetensors=True" in text, f"{path.name}: {text}"
            checked.add(path.name)
    assert {"loading.py", "quantising.py"} <= checked


@pytest.mark.parametrize("path", RULES, ids=lambda p: p.stem)
def test_rules_quote_every_text_that_reaches_a_shell(path: Path) -> None:
    # Hashes, numbers and Snakemake's own counts need no quotes.
    safe = r"params\.code|threads|resources\.\w+"
    text = path.read_text(encoding="utf-8")
    # Up to an empty line; run("script") quotes the path of the script.
    commands = re.findall(r"shell:\n((?:[ ]+\S.*\n)+)", text + "\n")
    assert len(commands) == text.count("shell:"), "a command that was not read"
    for command in commands:
        assert command.lstrip().startswith("run(")
        fields = re.findall(r"\{([^{}]+)\}", command)
        assert "params.code" in fields  # so fields are seen
        for field in fields:
            assert field.endswith(":q") or re.fullmatch(safe, field), field
    assert "run:" not in text.replace("dry_run:", "")


def test_no_secret_reaches_a_file(tmp_path: Path) -> None:
    """Run real jobs with a token in the environment, and search all they leave."""
    project = copy_project(tmp_path)
    planted = {"HF_TOKEN": SECRET, "HUGGING_FACE_HUB_TOKEN": SECRET}
    common = [
        *("--profile", "profiles/demo", "--printshellcmds", "--verbose"),
        *("--configfile", "config/demo.yaml", "tiny.yaml"),
    ]
    targets = [
        ["results/tokens/demo/demo/en.json"],
        ["results/report.html", "--allowed-rules", "build_report"],
    ]
    for target in targets:
        command = [str(warm_start.command()), "-m", "snakemake", *target, *common]
        if "--allowed-rules" in target:
            command += ["--config", "report=existing"]
        done = subprocess.run(
            command,
            cwd=project,
            env=environment(**planted),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert SECRET not in done.stdout + done.stderr
    written = [p for p in project.rglob("*") if p.is_file()]
    names = {p.name for p in written}
    assert {"report.html", "en.json", "en.json.provenance.json"} <= names
    assert any(".snakemake" in p.parts for p in written)
    found = [str(p) for p in written if SECRET.encode() in p.read_bytes()]
    assert found == []


def bad_names() -> Iterator[object]:
    """Every place of a configuration whose text becomes a part of a path."""
    for bad in ("../x", "/x", "a/b", ".", "..", "x;y", "{x}", "$(x)", "x\n", ""):
        yield pytest.param({"language_sets": {"new": {"languages": [bad]}}}, id=bad)
        listed = {"languages": ["en", bad]}
        for name in ("transfer", "finetuning", "perplexity"):
            axes = {"experiments": {name: listed}}
            yield pytest.param(axes, id=f"languages of {name} {bad}")
        for name in ("transfer", "perplexity"):
            axes = {"experiments": {name: {"neuron_languages": [bad]}}}
            yield pytest.param(axes, id=f"neurons of {name} {bad}")
        yield pytest.param({"demo_world": listed}, id=f"demo_world {bad}")
        for change in (listed, {"source_language": bad}):
            name = f"{next(iter(change))} {bad}"
            yield pytest.param({"tasks": {"xnli": change}}, id=f"task {name}")
        for key in ("neuron_language", "value_language"):
            changed = {"mean": {"value": "mean", key: bad}}
            yield pytest.param({"statistics": changed}, id=f"{key} {bad}")
        for catalogue in ("models", "corpora", "tasks", "tunings", "methods"):
            yield pytest.param({catalogue: {bad: "copy"}}, id=f"{catalogue} {bad}")
        for key in ("selections", "tunings", "models", "tasks", "statistics"):
            axes = {"experiments": {"transfer": {key: [bad]}}}
            yield pytest.param(axes, id=f"transfer.{key} {bad}")
        for key in ("selections", "controls", "entries", "baselines"):
            axes = {"experiments": {"finetuning": {key: [bad]}}}
            yield pytest.param(axes, id=f"finetuning.{key} {bad}")
        corpus = {"experiments": {"perplexity": {"corpus": bad}}}
        yield pytest.param(corpus, id=f"perplexity.corpus {bad}")
        yield pytest.param({"experiments": {bad: "copy"}}, id=f"experiment {bad}")
        for key, given in (("run", [bad]), ("tables", [bad]), ("default_corpus", bad)):
            yield pytest.param({key: given}, id=f"{key} {bad}")


def test_nothing_else_is_wrong_with_the_study() -> None:
    load(configurations.paper())


@pytest.mark.parametrize("change", list(bad_names()))
def test_no_name_can_leave_results(change: dict) -> None:
    raw = configurations.paper()
    for catalogue, entries in change.items():
        for name, value in dict(entries).items() if isinstance(entries, dict) else ():
            if value == "copy":  # a good entry under a bad name
                entries[name] = next(iter(raw[catalogue].values()))
    update_config(raw, change)
    with pytest.raises(ConfigError) as told:
        load(raw)
    # Whatever else follows from it: the place is named.
    (place, below), *_ = change.items()
    if isinstance(below, dict):
        assert f"{place}." in str(told.value)
        assert next(iter(below)) in str(told.value)
    else:
        assert f"- {place}: unknown " in str(told.value)
