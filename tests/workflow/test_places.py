"""Where things lie: the workflow as a module of another, and files of the user."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from snakemake.utils import update_config

import tiny_models
from snakemake_runs import copy_project, planned, snakemake

MODULE = """configfile: "config/config.yaml"

module langneurons:
    snakefile: "{}/Snakefile"
    config: config

use rule * from langneurons
"""


def test_the_workflow_as_a_module_of_another(tmp_path: Path) -> None:
    """Scripts are found from the checkout, though Snakemake runs elsewhere."""
    checkout = tmp_path / "José's study (2)"
    checkout.mkdir()
    copy_project(checkout)
    work = tmp_path / "work"
    (work / "workflow").mkdir(parents=True)
    shutil.copytree(checkout / "config", work / "config")
    shutil.move(checkout / "tiny.yaml", work / "tiny.yaml")
    (work / "workflow/Snakefile").write_text(MODULE.format(checkout), encoding="utf-8")
    target = work / "results/tasks/xnli/test.vi.jsonl"
    command = [
        sys.executable, "-m", "snakemake", str(target.relative_to(work)),
        "results/tables/reproduction.tsv", "--until", "prepare_task", "--cores", "1",
        "--workflow-profile", "none", "--configfile", "config/demo.yaml", "tiny.yaml",
    ]  # fmt: skip
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=work,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert target.is_file()
    assert not (checkout / "results").exists()


def test_the_cost_plan_of_a_module(tmp_path: Path) -> None:
    """Its rules may have other names there, and its configuration be a part of one."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    copy_project(checkout)
    work = tmp_path / "work"
    (work / "workflow").mkdir(parents=True)
    whole: dict[str, object] = {}
    for name in ("config/config.yaml", "config/demo.yaml", "tiny.yaml"):
        update_config(whole, yaml.safe_load((checkout / name).read_text("utf-8")))
    (work / "mine.yaml").write_text(yaml.safe_dump({"study": whole}), "utf-8")
    text = MODULE.replace("config/config.yaml", "mine.yaml")
    text = text.replace("config: config", 'config: config["study"]')
    text += "as other_*\n"
    text = text.replace("langneurons\nas", "langneurons as")
    (work / "workflow/Snakefile").write_text(text.format(checkout), "utf-8")
    command = [sys.executable, "-m", "snakemake", "other_plan_costs", "--cores", "1"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path}
    done = subprocess.run(
        command, cwd=work, env=environment, capture_output=True, text=True
    )
    logs = "".join(x.read_text("utf-8") for x in work.glob("logs/plan.log"))
    assert done.returncode == 0, done.stdout + done.stderr + logs
    assert "\nevaluate_task " in done.stdout


def test_other_weights_in_a_local_folder_are_pinned_anew(tmp_path: Path) -> None:
    project = tmp_path / "p"
    project.mkdir()
    copy_project(project)
    world = "results/demo_world/tokenizer.json"
    snakemake(project, "--cores", "1", world)
    folder = project / "mine"
    tiny_models.build("llama", seed=1, vocab_size=2000).save_pretrained(folder)
    shutil.copy(project / world, folder)
    tiny = yaml.safe_load((project / "tiny.yaml").read_text(encoding="utf-8"))
    tiny["models"]["demo"] = {"builder": None, "demo": None, "folder": "mine"}
    (project / "tiny.yaml").write_text(yaml.safe_dump(tiny), encoding="utf-8")
    target = "results/models/demo/pinned/manifest.json"
    snakemake(project, "--cores", "1", target)
    first = (project / target).read_bytes()
    for path in folder.iterdir():
        os.utime(path)
    assert planned(project, target) == {}  # other times, the same content
    # Of an older time, as what was downloaded before and is moved here.
    tiny_models.build("llama", seed=2, vocab_size=2000).save_pretrained(folder)
    for path in folder.iterdir():
        os.utime(path, (1_000_000_000, 1_000_000_000))
    assert planned(project, target) == {"fetch_model": 1}
    snakemake(project, "--cores", "1", target)
    assert (project / target).read_bytes() != first
