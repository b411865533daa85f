"""Run Snakemake on the virtual cluster, watch its jobs, and get them into trouble."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from snakemake_runs import copy_project
from virtual_cluster import Cluster, wait_for

HERE = Path(__file__).parent
TABLE = "results/tables/xnli.tsv"
ADAPTER = "results/adapters/xnli/demo/attention/seed42"
EVALUATIONS = "results/evaluations/xnli/demo/attention/seed42/vi"
INDEX = f"{EVALUATIONS}/part-1-of-1.json"
STEPS = 80  # of the training in grid.yaml
# The profile asks every 5 s after the first 10: right for hours, not for seconds.
ASK_OFTEN = (
    "--slurm-init-seconds-before-status-checks", "2",
    "--max-status-checks-per-second", "1",
)  # fmt: skip
EVERY = 10  # steps between two checkpoints


def make_project(folder: Path) -> Path:
    """Copy the project and fill in the profile, as a user does first."""
    folder.mkdir()
    copy_project(folder)
    shutil.copy2(HERE / "grid.yaml", folder / "grid.yaml")
    fill_in_partitions(folder)
    return folder


def fill_in_partitions(folder: Path) -> None:
    """Put the virtual cluster's partitions into the profile."""
    path = folder / "profiles/slurm/partitions.yaml"
    text = path.read_text(encoding="utf-8")
    for placeholder, name in (
        ("your-cpu-partition", "short"),
        ("your-gpu-partition", "accelerated"),
    ):
        assert f"  {placeholder}:" in text
        text = text.replace(f"  {placeholder}:", f"  {name}:")
    path.write_text(text, encoding="utf-8")


def run_locally(folder: Path, *arguments: str) -> str:
    """Run Snakemake without a cluster."""
    done = subprocess.run(
        _command("profiles/demo", *arguments),
        cwd=folder,
        env=os.environ
        | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        | {"NO_COLOR": "1", "OMP_WAIT_POLICY": "passive"},
        capture_output=True,
        text=True,
    )
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    return text


def _command(profile: str, *arguments: str) -> list[str]:
    return [
        sys.executable, "-m", "snakemake", *arguments, "--profile", profile,
        "--configfile", "config/demo.yaml", "tiny.yaml", "grid.yaml",
    ]  # fmt: skip


class Run:
    """One ``snakemake --profile profiles/slurm``, running or ended.

    Args:
        cluster: where its jobs go.
        folder: of the project.
        arguments: after the options that every run has; targets first.
        trouble: kind of trouble for the programs of jobs; see job_python.sh.
        ask: how often Slurm is asked, instead of what the profile says.
        **settings: SCRIPT, WHEN, MB of the trouble.
    """

    def __init__(
        self,
        cluster: Cluster,
        folder: Path,
        *arguments: str,
        trouble: str = "",
        ask: Sequence[str] = ASK_OFTEN,
        **settings: object,
    ) -> None:
        self.cluster, self.folder = cluster, folder
        number = len(list(folder.glob("run-*.txt"))) + 1
        self.output = folder / f"run-{number}.txt"
        self.trouble = folder / f"trouble-{number}"
        fake = cluster.root / "bin/python"
        if not fake.exists():
            shutil.copyfile(HERE / "job_python.sh", fake)
            fake.chmod(0o755)
        environment = cluster.environment | {
            "REAL_PYTHON": sys.executable,
            "STARTED": str(folder / "started.txt"),
            "TROUBLE": trouble,
            "TROUBLE_DONE": str(self.trouble),
        }
        # As on any cluster without accounts; see docs/cluster.md.
        stand_in = folder / "profiles/slurm/no-accounting"
        environment["PATH"] = f"{stand_in}:{environment['PATH']}"
        environment |= {f"TROUBLE_{k.upper()}": str(v) for k, v in settings.items()}
        with self.output.open("wb") as out:
            self.process = subprocess.Popen(
                _command("profiles/slurm", *arguments, *ask),
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                preexec_fn=_heed_interrupts,
            )

    @property
    def text(self) -> str:
        """What it has printed so far."""
        return self.output.read_text(encoding="utf-8", errors="replace")

    def wait(self, seconds: float = 600) -> int:
        """Wait for its end and return its exit status."""
        try:
            return self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise TimeoutError(
                f"snakemake still ran after {seconds} s\n{self.text}"
            ) from None

    def succeed(self, seconds: float = 600) -> Run:
        """Wait for its end, which must be a good one."""
        assert self.wait(seconds) == 0, self.text
        return self

    def until_stalled(self, seconds: float = 400) -> dict[str, str]:
        """Wait until a program has stopped in the middle; return its Slurm job."""
        reached = self.trouble / "pid"
        wait_for(
            lambda: reached.exists() or self.process.poll() is not None,
            seconds, f"a stalled job\n{self.text}",
        )  # fmt: skip
        assert reached.exists(), self.text
        return self.cluster.active(self.folder)[-1]

    def let_go(self) -> None:
        """Let the stalled program go on."""
        os.kill(int((self.trouble / "pid").read_text()), signal.SIGCONT)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to Snakemake alone; its jobs do not get it."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)


def _heed_interrupts() -> None:
    """Undo what a shell does to programs in the background: they ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def started(folder: Path) -> Counter[str]:
    """Count the programs that the cluster's jobs have started, but that of tables."""
    path = folder / "started.txt"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    on_nodes = [line.split() for line in lines if not line.startswith("local ")]
    scripts = (words[2].removesuffix(".py") for words in on_nodes)
    return Counter(script for script in scripts if script != "build_table")


def micro_batches(folder: Path) -> list[int]:
    """Return the micro-batch of each evaluation that was started."""
    text = (folder / "started.txt").read_text(encoding="utf-8")
    found = re.findall(r"evaluate_task\.py .* --micro-batch (\d+) ", text)
    return [int(number) for number in found]


def remove_results(folder: Path, *parts: str) -> None:
    """Remove results that must be made anew, and the table that shows it.

    What only intermediate steps need is not made again where the end is there, so the
    index of the evaluations goes too. The files that it lists stay: nothing is
    evaluated for it.
    """
    for part in (*parts, INDEX, TABLE):
        path = folder / part
        if path.is_dir():
            shutil.rmtree(path)
        elif path.exists():
            path.unlink()


def resumed_after(folder: Path) -> int:
    """Return the optimiser step from which the last training went on; 0 if none."""
    log = (folder / "logs" / f"{ADAPTER}.log").read_text(encoding="utf-8")
    found = re.search(r"resumed from step ([0-9,]+) of", log)
    return int(found.group(1).replace(",", "")) if found else 0


def computed(folder: Path) -> tuple[int, int]:
    """Return how many treatments the last evaluation kept, and how many it computed."""
    path = folder / "logs" / EVALUATIONS / "part-1-of-1.log"
    text = path.read_text(encoding="utf-8")
    found = re.search(r"kept (\d+) of \d+ treatments, computing (\d+)", text)
    assert found is not None, text
    return int(found.group(1)), int(found.group(2))


def results(folder: Path) -> dict[str, bytes]:
    """Read all results; not what says when and where they were made."""
    root = folder / "results"
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
        and not path.name.endswith(".provenance.json")
        and not any(part.startswith(".") for part in path.relative_to(root).parts)
    }
