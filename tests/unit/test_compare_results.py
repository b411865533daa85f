"""Two folders of results: what must be equal is compared, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from compare_results import differences

TABLE = "model\tlang\tvalue\tp_holm\ndemo\ten\t0.805\t\ndemo\tvi\t0.5\t0.01\n"


def results(folder: Path) -> Path:
    folder.mkdir()
    (folder / "xnli.tsv").write_text(TABLE)
    record = {"n": 3, "metrics": {"em": 0.5}, "fingerprint": "a"}
    (folder / "none.json").write_text(json.dumps(record))
    (folder / "none.json.provenance.json").write_text('{"time": 1}')
    items = {"item": [0, 1], "prediction": ["a", "b"], "f1": [0.25, 0.5]}
    pd.DataFrame(items).to_parquet(folder / "none.parquet")
    save_file({"weight": np.ones((2, 2), np.float32)}, folder / "a.safetensors")
    return folder


def edited(name: str, old: str, new: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))

    return edit


def items(**columns: list[object]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        frame = pd.read_parquet(folder / "none.parquet").assign(**columns)
        frame.to_parquet(folder / "none.parquet")

    return edit


def weights(value: float) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        array = np.asarray([[1, 1], [1, value]], np.float32)
        save_file({"weight": array}, folder / "a.safetensors")

    return edit


@pytest.mark.parametrize(
    "edit",
    [
        edited("xnli.tsv", "demo\ten\t0.805\t\ndemo\tvi\t0.5\t0.01\n",
               "demo\tvi\t0.5\t0.01\ndemo\ten\t0.8050000001\t\n"),
        edited("xnli.tsv", TABLE, TABLE.replace("\n", "\tx\n")),
        edited("none.json", '"a"', '"b"'),
        edited("none.json", "0.5", "0.5000000001"),
        edited("none.json.provenance.json", "1", "2"),
        items(prediction=["a", "b"], more=[1, 2]),
        weights(1.0000001),
    ],
)  # fmt: skip
def test_what_may_differ(tmp_path: Path, edit: Callable[[Path], None]) -> None:
    before, after = results(tmp_path / "a"), results(tmp_path / "b")
    edit(after)
    assert list(differences(before, after)) == []


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (edited("xnli.tsv", "0.805", "0.806"), "xnli.tsv: value: 1 of 2 values"),
        (edited("xnli.tsv", "0.01", ""), "xnli.tsv: p_holm: 1 of 2 values"),
        (edited("xnli.tsv", "vi", "hi"), "1 of 2 rows are not there any more"),
        (edited("xnli.tsv", "p_holm", "p"), "columns p_holm are not there"),
        (edited("none.json", "0.5", "0.51"), "metrics.em: 0.5, now 0.51"),
        (edited("none.json", "3", "4"), "none.json: n: 3, now 4"),
        (items(prediction=["a", "c"]), "prediction: 1 of 2 values, the first 'b'"),
        (items(f1=[0.25, 0.6]), "none.parquet: f1: 1 of 2 values"),
        (weights(1.001), "a.safetensors: weight: 1 of 4 values"),
        (lambda folder: (folder / "none.json").unlink(), "is not there any more"),
    ],
)
def test_what_must_not(tmp_path: Path, edit: Callable[[Path], None], said: str) -> None:
    before, after = results(tmp_path / "a"), results(tmp_path / "b")
    edit(after)
    (found,) = differences(before, after)
    assert said in found
