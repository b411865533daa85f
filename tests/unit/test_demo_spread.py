"""Demos that are made again and again are the demo, apart from what varies."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from benchmarks import demo_spread
from demo_runs import TABLES, TUNINGS, Run
from langneurons.config.schema import Config
from langneurons.grid import rows, subjects
from langneurons.study.configuration import load
from langneurons.study.specs import Specs
from langneurons.tables import wanted
from test_config import merge, paper, read
from truths import Truth


def config(run: Run | None = None) -> Config:
    overlay = run.overlay() if run else {}
    return load(merge(merge(paper(), read("demo.yaml")), overlay))


def trained(given: Config) -> list[str]:
    """Say what the trainings and the selection of neurons read."""
    specs, model = Specs(given), {"model": "demo"}
    seed = rows.task_rows(given, "xnli")[0].seed
    tunings = [("xnli", t) for t in ("attention", *TUNINGS)] + [("xquad", "attention")]
    return [
        specs.demo_world(None),
        specs.demo_model(SimpleNamespace(**model)),
        *(
            specs.tune_model(SimpleNamespace(**model, task=a, tuning=b, seed=str(seed)))
            for a, b in tunings
        ),
        *(
            specs.identify_neurons(
                SimpleNamespace(**model, method=method, langset="world")
            )
            for method in ("lape", "random_lape-1", "random_lape-2")
        ),
    ]


def test_the_first_run_is_the_demo_and_others_differ_in_their_seeds() -> None:
    assert trained(config(Run())) == trained(config())
    other = trained(config(Run(world=8, seed=2)))
    assert [a == b for a, b in zip(other, trained(config()), strict=True)] == [
        *(False,) * 6, *(True,) * 3,
    ]  # fmt: skip


def test_a_run_evaluates_the_same_items_and_texts() -> None:
    part, whole = config(Run()), config()
    assert set(TABLES) <= set(wanted(part))
    for listing in (subjects.on_tasks, subjects.on_texts):
        everything, made = (
            {(subject, t) for subject, names in listing(c).items() for t in names}
            for c in (whole, part)
        )
        assert made and made <= everything
    for task in ("xnli", "xquad"):
        assert part.task(task).languages == whole.task(task).languages
        assert part.task(task).test_items == whole.task(task).test_items
    chunks, all_chunks = (
        {(row.corpus, row.model, row.chunks) for row in rows.text_rows(x)}
        for x in (part, whole)
    )
    assert chunks <= all_chunks and len(chunks) == 1


def test_runs_are_read_from_their_names() -> None:
    runs = [Run.parse(text) for text in demo_spread.RUNS.split()]
    assert " ".join(map(str, runs)) == demo_spread.RUNS
    assert len(runs) >= 8
    assert {run.capability for run in runs} == {"default", "avx2", "avx512"}
    assert {run.threads for run in runs} == {1, 2}
    with pytest.raises(ValueError, match="allowed: default, avx2, avx512"):
        Run.parse("7:1:sse:2")


def test_instructions_that_the_processor_lacks_are_refused(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    arguments = ["--out", str(tmp_path / "out"), "--runs"]
    with pytest.raises(SystemExit):
        demo_spread.main([*arguments, "7:1:avx2:1", "7:1:avx512:1"])
    assert "this processor lacks avx512" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_table_says_how_far_inside_its_bound_a_number_is() -> None:
    truths = {
        "high": Truth("a share", float, "over", 0.5),
        "low": Truth("a loss", float, "under", 0.9),
    }
    measured = pd.DataFrame({"high": [0.7, 0.8, 0.9], "low": [0.5, 0.5, 0.5]})
    lines = demo_spread.table(truths, measured).splitlines()
    assert lines[2] == ("| a share | 3 | 0.800 | 0.100 | 0.700 | 0.900 | > 0.5 | 3.0 |")
    assert lines[3].endswith("| < 0.9 | inf |")


def test_the_document_has_each_truth_three_deviations_inside_its_bound() -> None:
    pytest.importorskip("torch")
    text = (demo_spread.ROOT / "docs/demo.md").read_text(encoding="utf-8")
    lines = [line.strip("| ").split(" | ") for line in text.splitlines()]
    rows = {cells[0]: cells[1:] for cells in lines if len(cells) == 8}
    truths = {**demo_spread.TRUTHS, **demo_spread.small_truths()}
    assert rows.keys() - {"number", "---"} == {truth.what for truth in truths.values()}
    for truth in truths.values():
        _, mean, sd, *_, asserted, inside = rows[truth.what]
        assert asserted == demo_spread.bound(truth), truth.what
        assert float(inside) >= 3, truth.what
        margin = abs(float(mean) - truth.bound)
        assert truth.holds(float(mean)) and margin >= 3 * float(sd), truth.what
