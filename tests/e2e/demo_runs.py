"""Make the demo again as another processor would, as far as its truth is read.

``python tests/e2e/demo_runs.py FOLDER CAPABILITY`` makes it in a copy of the project,
so that results of the user stay as they are; ``make test-processors`` then runs
test_demo_truth.py there. ATEN_CPU_CAPABILITY says which instructions PyTorch's kernels
use; sums are then added up in another order, and what is trained goes another way.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent.parent
for folder in ("workflow/scripts", "tests/workflow"):
    sys.path.insert(0, str(ROOT / folder))

from snakemake_runs import copy_project  # noqa: E402

CAPABILITIES = ("default", "avx2", "avx512")  # of x86, each with the one before
TABLES = (
    *("xnli", "xquad", "perplexity", "bli", "bridges"),
    *("amplification", "xcopa", "translation", "translation_told"),
)
MODELS = ("demo", "demo_control", "demo_bridge", "demo_bridge_swapped")
TUNINGS = ("lape.world.ur", "lape.world.en+ur")
STEERED = ("amplification", "natural")
"""Experiments of kind amplification."""
BRIDGED = ("bridges", "swapped")
"""Experiments of kind bridges."""
RESULTS = "results/demo"
"""Where the study of config/demo.yaml has its results."""
OVERLAY = "part.yaml"


@dataclass(frozen=True)
class Run:
    """A demo: seeds of the world and of its trainings, and how it is computed."""

    world: int = 7  # with seed 1: those of config/demo.yaml
    seed: int = 1
    capability: str = "default"
    threads: int = 2  # of trainings; all else takes one

    @classmethod
    def parse(cls, text: str) -> Run:
        """Read WORLD:SEED:CAPABILITY:THREADS.

        Raises:
            ValueError: it is none.
        """
        world, seed, capability, threads = text.split(":")
        if capability not in CAPABILITIES:
            raise ValueError(f"{capability!r}; allowed: {', '.join(CAPABILITIES)}")
        return cls(int(world), int(seed), capability, int(threads))

    def __str__(self) -> str:
        return f"{self.world}:{self.seed}:{self.capability}:{self.threads}"

    @property
    def tuning_seed(self) -> int:
        return 41 + self.seed

    @property
    def adapter(self) -> str:
        """Place of an adapter below its tuning's folder."""
        return f"seed{self.tuning_seed}/adapter_model.safetensors"

    def overlay(self) -> dict[str, Any]:
        """Return the seeds, and what of config/demo.yaml is left out.

        What is left has the numbers of the whole demo: other interventions in a job
        change none of them. Only means over random draws are here over two of ten,
        and so vary more.
        """
        return {
            "run": ["transfer", "finetuning", "perplexity", *STEERED, *BRIDGED],
            "tables": list(TABLES),
            "experiments": {
                "transfer": {
                    "selections": ["lape.world", "random_lape.world"],
                    "statistics": [],
                    "control_statistics": [],
                    "by_task": {"xquad": {"statistics": [], "control_statistics": []}},
                    "seeds": [self.tuning_seed],
                },
                "finetuning": {"seeds": [self.tuning_seed]},
                "perplexity": {"statistics": ["zero"]},
                "amplification": {
                    "selections": ["lape_sentences.world", "random_sentences.world"],
                    "statistics": ["p_max", "zero", "eq_p10"],
                    "perplexity": None,
                },
                **{x: {"similarities": ["cosine_target", "measured"]} for x in BRIDGED},
            },
            "methods": {"random_lape": {"draws": 2}},
            "demo_world": {"seed": self.world},
            "models": {name: {"demo": {"seed": self.seed}} for name in MODELS},
        }


def make(run: Run, folder: Path, tunings: tuple[str, ...] = ()) -> None:
    """Make what the truths of a demo are read from; what is there is not made again.

    Args:
        run: which demo.
        folder: gets a copy of the project, and its results.
        tunings: of XNLI, whose adapters are made as well.

    Raises:
        CalledProcessError: Snakemake failed; its output says why.
    """
    if not folder.exists():
        folder.mkdir(parents=True)
        copy_project(folder)
        text = yaml.safe_dump(run.overlay())
        (folder / OVERLAY).write_text(text, encoding="utf-8")
    wanted = [f"{RESULTS}/tables/{name}.tsv" for name in TABLES]
    adapters = f"{RESULTS}/adapters/xnli/demo"
    wanted += [f"{adapters}/{tuning}/{run.adapter}" for tuning in tunings]
    threads = [f"{r}={run.threads}" for r in ("pretrain_demo_model", "tune_model")]
    command = [
        *(sys.executable, "profiles/demo/warm_start.py", *wanted, "--quiet", "rules"),
        *("--profile", "profiles/demo", "--configfile", "config/demo.yaml", OVERLAY),
        *("--cores", "2", "--set-threads", *threads),
    ]
    # Jobs call `python`, and have the threads that Snakemake gives them.
    given = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    given["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{given['PATH']}"
    given |= {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0"}
    given |= {"ATEN_CPU_CAPABILITY": run.capability, "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run(command, cwd=folder, env=given, check=True)


if __name__ == "__main__":
    make(Run(capability=sys.argv[2], threads=1), Path(sys.argv[1]).resolve(), TUNINGS)
