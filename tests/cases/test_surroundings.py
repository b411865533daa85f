"""What surrounds a run: proxies, home directories, clusters that want other flags."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from configurations import paper
from langneurons.study.configuration import load
from langneurons.study.specs import Specs
from script_runs import SCRIPTS, Bench, Told
from snakemake_runs import copy_project, snakemake
from test_models import save_model

NOT_OURS = re.compile(r".*_proxy|HF_.*OFFLINE|SSL_CERT_.*", re.IGNORECASE)


def fetch(script: str, folder: Path, variable: str, value: str) -> Told:
    """Fetch from the hub in a process of its own, with one setting of the network."""
    specs = Specs(load(paper()))
    chosen = SimpleNamespace(model="nemo", corpus="wikipedia", lang="en")
    command = [sys.executable, str(SCRIPTS / f"{script}.py"), "--out"]
    command += [str(folder / "out.json"), "--spec", getattr(specs, script)(chosen)]
    kept = {k: v for k, v in os.environ.items() if not NOT_OURS.fullmatch(k)}
    done = subprocess.run(
        command, env=kept | {variable: value}, capture_output=True, text=True
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Told(done.returncode, done.stdout + done.stderr)


@pytest.mark.case("A proxy that cannot be used is named in one line, with the remedy")
@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        ("socks://127.0.0.1:9/", "write socks5://"),
        ("socks5://127.0.0.1:9", ""),  # it may be, where a package is installed
    ],
)
@pytest.mark.parametrize("script", ["fetch_model", "fetch_text"])
def test_socks_proxies(script: str, value: str, remedy: str, tmp_path: Path) -> None:
    told = fetch(script, tmp_path, "ALL_PROXY", value)
    told.refused("proxy", f"ALL_PROXY={value}", remedy)


@pytest.mark.case("A proxy that does not answer is one error, with the setting used")
@pytest.mark.parametrize("value", ["http://127.0.0.1:9", "127.0.0.1:9"])
def test_a_proxy_that_is_down(value: str, tmp_path: Path) -> None:
    """Text is asked for again for half a minute, and so is not tried here."""
    told = fetch("fetch_model", tmp_path, "HTTPS_PROXY", value)
    told.refused("cannot be reached", f"HTTPS_PROXY={value}", "does it answer?")


@pytest.mark.case("~ and $VARIABLE in paths are read as a shell does")
@pytest.mark.parametrize("written", ["~/tiny", "$TRIAL_HOME/tiny"])
def test_tilde(written: str, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    home = bench.folder / "home"
    save_model(home / "tiny", "llama")
    for name in ("HOME", "TRIAL_HOME"):
        monkeypatch.setenv(name, str(home))
    told, manifest = bench.pin(written)
    told.fine()
    assert json.loads(manifest.read_text())["source"].endswith("home/tiny")
    # The script itself, called by hand.
    entry = {"family": "llama", "folder": written, "dtype": "float32"}
    spec = json.dumps({"name": "m", "model": entry})
    bench.script("fetch_model", spec, out=bench.folder / "m/manifest.json").fine()


@pytest.mark.case("--set-resources by a rule's name reaches every job of its kind")
def test_resources_of_all_evaluations(tmp_path: Path) -> None:
    """For clusters that want --gres instead of --gpus.

    Snakemake ignores the name of a rule that does not exist, without a word.
    """
    project = copy_project(tmp_path)
    kinds = ("evaluate_task", "measure_perplexity")
    wanted = [f"{kind}:{x}" for kind in kinds for x in ("gres=gpu:1", "gpu=0")]
    text = snakemake(project, "-n", "--set-resources", *wanted)
    for kind in kinds:
        jobs = re.findall(
            rf"^(?:local)?rule {kind}:\n(?:    .*\n)+", text, re.MULTILINE
        )
        assert jobs, f"no job of the rule {kind} in the plan"
        for job in jobs:
            assert "gres=gpu:1" in job, job
            assert "gpu=0" in job, job
