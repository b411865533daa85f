"""How much numbers of trained models differ between processors and seeds.

``python -m benchmarks.demo_spread --out FOLDER`` makes the demo again and again, with
other seeds, under other instruction sets (ATEN_CPU_CAPABILITY; the processor has to
have them) and with one or two threads in training. Each run has its own copy of the
project below FOLDER and makes only what the numbers are read from, in 5 minutes of
processor time; what is there is not made again. With ``--small`` it does the same with
the tiny trainings of tests/unit, in minutes for all of them.

A line for each run goes into FOLDER/spread.tsv (or small.tsv). What is printed says how
far inside their bounds the numbers are that the tests assert: the tables of
docs/demo.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parent.parent
PATHS = [
    ROOT / p for p in ("workflow/scripts", *map("tests/{}".format, ("unit", "e2e")))
]
sys.path[:0] = [str(ROOT), *map(str, PATHS)]

from demo_runs import CAPABILITIES, Run, make  # type: ignore[import-not-found]  # noqa: E402
from demo_truth import TRUTHS  # type: ignore[import-not-found]  # noqa: E402
from truths import Truth  # type: ignore[import-not-found]  # noqa: E402

RUNS = (
    "7:1:avx2:2 7:1:avx512:1 7:1:default:1 7:2:avx512:2 7:2:default:1 7:3:avx2:1"
    " 7:4:default:2 8:5:avx2:1 8:8:avx512:2 9:6:avx512:1 9:7:avx2:2 9:10:default:2"
)


def small_truths() -> dict[str, Truth]:
    """Collect the truths of the tiny trainings from the tests that assert them."""
    import test_bridging  # type: ignore[import-not-found]
    import test_demo_world  # type: ignore[import-not-found]
    import test_masking  # type: ignore[import-not-found]
    import test_planting  # type: ignore[import-not-found]
    import test_training  # type: ignore[import-not-found]

    trained = (test_training, test_masking, test_demo_world)
    modules = (*trained, test_planting, test_bridging)
    return {name: truth for m in modules for name, truth in m.TRUTHS.items()}


def measure_demo(run: Run, out: Path) -> dict[str, float]:
    """Make a demo below a folder, and return its numbers."""
    folder = out / str(run).replace(":", "-")
    make(run, folder)
    return {name: truth.measure(folder) for name, truth in TRUTHS.items()}


def measure_small(run: Run, out: Path) -> dict[str, float]:
    """Return the numbers of the tiny trainings, from a process of their own."""
    given = os.environ | {"ATEN_CPU_CAPABILITY": run.capability}
    given["OMP_NUM_THREADS"] = str(run.threads)
    code = (
        "from benchmarks.demo_spread import small_truths; import json;"
        f"print(json.dumps({{n: float(t.measure({run.seed}))"
        " for n, t in small_truths().items()}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT, env=given, check=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    return json.loads(done.stdout)


def bound(truth: Truth) -> str:
    """Write what is asserted of a number."""
    return f"{'>' if truth.sense == 'over' else '<'} {truth.bound:.3g}"


def table(truths: Mapping[str, Truth], measured: pd.DataFrame) -> str:
    """Lay measured numbers out, in Markdown.

    Args:
        truths: what is asserted, by name.
        measured: a row for each run, with a column for each truth.
    """
    head = ["number", "n", "mean", "sd", "smallest", "largest", "asserted"]
    lines = [[*head, "sd inside"], ["---"] * (len(head) + 1)]
    for name, truth in truths.items():
        values = measured[name]
        numbers = (values.mean(), values.std(), values.min(), values.max())
        lines.append(
            [
                *(truth.what, str(len(values)), *(f"{x:.3f}" for x in numbers)),
                *(bound(truth), f"{truth.deviations(list(values)):.1f}"),
            ]
        )
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main(arguments: list[str] | None = None) -> None:
    """Make the runs, write their numbers and print the table."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.demo_spread",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--small", action="store_true", help="the tiny trainings")
    parser.add_argument(
        "--runs",
        type=Run.parse,
        nargs="+",
        metavar="WORLD:SEED:CAPABILITY:THREADS",
        default=[Run.parse(text) for text in RUNS.split()],
        help=f"default: {RUNS}",
    )
    given = parser.parse_args(arguments)
    refuse_what_is_not_there(parser, given.runs)
    out = given.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    truths = small_truths() if given.small else TRUTHS
    measure = measure_small if given.small else measure_demo
    rows = []
    for run in given.runs:
        rows.append({**vars(run), **measure(run, out)})
        name = "small.tsv" if given.small else "spread.tsv"
        pd.DataFrame(rows).to_csv(out / name, sep="\t", index=False)
    print(table(truths, pd.DataFrame(rows)))


def refuse_what_is_not_there(parser: argparse.ArgumentParser, runs: list[Run]) -> None:
    """Stop before instructions that the processor lacks: PyTorch would not."""
    import torch

    best = torch.backends.cpu.get_cpu_capability().lower()
    known = CAPABILITIES[: CAPABILITIES.index(best) + 1] if best in CAPABILITIES else ()
    lacking = sorted({r.capability for r in runs} - {*known, "default"})
    if lacking:
        parser.error(f"this processor lacks {', '.join(lacking)}: give --runs without")


if __name__ == "__main__":
    main()
