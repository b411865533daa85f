"""Where things lie: the workflow as a module of another, and files of the user."""

from __future__ import annotations

import ast
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import pytest
import yaml
from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config

import tiny_models
from configurations import ROOT
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


SECOND = """
module second:
    snakefile: github("owner/langneurons", path="Snakefile", {})
    config: config

use rule plan_costs from second as second_plan_costs
"""


class Repository:
    """One commit, with a file that holds its name."""

    def __init__(self, hexsha: str, meanwhile: Callable[[], object] = bool) -> None:
        self.hexsha, self.meanwhile, self.asked = hexsha, meanwhile, 0

    def commit(self, ref: str) -> Repository:
        return self

    def archive(self, into: IO[bytes], commit: str) -> None:
        self.asked += 1
        with tarfile.open(fileobj=into, mode="w") as packed:
            told = tarfile.TarInfo("told")
            told.size = len(commit)
            packed.addfile(told, io.BytesIO(commit.encode()))
        self.meanwhile()


def unpacking() -> dict[str, Any]:
    """Return the functions of configuration.smk, which come before any library."""
    tree = ast.parse((ROOT / "workflow/rules/configuration.smk").read_text("utf-8"))
    kept = (ast.Import, ast.ImportFrom, ast.FunctionDef)
    tree.body = [
        each
        for each in tree.body
        if isinstance(each, kept)
        and "langneurons" not in ast.unparse(each).split("\n")[0]
    ]
    space: dict[str, Any] = {"WorkflowError": WorkflowError}
    exec(compile(tree, "configuration.smk", "exec"), space)
    return space


def test_two_starts_unpack_a_module_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    unpacked = unpacking()["unpacked"]
    other = Repository("a" * 40)
    slow = Repository("a" * 40, meanwhile=lambda: unpacked(other, "v1"))
    opened: list[tarfile.TarFile] = []
    really = tarfile.open

    def recorded(*given: Any, **named: Any) -> tarfile.TarFile:
        opened.append(really(*given, **named))
        return opened[-1]

    monkeypatch.setattr(tarfile, "open", recorded)
    folder = unpacked(slow, "v1")
    assert len(opened) == 4 and all(one.closed for one in opened)
    assert (slow.asked, other.asked) == (1, 1)
    assert (folder / "told").read_text() == "a" * 40
    assert list(folder.parent.iterdir()) == [folder]
    assert unpacked(slow, "v1") == folder and slow.asked == 1
    # What keeps it from its place, other than that it is there, is told.
    blocked = Path(".snakemake/langneurons", "b" * 40)
    with pytest.raises(OSError, match="b" * 40):
        unpacked(Repository("b" * 40, meanwhile=lambda: blocked.write_text("")), "v2")


def test_jobs_find_the_module_of_their_own_ref(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    space = unpacking()

    class Hosted:
        host = "github.com"

        def __init__(self, repo: str, ref: str) -> None:
            self.repo, self.ref = repo, ref
            folder = Repository(hashlib.sha1(f"{repo} {ref}".encode()).hexdigest())
            self.hosted_repo = SimpleNamespace(repo=folder)

    modules = [Hosted("a/x", "v1"), Hosted("a/x", "v2"), Hosted("b/x", "v1")]
    space["HostingProviderFile"] = Hosted

    def found(here: Hosted, in_main: bool) -> Any:
        space["workflow"] = SimpleNamespace(
            current_basedir=here, is_main_process=in_main
        )
        return space["checkout"]()

    with pytest.raises(WorkflowError, match=r"github.com/a/x, v1: .*not set.*--export"):
        found(modules[0], in_main=False)
    told = {space["told_by"](f"github.com/{x.repo}, {x.ref}") for x in modules}
    assert len(told) == 3
    for name in told:
        monkeypatch.setenv(name, "")  # so that it is as it was afterwards
    made = [found(here, in_main=True) for here in modules]
    assert len(set(made)) == 3
    assert [found(here, in_main=False) for here in modules] == list(map(str, made))
    shutil.rmtree(made[1])
    with pytest.raises(WorkflowError, match=f"is {made[1]}.*shared disk"):
        found(modules[1], in_main=False)


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
    # The same commit by another name is the same folder; another commit is refused.
    subprocess.run([*as_git, "branch", "main-line", "v1"], check=True)
    (source / "README.md").write_text("Changed.\n", encoding="utf-8")
    for command_of_git in (
        ["commit", "--quiet", "--all", "--message", "More"],
        ["tag", "v2"],
    ):
        subprocess.run([*as_git, *command_of_git], check=True)
    for ref, is_refused in (('branch="main-line"', False), ('tag="v2"', True)):
        (work / "workflow/Snakefile").write_text(HOSTED + SECOND.format(ref), "utf-8")
        done = subprocess.run(
            [*command, "--dry-run"],
            cwd=work,
            env=os.environ | redirected,
            capture_output=True,
            text=True,
        )
        told = done.stdout + done.stderr
        assert done.returncode == is_refused, told
        assert ("need the same version" in " ".join(told.split())) == is_refused, told
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
