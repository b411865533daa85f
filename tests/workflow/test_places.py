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


HOSTED = """configfile: "config/config.yaml"

module langneurons:
    snakefile: github("owner/langneurons", path="Snakefile", tag="v1")
    config: config

use rule * from langneurons as ours_*
"""


def test_a_module_from_a_repository_brings_its_scripts(tmp_path: Path) -> None:
    """Snakemake itself fetches the rules only; git takes a folder for the host."""
    source = tmp_path / "host/owner/langneurons"
    source.mkdir(parents=True)
    copy_project(source)
    as_git = ["git", "-C", str(source), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    for command in (
        ["init", "--quiet"],
        ["add", "--all"],
        ["commit", "--quiet", "--message", "All"],
        ["tag", "v1"],
    ):
        subprocess.run([*as_git, *command], check=True)
    work = tmp_path / "work"
    (work / "workflow").mkdir(parents=True)
    for name in ("config", "tiny.yaml"):
        shutil.move(source / name, work / name)
    (work / "workflow/Snakefile").write_text(HOSTED, encoding="utf-8")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    redirected = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{tmp_path}/host/.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PATH": path,
    }
    command = [
        sys.executable, "-m", "snakemake", "results/demo_world/world.json",
        "--cores", "1", "--workflow-profile", "none",
        "--configfile", "config/demo.yaml", "tiny.yaml",
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=work, env=os.environ | redirected, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (work / "results/demo_world/world.json").is_file()
    (unpacked,) = (work / ".snakemake/langneurons").iterdir()
    commit = subprocess.check_output([*as_git, "rev-parse", "v1"], text=True).strip()
    assert unpacked.name == commit
    assert (unpacked / "workflow/scripts/generate_demo_world.py").is_file()
    # What would move our files, and not what we know of them, is refused.
    moved = HOSTED.replace("config: config", 'config: config\n    prefix: "ours"')
    (work / "workflow/Snakefile").write_text(moved, encoding="utf-8")
    done = subprocess.run(
        command, cwd=work, env=os.environ | redirected, capture_output=True, text=True
    )
    assert done.returncode == 1 and "`study: NAME`" in done.stdout + done.stderr


def test_results_lie_in_the_directory_that_is_named(tmp_path: Path) -> None:
    """It needs no configuration of its own; relative paths are of where one stands."""
    project, elsewhere = tmp_path / "p", tmp_path / "elsewhere"
    project.mkdir()
    copy_project(project)
    target = "results/tasks/xnli/test.vi.jsonl"
    there = ("--directory", str(elsewhere))
    snakemake(project, "--cores", "1", target, *there)
    assert (elsewhere / target).is_file()
    assert not (project / "results").exists()
    assert planned(project, target, *there) == {}
    # Its own configuration comes first, where it has one.
    (elsewhere / "config").mkdir()
    (elsewhere / "config/config.yaml").write_text("unheard_of: 1\n")
    text = snakemake(project, "-n", target, *there, check=False)
    assert "unheard_of" in text


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
